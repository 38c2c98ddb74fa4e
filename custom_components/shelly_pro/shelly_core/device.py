"""One device as last heard of: who it is, what it is set to, and the status of each component.

A device tells its whole status when asked (or after it connected) and then only what changed. `Device` lays each
notification over what is known. Whatever was overtaken, said twice, impossible or contradictory is left out field by
field, with the reason; the last good values stay.
https://shelly-api-docs.shelly.cloud/gen2/General/Notifications

How it orders. The same component is told on several roads, some frames twice, some late. Each carries the device's
time `ts`; what is older than the last of its component is left out. A status that was asked for counts as of the moment
of asking, and leaves alone what has been told since.
"""

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from .components import Component
from .consistency import contradictions
from .counters import CounterGuard
from .decoding import build, kind_of
from .device_info import DeviceInfo
from .errors import FrameError
from .frame import Event, Notification, NotificationMethod, events
from .validation import Rejection, check, limits_for, rated_current_a, sift, table_of

OVERTAKEN = "overtaken"
"""Older than what is known of the component."""
OUTDATED = "outdated"
"""A little older than the last whole status, which had it."""
OUTDATED_S = 5.0
"""What is older than a whole status by more than this hints at a clock that was put back."""
REPEATED = "repeated"
"""Said before, to the letter and the hundredth of a second."""
RECORDED = "data"
"""The event with a meter's record of a minute: it belongs to that minute, whenever and however often it comes."""
DROPS = frozenset({OVERTAKEN, OUTDATED, REPEATED})
"""Reasons that say nothing against the device: such things happen on the way."""

_NOTIFY_STATUS = NotificationMethod.STATUS


type Told = Mapping[str, Any]
"""By component key, the fields that a frame told and that are plausible."""


class Applied(NamedTuple):
    """What became of a status or notification: keys of changed components, what was left out, what happened.

    `told` is what was plausible, even if it came too late to be the present state; `None` is all that the frame told.
    """

    changed: frozenset[str]
    rejections: tuple[Rejection, ...] = ()
    events: tuple[Event, ...] = ()
    told: Told | None = None


class Wrong(NamedTuple):
    """A field that has had no good value since `since`, in seconds of the clock that `apply` is given."""

    since: float
    last: Rejection
    times: int


@lru_cache(maxsize=512)
def _one_changed(key: str) -> Applied:
    """Return what becomes of nearly every notification."""
    return Applied(frozenset((key,)))


