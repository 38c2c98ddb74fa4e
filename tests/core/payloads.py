"""The fixtures of this repository, and the captures of real devices beside it where they exist."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shelly_core import Device, DeviceInfo, Notification
from shelly_core.frame import decode

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
CAPTURES = ROOT.parent / "shared" / "captures"

FIXTURE_NAMES = sorted(path.name for path in FIXTURES.iterdir())
CAPTURE_NAMES = sorted(path.name for path in CAPTURES.glob("*")) if CAPTURES.is_dir() else []

needs_captures = pytest.mark.skipif(not CAPTURE_NAMES, reason="the captures of real devices are not here")


@cache
def fixture_text(name: str, method: str) -> bytes:
    return (FIXTURES / name / f"{method}.json").read_bytes()


def fixture(name: str, method: str) -> dict[str, Any]:
    """A fresh copy of the answer of a fixture's device to a method."""
    payload: dict[str, Any] = json.loads(fixture_text(name, method))
    return payload


def capture(name: str) -> Any:
    return json.loads((CAPTURES / name).read_text())


def notification_frames(name: str) -> list[bytes]:
    return (FIXTURES / name / "notifications.jsonl").read_bytes().splitlines()


def device_of(name: str) -> Device:
    """The device of a fixture, as after connecting."""
    device = Device(DeviceInfo.parse(fixture(name, "Shelly.GetDeviceInfo")))
    device.apply_config(fixture(name, "Shelly.GetConfig"))
    status = fixture(name, "Shelly.GetStatus")
    device.apply_full_status(status, status["sys"]["unixtime"], 0.0)
    return device


def notification(frame: bytes | dict[str, Any]) -> Notification:
    decoded = decode(frame if isinstance(frame, bytes) else json.dumps(frame).encode())
    assert isinstance(decoded, Notification)
    return decoded


def notify(device: Device, ts: float | None, **changes: Any) -> Notification:
    """A NotifyStatus of a device; `em_0` in the arguments is the component `em:0`."""
    params = {key.replace("_", ":"): delta for key, delta in changes.items()}
    frame = {"src": device.info.id, "method": "NotifyStatus", "params": {"ts": ts, **params}}
    return notification(frame)
