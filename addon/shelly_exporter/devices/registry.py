"""The devices that were met, kept on disk, so that after a restart each is known before it says a word."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shelly_core import DeviceInfo

FORGET_S = 30 * 24 * 3600.0
"""A device that was not heard of for so long is gone."""

_ID = re.compile(r"shelly[0-9a-z]*-([0-9a-f]{12})")


@dataclass(slots=True, kw_only=True)
class Known:
    """What is remembered of a device."""

    info: DeviceInfo
    prefix: str
    """The prefix of its MQTT topics."""
    address: tuple[str, int] | None = None
    """Host and port of its web server."""
    heard_ts: float = 0.0
    """When it was heard last, Unix time."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "info": self.info._asdict(),
            "prefix": self.prefix,
            "address": None if self.address is None else [*self.address],
            "heard_ts": self.heard_ts,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Known:
        """Read what `as_json` returned. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        host, port = data["address"] or (None, 0)
        return cls(
            info=DeviceInfo(**data["info"]),
            prefix=str(data["prefix"]),
            address=None if host is None else (str(host), int(port)),
            heard_ts=float(data["heard_ts"]),
        )


def introduce(device_id: str) -> DeviceInfo | None:
    """Return what the id of a device tells of it, until it tells more itself; `None` if no Shelly is called so."""
    found = _ID.fullmatch(device_id)
    if found is None:
        return None
    return DeviceInfo(
        id=device_id,
        mac=found[1].upper(),
        model="",
        app="",
        generation=2,
        firmware="",
        firmware_id="",
        name=None,
        auth_enabled=False,
        profile=None,
    )


def restore(state: Mapping[str, Any] | None, now: float) -> dict[str, Known]:
    """Return the devices by id, from what `state` returned; a damaged entry is as good as none."""
    known: dict[str, Known] = {}
    for device_id, entry in ({} if state is None else state).items():
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
            device = Known.from_json(entry)
            told = introduce(device_id)
            is_it = told is not None and (told.id, told.mac) == (device.info.id, device.info.mac)
            if is_it and now - device.heard_ts < FORGET_S:
                known[device_id] = device
    return known


def state(devices: Mapping[str, Known]) -> dict[str, Any]:
    """Return, for JSON, what `restore` needs."""
    return {device_id: known.as_json() for device_id, known in devices.items()}
