"""Who a device is, as it tells without being asked for a password."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from .errors import DeviceMismatchError, FrameError, UnsupportedDeviceError

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

    def expect(self, mac: str | None) -> None:
        """Raise `DeviceMismatchError` unless this is the device with this MAC, in any spelling; `None` is any."""
        expected = self.mac if mac is None else re.sub(r"[^0-9A-Fa-f]", "", mac).upper()
        if expected != self.mac:
            raise DeviceMismatchError(expected, self.mac)


def supported(info: DeviceInfo) -> bool:
    """Tell whether this is a Pro 3 or a Pro 3EM of any clamp size; unknown model revisions of them count.

    A Pro 3EM-400 calls its app Pro3EM, too; a 3EM-63 is known by its model.
    """
    known_app = info.app == "Pro3" or info.app.startswith("Pro3EM")
    return info.generation > 1 and (known_app or info.model.startswith("SPEM-003"))


def _typed[ValueT](raw: Mapping[str, Any], field: str, kind: type[ValueT]) -> ValueT:
    value = raw.get(field)
    if type(value) is not kind:
        raise FrameError("no device info")
    return value
