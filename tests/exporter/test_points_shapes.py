"""Meters, relays, records and events in the shape that boards ask for."""

import pytest

from shelly_core import Event
from shelly_exporter.points import component_lines, event_line, line, milliseconds
from shelly_exporter.spool import Stream
from tests.core.payloads import fixture
from tests.exporter.component_points import DEVICE, METER, TS, made, read
from tests.exporter.stored_points import Point, point_of


def test_a_meter_in_the_wanted_shape() -> None:
    told = {**fixture(METER, "Shelly.GetStatus")["em:0"], "a_errors": ["out_of_range:voltage"]}
    *phases, wide = read(component_lines(DEVICE, "em:0"), told)
    assert [point.tags for point in phases] == [{"channel": "0", "device": DEVICE, "phase": phase} for phase in "abc"]
    assert phases[0].fields == {
        "voltage": 231.7, "current": 4.412, "act_power": 1002.6, "aprt_power": 1022.1, "pf": 0.98, "freq": 50.0,
        "errors": "out_of_range:voltage",
    }  # fmt: skip
    assert "errors" not in phases[1].fields
    assert (wide.measurement, wide.tags) == ("em_wide", {"channel": "0", "device": DEVICE})
    assert wide.fields == {
        "total_act_power": -838.704, "total_aprt_power": 2879.013, "total_current": 12.394,
        "a_current": 4.412, "b_current": 0.027, "c_current": 7.955, "origin": "mqtt",
    }  # fmt: skip


def test_a_relay_in_the_wanted_shape() -> None:
    told = fixture("shellypro3-2.0.1", "Shelly.GetStatus")["switch:2"] | {"aenergy": {"total": 17.5, "by_minute": [1]}}
    (point,) = read(component_lines(DEVICE, "switch:2"), told)
    assert point == Point(
        "switch",
        {"channel": "2", "device": DEVICE},
        {
            "output": False, "output_i": 0, "source": "WS_in", "temperature": 38.1, "on_time": 5403.0, "switch_on": 3,
            "on_above_thr": 0, "act_energy": 17.5, "origin": "mqtt",
        },
        TS,
    )  # fmt: skip


def test_streams() -> None:
    """Energy and states are never given up, so they must not lie among the readings."""
    status = fixture(METER, "Shelly.GetStatus") | fixture("shellypro3-2.0.1", "Shelly.GetStatus")
    streams = {key: {stream for stream, _ in made(component_lines(DEVICE, key), told)} for key, told in status.items()}
    raw, counters = {Stream.RAW}, {Stream.COUNTERS}
    assert {key: found for key, found in streams.items() if found} == {
        "em:0": raw, "temperature:0": raw, "sys": counters, "wifi": counters, "eth": counters, "cloud": counters,
        "emdata:0": counters,
        **{f"{kind}:{number}": counters for kind in ("switch", "input") for number in range(3)},
    }  # fmt: skip


def test_the_neutral_current_is_no_number_without_a_clamp() -> None:
    lines = component_lines(DEVICE, "em:0")
    told = fixture(METER, "Shelly.GetStatus")["em:0"]
    for value in (None, 1.25, None, 0.0):
        wide = read(lines, {**told, "n_current": value})[-1]
        assert wide.fields.get("n_current") == value
        assert ("n_current" in wide.fields) is (value is not None)


def test_errors_that_are_over_are_said_to_be() -> None:
    lines = component_lines(DEVICE, "switch:2")
    assert read(lines, {"errors": ["overtemp", "overpower"]})[0].fields["errors"] == "overtemp,overpower"
    assert read(lines, {"errors": None})[0].fields == {"errors": "", "origin": "mqtt"}
    assert read(lines, {"output": True})[0].fields == {"output": True, "output_i": 1, "origin": "mqtt"}
    # A timer that is over has no start any more; a number cannot be empty.
    assert read(lines, {"timer_started_at": None, "timer_duration": None}) == []


@pytest.mark.parametrize(
    ("component", "kind", "channel"), [("input:2", "input", "2"), ("sys", "sys", "0"), ("script:11", "script", "11")]
)
def test_an_event(component: str, kind: str, channel: str) -> None:
    text = event_line(DEVICE, Event(component, None, "single_push", 1763990441.12, {}), 1763990441.1204)
    assert text is not None
    tags = {"channel": channel, "component": kind, "device": DEVICE}
    assert point_of(text) == Point("event", tags, {"event": "single_push"}, 1763990441120)


def test_a_point_from_its_values() -> None:
    text = line("link", {"device": DEVICE}, {"level": "ok", "level_i": 0, "mqtt": False, "data_age": 0, "no": 1}, 1.5)
    assert text is not None
    fields = {"level": "ok", "level_i": 0, "mqtt": False, "data_age": 0.0}
    assert point_of(text) == Point("link", {"device": DEVICE}, fields, 1500)
    assert line("link", {"device": DEVICE}, {"level": None, "http": None}, 1.5) is None


def test_times_are_whole_milliseconds() -> None:
    assert milliseconds(1763990441.12) == 1763990441120
    assert milliseconds(1763990441.1296) == 1763990441130
