"""What components of fixtures tell, as lines and as points."""

from collections.abc import Iterator, Mapping
from typing import Any, override

import pytest

from shelly_core import Notification, NotificationMethod
from shelly_core.frame import decode
from shelly_exporter.points import ComponentLines
from shelly_exporter.schema import PHASES
from shelly_exporter.spool import Stream
from tests.core.payloads import FIXTURE_NAMES, fixture, notification_frames
from tests.exporter.stored_points import Point, points_of

DEVICE = "shellypro3em-fce8c0d41a90"
TS = 1763989248040
METER = "shellypro3em-1.7.5"
type Told = Mapping[str, Any]


class SlowLines(ComponentLines):
    """Has no templates."""

    @override
    def _template(self, told: Told) -> None:
        return None


def slow_lines(key: str) -> SlowLines:
    kind, _, channel = key.partition(":")
    return SlowLines(DEVICE, kind, channel)


def made(lines: ComponentLines, told: Told, origin: str = "mqtt") -> list[tuple[Stream, bytes]]:
    """The lines one by one."""
    return [(stream, one) for stream, text in lines.of(told, origin, TS) for one in text.split(b"\n")]


def read(lines: ComponentLines, told: Told) -> list[Point]:
    return points_of(text for _, text in lines.of(told, "mqtt", TS))


def frames_of(name: str) -> Iterator[dict[str, Any]]:
    """What a fixture's device tells: its status, then its notifications, by component."""
    yield fixture(name, "Shelly.GetStatus")
    for frame in notification_frames(name):
        notification = decode(frame)
        assert isinstance(notification, Notification)
        if notification.method is not NotificationMethod.EVENT:
            yield notification.params


def component_cases() -> Iterator[Any]:
    for name in FIXTURE_NAMES:
        for number, frame in enumerate(frames_of(name)):
            for key, told in frame.items():
                yield pytest.param(key, told, id=f"{name}-{number}-{key}")


def even_em(value: float) -> dict[str, Any]:
    names = ("current", "voltage", "act_power", "aprt_power", "pf", "freq")
    told = {f"{phase}_{name}": value for phase in PHASES for name in names}
    return {**told, **dict.fromkeys(("n_current", "total_current", "total_act_power", "total_aprt_power"), value)}
