"""One device as last heard of: who it is, what it is set to, and the status of each component.

A device tells its whole status when asked (or after it connected) and then only what changed. `Device` lays each
notification over what is known; whatever does not pass `validation` is left out, with the reason, and changes nothing.
https://shelly-api-docs.shelly.cloud/gen2/General/Notifications
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Self

from .components import Component
from .decoding import build, kind_of
from .errors import FrameError, UnsupportedDeviceError
from .frame import Event, Notification, NotificationMethod, events, is_ts
from .validation import Rejection, check, table_of

LATE_S = 15.0
"""A notification this much older than the last of its component, or less, was overtaken on its way and is left out.
Four seconds late were seen in the field; a larger step back is the device's clock being put right."""

TOO_LATE = "overtaken"

_NOTIFY_STATUS = NotificationMethod.STATUS

_MAC = re.compile(r"[0-9A-F]{12}")


class DeviceInfo(NamedTuple):
    """The answer to Shelly.GetDeviceInfo: `firmware` is the version, `profile` is `None` where there is no choice."""

    id: str
    mac: str
    model: str
    app: str
    generation: int
    firmware: str
    firmware_id: str
    name: str | None
    auth_enabled: bool
    profile: str | None

    @classmethod
    def parse(cls, raw: Any) -> Self:
        """Read a device info. Raises `FrameError` if it is none, `UnsupportedDeviceError` for a first generation."""
        if type(raw) is not dict:
            raise FrameError("no device info")
        if "gen" not in raw and type(model := raw.get("type")) is str:
            raise UnsupportedDeviceError(model)
        info = cls(
            id=_typed(raw, "id", str),
            mac=_typed(raw, "mac", str).upper(),
            model=_typed(raw, "model", str),
            app=_typed(raw, "app", str),
            generation=_typed(raw, "gen", int),
            firmware=_typed(raw, "ver", str),
            firmware_id=_typed(raw, "fw_id", str),
            name=_typed(raw, "name", str) if raw.get("name") else None,
            auth_enabled=_typed(raw, "auth_en", bool),
            profile=_typed(raw, "profile", str) if raw.get("profile") else None,
        )
        if not info.id or _MAC.fullmatch(info.mac) is None:
            raise FrameError("no device info")
        return info


def supported(info: DeviceInfo) -> bool:
    """Tell whether this is a Pro 3 or a Pro 3EM of any clamp size; unknown model revisions of them count.

    A Pro 3EM-400 calls its app Pro3EM, too; a 3EM-63 is known by its model.
    """
    known_app = info.app == "Pro3" or info.app.startswith("Pro3EM")
    return info.generation > 1 and (known_app or info.model.startswith("SPEM-003"))


class Applied(NamedTuple):
    """What became of a status or notification: keys of changed components, what was left out, what happened."""

    changed: frozenset[str]
    rejections: tuple[Rejection, ...] = ()
    events: tuple[Event, ...] = ()


_NOTHING = Applied(frozenset())


@lru_cache(maxsize=512)
def _one_changed(key: str) -> Applied:
    """Return what becomes of nearly every notification."""
    return Applied(frozenset((key,)))