class Device:
    """Holds one device; every value it returns is immutable or a copy. `now` is seconds of any monotonic clock."""

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info
        self._config: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
        self._status: dict[str, dict[str, Any]] = {}
        self._ts: dict[str, float] = {}
        self._event_ts: dict[tuple[str, str], float] = {}
        self._decoded: dict[str, Component | None] = {}
        self._limits = limits_for(None)
        self.counters = CounterGuard(self._limits.max_power_w)
        self.wrong: dict[tuple[str, str | None], Wrong] = {}
        """What the device keeps telling wrong, by component and field; gone with the next good value."""
        self.ready = False
        """Whether a full status was applied; until then there is nothing to lay a notification over."""
        self.whole_ts = -math.inf
        """As of when the device last told its whole status."""

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
        ct_types = (config.get("ct_type") for config in self._config.values())
        ct_type = next((ct_type for ct_type in ct_types if isinstance(ct_type, str)), None)
        self._limits = limits_for(rated_current_a(self.info.model, ct_type))
        self.counters.max_power_w = self._limits.max_power_w

    def apply_full_status(self, raw: Any, ts: float | None, now: float) -> Applied:
        """Take a whole status as of `ts`. Raises `FrameError` if it is none.

        Components that are not in it are gone, and what has been told since stays as it is.
        """
        if type(raw) is not dict:
            raise FrameError("no status")
        changed = [key for key in self._status if key not in raw and not self._overtaken(key, ts)]
        for key in changed:
            self._drop(key, ts)
        rejections: list[Rejection] = []
        for key, status in raw.items():
            if self._overtaken(key, ts):
                self._vet(key, status, rejections)
            elif self._lay(key, status, ts, now, rejections, whole=True):
                changed.append(key)
        self.ready = True
        if ts is not None:
            self.whole_ts = ts
        return Applied(frozenset(changed), tuple(rejections), (), _without(raw, rejections))

    def apply_component(self, key: str, raw: Any, ts: float | None, now: float) -> Applied:
        """Take the whole status of one component as of `ts`, the answer to a method like Switch.GetStatus."""
        rejections: list[Rejection] = []
        if self._overtaken(key, ts):
            self._vet(key, raw, rejections)
            changed = False
        else:
            changed = self._lay(key, raw, ts, now, rejections, whole=True)
        return Applied(frozenset((key,) if changed else ()), tuple(rejections), (), _without({key: raw}, rejections))

    def apply(self, notification: Notification, now: float) -> Applied:
        """Lay a notification over what is known. Raises `FrameError` for a damaged one, of which nothing is taken."""
        ts, params = notification.ts, notification.params
        if notification.method is not _NOTIFY_STATUS:
            if notification.method is NotificationMethod.EVENT:
                return self._take_events(notification)
            if "sys" not in params:
                raise FrameError("no status")
            return self.apply_full_status(params, ts, now)
        if len(params) > 1 and None in params.values() and not _is_status(params):
            raise FrameError("no status")
        changed: list[str] = []
        rejections: list[Rejection] = []
        for key, delta in params.items():
            if not self.ready:
                self._vet(key, delta, rejections)
            elif ts is not None and ts < self._ts.get(key, ts):
                self._vet(key, delta, rejections)
                outdated = self.whole_ts - OUTDATED_S < ts < self.whole_ts
                rejections.append(Rejection(key, None, OUTDATED if outdated else OVERTAKEN, ts))
            elif self._lay(key, delta, ts, now, rejections, whole=False):
                changed.append(key)
        if not rejections:
            return _one_changed(changed[0]) if len(changed) == 1 else Applied(frozenset(changed))
        return Applied(frozenset(changed), tuple(rejections), (), _without(params, rejections))

    def forget_order(self) -> None:
        """Forget all times: the device's clock was put back, so they say nothing about what comes."""
        self._ts.clear()
        self._event_ts.clear()
        self.whole_ts = -math.inf

    def keys(self, kind: str) -> tuple[str, ...]:
        """Return the keys of all components of a kind, as `em` or `script`, by id."""
        return tuple(sorted((key for key in self._status if key.partition(":")[0] == kind), key=_by_number))

    def get(self, key: str) -> Component | None:
        """Return the status of a component; `None` if the device has none of this key, or it is not modelled."""
        if key in self._decoded:
            return self._decoded[key]
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

    def _of[ComponentT: Component](self, kind: type[ComponentT]) -> Iterator[tuple[str, ComponentT]]:
        for key in self.keys(kind_of(kind)):
            component = self.get(key)
            if isinstance(component, kind):
                yield key, component

    def _lay(
        self, key: str, delta: Any, ts: float | None, now: float, rejections: list[Rejection], *, whole: bool
    ) -> bool:
        """Lay `delta` over the status of a component, or over nothing if it is the `whole` status.

        Returns whether the component changed; adds to `rejections` what was left out.
        """
        known = self._status.get(key)
        if delta is None and not whole:
            return known is not None and self._drop(key, ts)
        before = len(rejections)
        told = delta
        if check(key, delta, self._limits) is not None:
            delta, refused = sift(key, delta, self._limits)
            rejections += refused
            if not delta:
                self._judge(key, told, rejections[before:], now)
                return False
        status = overlay({} if whole or known is None else known, delta, key)
        if len(rejections) > before or self.counters.watches(key):
            self._examine(key, status, delta, rejections, before, now)
        else:
            rejections += contradictions(key, status)
        if self.wrong or len(rejections) > before:
            _keep_last_good(status, known, rejections[before:])
            self._judge(key, told, rejections[before:], now)
        changed = status != known
        if changed:
            self._status[key] = status
            self._decoded.pop(key, None)
        elif ts is not None and ts == self._ts.get(key) and len(rejections) == before:
            rejections.append(Rejection(key, None, REPEATED, ts))
        if ts is not None:
            self._ts[key] = ts
        return changed

    def _vet(self, key: str, told: Any, rejections: list[Rejection]) -> None:
        """Add to `rejections` what is at fault in what cannot be laid over a status; see `_lay`."""
        if told is None:
            return
        if check(key, told, self._limits) is not None:
            told, refused = sift(key, told, self._limits)
            rejections += refused
        rejections += contradictions(key, told)

    def _examine(
        self,
        key: str,
        status: Mapping[str, Any],
        delta: Mapping[str, Any],
        rejections: list[Rejection],
        before: int,
        now: float,
    ) -> None:
        """Add what cannot be true together with the rest, or after what was told before; see `_lay`."""
        if len(rejections) > before:
            # What was refused is not known now: the rest must not be measured by its old value.
            unknown = {rejection.field: None for rejection in rejections[before:] if rejection.field is not None}
            rejections += contradictions(key, {**status, **unknown})
        else:
            rejections += contradictions(key, status)
        if self.counters.watches(key):
            refused = {rejection.field for rejection in rejections[before:]}
            told_well = {field: value for field, value in delta.items() if field not in refused}
            rejections += self.counters.admit(key, told_well, now)

    def _judge(self, key: str, told: Any, rejections: list[Rejection], now: float) -> None:
        """Remember what a component tells wrong for how long, and forget what it tells right again."""
        fields = told if type(told) is dict else {}
        refused = {rejection.field: rejection for rejection in rejections}
        for field, rejection in refused.items():
            since, _, times = self.wrong.get((key, field), (now, None, 0))
            self.wrong[key, field] = Wrong(since, rejection, times + 1)
        for wrong_key, field in tuple(self.wrong):
            if wrong_key == key and field not in refused and (field is None or field in fields):
                del self.wrong[key, field]

    def _take_events(self, notification: Notification) -> Applied:
        """Pass on what has not been passed on: a repeated event must not press a button twice."""
        fresh: list[Event] = []
        rejections: list[Rejection] = []
        for event in events(notification):
            name = (event.component, event.event)
            if event.event != RECORDED and event.ts is not None and event.ts <= self._event_ts.get(name, -1.0):
                late = OVERTAKEN if event.ts < self._event_ts[name] else REPEATED
                rejections.append(Rejection(event.component, event.event, late, event.ts))
                continue
            if event.ts is not None:
                self._event_ts[name] = event.ts
            fresh.append(event)
        return Applied(frozenset(), tuple(rejections), tuple(fresh))

    def _overtaken(self, key: str, ts: float | None) -> bool:
        return ts is not None and ts < self._ts.get(key, ts)

    def _drop(self, key: str, ts: float | None) -> Literal[True]:
        """Forget a component that is gone since `ts`, but not when that was: a late frame must not bring it back."""
        del self._status[key]
        self._decoded.pop(key, None)
        if ts is not None:
            self._ts[key] = ts
        self.counters.forget(key)
        for name in [name for name in self.wrong if name[0] == key]:
            del self.wrong[name]
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


def _keep_last_good(status: dict[str, Any], known: Mapping[str, Any] | None, rejections: list[Rejection]) -> None:
    for field in [rejection.field for rejection in rejections if rejection.field is not None]:
        if known is not None and field in known:
            status[field] = known[field]
        else:
            status.pop(field, None)


def _without(told: Told, rejections: list[Rejection]) -> Told | None:
    """Return `told` without what was at fault; `None` if nothing was."""
    at_fault = [rejection for rejection in rejections if rejection.reason not in DROPS]
    if not at_fault:
        return None
    whole = {rejection.key for rejection in at_fault if rejection.field is None}
    fields = {(rejection.key, rejection.field) for rejection in at_fault}
    return {
        key: {field: value for field, value in status.items() if (key, field) not in fields}
        for key, status in told.items()
        if key not in whole and type(status) is dict
    }


def _is_status(params: Mapping[str, Any]) -> bool:
    """Tell whether a status is in order: in a damaged one, null must not remove a component."""
    return all(status is None or type(status) is dict for status in params.values())


def _by_number(key: str) -> tuple[int, str]:
    return len(key), key
