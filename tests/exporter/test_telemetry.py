"""What the exporter tells of itself and of its roads to the devices, as points."""

from typing import Any

import pytest

from shelly_core import BreakerState, ClockHealth, Level, Transport
from shelly_exporter.telemetry import LEVELS, ExporterLines, Totals, link_line
from tests.exporter.healths import health_of, link_of
from tests.exporter.stored_points import BY_NAME, Point, point_of

DEVICE = "shellypro3em-fce8c0d41a90"
TS = 1790000000.25


def link(**changes: Any) -> Point:
    text = link_line(DEVICE, health_of(**changes), TS)
    assert text is not None
    return point_of(text)


def test_a_device_over_both_links() -> None:
    links = {Transport.MQTT: link_of(), Transport.HTTP: link_of(delivers=False)}
    point = link(links=links, level=Level.DEGRADED, drops={"repeated": 3, "late": 4}, rejects={"wrong type": 2})
    assert point == Point(
        "link",
        {"device": DEVICE},
        {
            "level": "degraded", "level_i": 1, "transport": "mqtt", "mqtt": True, "http": False, "data_age": 0.5,
            "mqtt_round_trip": 0.02, "http_round_trip": 0.02, "clock_offset": 0.25, "switchovers": 3, "rejects": 2,
            "drops": 7,
        },
        1790000000250,
    )  # fmt: skip
    assert point.fields.keys() == {column.name for column in BY_NAME["link"].columns}


def test_a_device_that_nothing_reaches() -> None:
    clock = ClockHealth(wrong=False, synced=True, offset_s=None, steps=0)
    untried = link_of(delivers=None)
    assert untried.breaker is BreakerState.CLOSED
    fields = link(
        links={Transport.HTTP: untried},
        level=Level.DOWN,
        active=None,
        data_age_s=None,
        clock=clock,
        drops={},
        rejects={},
    ).fields
    # What is not known is left out; it is not zero.
    assert fields == {
        "level": "down", "level_i": 2, "transport": "none", "http_round_trip": 0.02, "switchovers": 3, "rejects": 0,
        "drops": 0,
    }  # fmt: skip


def test_levels_are_in_order() -> None:
    assert [LEVELS[level] for level in Level] == [0, 1, 2]
    assert [*Level] == [Level.OK, Level.DEGRADED, Level.DOWN]


def test_counts_are_of_the_time_since_the_point_before() -> None:
    lines = ExporterLines("attic")
    state: dict[str, float | bool | int | None] = {
        "spool_bytes": 10, "spool_age": 0.5, "write_time": None, "broker": True, "devices": 2, "devices_down": 1,
    }  # fmt: skip
    found = []
    for totals in (
        Totals(messages=10, points=40, rejects=1, errors=2, dead_letters=2),
        Totals(messages=15, points=60, rejects=1, errors=5, dead_letters=4),
        Totals(messages=15, points=60, rejects=1, errors=5, dead_letters=4),
    ):
        text = lines.line(totals, state, TS)
        assert text is not None
        found.append(point_of(text))
    assert {tuple(point.tags.items()) for point in found} == {(("instance", "attic"),)}
    names = ("messages", "points", "rejects", "errors", "dead_letters")
    assert [[point.fields[name] for name in names] for point in found] == [
        [10, 40, 1, 2, 2],
        [5, 20, 0, 3, 2],
        [0, 0, 0, 0, 0],
    ]
    assert found[0].fields.keys() == {column.name for column in BY_NAME["exporter"].columns} - {"write_time"}


@pytest.mark.parametrize("name", ["my house", "a,b=c", ""])
def test_any_name_of_an_instance(name: str) -> None:
    text = ExporterLines(name).line(Totals(), {}, TS)
    assert text is not None
    assert point_of(text).tags["instance"] == (name or "-")