class Device:
    """Holds one device; every value it returns is immutable or a copy."""

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info
        self._config: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
        self._status: dict[str, dict[str, Any]] = {}
        self._ts: dict[str, float] = {}
        self._decoded: dict[str, Component | None] = {}
        self.ready = False
        """Whether a full status was applied; until then there is nothing to lay a notification over."""

    @property
    def config(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings by component key, as the device has them."""
        return self._config

    @property
    def status(self) -> Mapping[str, Mapping[str, Any]]:
        """The status by component key, as the device sent it; components not modelled are here, too."""
        return MappingProxyType(self._status)

    def apply_config(self, raw: Any) -> None:
        """Take the answer to Shelly.GetConfig. Raises `FrameError` if it is none."""
        if type(raw) is not dict:
            raise FrameError("no config")
        self._config = MappingProxyType(
            {key: MappingProxyType(config) for key, config in raw.items() if type(config) is dict}
        )

    def apply_full_status(self, raw: Any, ts: float | None = None) -> Applied:
        """Take the answer to Shelly.GetStatus; without `ts`, the device's clock is in it. Raises `FrameError`.

        Components that are not in it are gone, unless it was overtaken; one that is rejected stays as it was.
        """
        if type(raw) is not dict:
            raise FrameError("no status")
        changed = [key for key in self._status if key not in raw and not self._overtaken(key, ts)]
        for key in changed:
            self._drop(key)
        rejections = []
        # The clock in the status counts whole seconds: it cannot tell whether the answer was overtaken.
        clock = _clock_of(raw) if ts is None else None
        for key, status in raw.items():
            outcome = self._lay(key, status, ts, whole=True)
            if isinstance(outcome, Rejection):
                rejections.append(outcome)
                continue
            if outcome:
                changed.append(key)
            if clock is not None and not self._overtaken(key, clock):
                self._ts[key] = clock
        self.ready = True
        return Applied(frozenset(changed), tuple(rejections))

    def apply_component(self, key: str, raw: Any) -> Applied:
        """Take the whole status of one component, the answer to a method like Switch.GetStatus."""
        outcome = self._lay(key, raw, None, whole=True)
        if isinstance(outcome, Rejection):
            return Applied(frozenset(), (outcome,))
        return Applied(frozenset((key,) if outcome else ()))

    def apply(self, notification: Notification) -> Applied:
        """Lay a notification over what is known. Raises `FrameError` for an event list that is none."""
        ts = notification.ts
        if notification.method is not _NOTIFY_STATUS:
            if notification.method is NotificationMethod.FULL_STATUS:
                if "sys" not in notification.params:
                    raise FrameError("no status")
                return self.apply_full_status(notification.params, ts)
            return Applied(frozenset(), (), events(notification))
        if not self.ready:
            return _NOTHING
        changed, rejections = [], []
        for key, delta in notification.params.items():
            outcome = self._lay(key, delta, ts, whole=False)
            if outcome is True:
                changed.append(key)
            elif outcome is not False:
                rejections.append(outcome)
        if not rejections and len(changed) == 1:
            return _one_changed(changed[0])
        return Applied(frozenset(changed), tuple(rejections))

    def keys(self, kind: str) -> tuple[str, ...]:
        """Return the keys of all components of a kind, as `em` or `script`, by id."""
        return tuple(sorted((key for key in self._status if key.partition(":")[0] == kind), key=_by_number))

    def get(self, key: str) -> Component | None:
        """Return the status of a component; `None` if the device has none of this key, or it is not modelled."""
        try:
            return self._decoded[key]
        except KeyError:
            status = self._status.get(key)
            component = self._decoded[key] = None if status is None else build(key, status)
            return component

    def components[ComponentT: Component](self, kind: type[ComponentT]) -> dict[str, ComponentT]:
        """Return the status of all components of a type by key, in the order of their ids."""
        return dict(self._of(kind))

    def name_of(self, key: str) -> str | None:
        """Return the name that a person gave a component; `None` if nobody did."""
        name = self._config.get(key, {}).get("name")
        return name if isinstance(name, str) and name else None

    def ts_of(self, key: str) -> float | None:
        """Return the device's time of what is known of a component, in Unix seconds; `None` if it did not say."""
        return self._ts.get(key)

    def _of[ComponentT: Component](self, kind: type[ComponentT]) -> Iterator[tuple[str, ComponentT]]:
        for key in self.keys(kind_of(kind)):
            component = self.get(key)
            if isinstance(component, kind):
                yield key, component

    def _lay(self, key: str, delta: Any, ts: float | None, *, whole: bool) -> bool | Rejection:
        """Lay `delta` over the status of a component, or over nothing if it is the `whole` status.

        Returns whether the component changed, or why `delta` was left out.
        """
        if self._overtaken(key, ts):
            return Rejection(key, None, TOO_LATE, ts)
        known = self._status.get(key)
        if delta is None and not whole:
            return known is not None and self._drop(key)
        rejection = check(key, delta)
        if rejection is not None:
            return rejection
        if ts is not None:
            self._ts[key] = ts
        status = overlay({} if whole or known is None else known, delta, key)
        if status == known:
            return False
        self._status[key] = status
        self._decoded.pop(key, None)
        return True

    def _overtaken(self, key: str, ts: float | None) -> bool:
        return ts is not None and 0.0 < self._ts.get(key, ts) - ts <= LATE_S

    def _drop(self, key: str) -> Literal[True]:
        del self._status[key]
        self._decoded.pop(key, None)
        self._ts.pop(key, None)
        return True


def overlay(status: Mapping[str, Any], delta: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Lay `delta` over the status of component `key` and return the result; neither is changed.

    A field takes the new value. An object, as the temperature of a relay, is laid over the old one in the same way.
    Null removes a field that is only there while it means something, as a timer; for others it is a value, as for the
    neutral current without a clamp. `delta` has passed `validation.check`.
    """
    merged = {**status, **delta}
    _, _, (_, _, layered) = table_of(key)
    if delta.keys().isdisjoint(layered):
        return merged
    for field in layered.keys() & delta.keys():
        value = delta[field]
        if type(value) is dict:
            old = status.get(field)
            inner = {**old, **value} if type(old) is dict else value
            merged[field] = {name: item for name, item in inner.items() if item is not None}
        elif value is None and layered[field].gone_when_null:
            del merged[field]
    return merged


def _clock_of(status: Mapping[str, Any]) -> float | None:
    system = status.get("sys")
    clock = system.get("unixtime") if type(system) is dict else None
    return clock if is_ts(clock) else None


def _by_number(key: str) -> tuple[int, str]:
    return len(key), key


def _typed[ValueT](raw: Mapping[str, Any], field: str, kind: type[ValueT]) -> ValueT:
    value = raw.get(field)
    if type(value) is not kind:
        raise FrameError("no device info")
    return value
