"""What devices tell becomes lines: all of it, in the right types, the same whether by a template or not."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, override

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelly_core import Event, Notification, NotificationMethod, Record, parse_event
from shelly_core.frame import decode, events
from shelly_core.validation import check
from shelly_exporter import points
from shelly_exporter.points import (
    MAX_TEMPLATES,
    MAX_TEXT,
    ComponentLines,
    component_lines,
    escaped,
    event_line,
    line,
    milliseconds,
    record_lines,
)
from shelly_exporter.schema import MEASUREMENTS, PHASES, of_kind
from shelly_exporter.spool import Stream
from tests.core.payloads import FIXTURE_NAMES, fixture, notification_frames
from tests.exporter.stored_points import BY_NAME, Point, point_of, points_of

DEVICE = "shellypro3em-fce8c0d41a90"
TS = 1763989248040
METER = "shellypro3em-1.7.5"
LEFT_OUT = {
    "id", "tF", "user_calibrated_phase",
    "mac", "time", "unixtime", "last_sync_ts", "ram_min_free", "cfg_rev", "kvs_rev", "schedule_rev", "webhook_rev",
    "btrelay_rev", "available_updates", "utc_offset", "alt",
    "on_time_rst_ts", "switch_on_rst_ts", "on_above_thr_rst_ts",
    "status", "ssid", "bssid", "sta_ip6", "ip6", "tag", "calibration", "flags",
}  # fmt: skip
"""What devices tell of components that are stored, and is not."""
UNKNOWN = {"ble", "bthome", "knx", "modbus", "mqtt", "ws", "script"}
"""Components of which nothing is stored."""

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


def leaves(told: Told) -> Iterator[tuple[str, Any]]:
    """Each field with a value that is stored, and the value as it should be in a line."""
    for name, value in told.items():
        if name in LEFT_OUT:
            continue
        if isinstance(value, dict):
            yield from leaves(value)
        else:
            yield name, ",".join(value) if isinstance(value, list) else value


@pytest.mark.parametrize(("key", "told"), component_cases())
def test_nothing_that_a_device_tells_is_lost(key: str, told: Told) -> None:
    """Looked at from the device's side: each number, text and flag is in a field, under its name or nearly so."""
    assert check(key, told) is None
    found = read(component_lines(DEVICE, key), told)
    if key.partition(":")[0] in UNKNOWN:
        assert found == []
        return
    for name, value in leaves(told):
        phase = name[0] if name[1:2] == "_" and name[0] in PHASES else None
        plain = name[2:] if phase else name
        there = [
            point.fields[field]
            for point in found
            if phase is None or point.tags.get("phase") in {None, phase}
            for field in point.fields
            if field in {name, plain, ALIASES.get(name)} and (point.tags.get("phase") == phase or field == name)
        ]
        if value is None:
            assert set(there) <= {""}, name
        else:
            assert value in there, f"{name} = {value} is in no line: {found}"
    tags = {point.tags.get("channel") for point in found if "channel" in point.tags}
    assert tags <= {key.partition(":")[2]}
    assert {point.tags["device"] for point in found} <= {DEVICE}
    assert {point.ts for point in found} <= {TS}


ALIASES = {"tC": "temperature", "sta_ip": "wifi_ip", "ip": "eth_ip", "connected": "cloud"}


@pytest.mark.parametrize(("key", "told"), component_cases())
def test_templates_change_nothing(key: str, told: Told) -> None:
    quick, slow = component_lines(DEVICE, key), slow_lines(key)
    assert made(quick, told) == made(slow, told)
    assert made(quick, told, "http") == made(slow, told, "http")


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
        "em:0": raw, "temperature:0": raw, "sys": raw, "wifi": raw, "eth": raw, "cloud": raw,
        "emdata:0": counters,
        **{f"{kind}:{number}": counters for kind in ("switch", "input") for number in range(3)},
    }  # fmt: skip


def test_what_a_meter_tells_each_second_is_one_piece() -> None:
    """Of a hundred meters at 1 Hz, so that a piece for each line would be dear."""
    told = fixture(METER, "Shelly.GetStatus")["em:0"]
    del told["user_calibrated_phase"]
    lines = component_lines(DEVICE, "em:0")
    for _ in range(2):
        ((stream, text),) = lines.of(told, "mqtt", TS)
        assert (stream, text.count(b"\n")) == (Stream.RAW, 3)


def test_the_neutral_current_is_no_number_without_a_clamp() -> None:
    lines = component_lines(DEVICE, "em:0")
    told = fixture(METER, "Shelly.GetStatus")["em:0"]
    for value in (None, 1.25, None, 0.0):
        wide = read(lines, {**told, "n_current": value})[-1]
        assert wide.fields.get("n_current") == value
        assert ("n_current" in wide.fields) is (value is not None)


@pytest.mark.parametrize("first", [None, 231.7])
def test_a_null_where_a_number_was_and_the_other_way_round(first: float | None) -> None:
    lines = component_lines(DEVICE, "em:0")
    told = fixture(METER, "Shelly.GetStatus")["em:0"]
    for voltage in (first, 231.7 if first is None else None, first):
        frame = {**told, "a_voltage": voltage}
        assert read(lines, frame)[0].fields.get("voltage") == voltage
        assert made(lines, frame) == made(slow_lines("em:0"), frame)


def test_a_phase_of_nothing_but_null_makes_no_line() -> None:
    told = {key: None if key.startswith("b_") else value for key, value in _em(1.5).items()}
    lines = component_lines(DEVICE, "em:0")
    for _ in range(2):
        assert [point.tags.get("phase") for point in read(lines, told)] == ["a", "c", None]
    assert [*lines.of({}, "mqtt", TS)] == []
    assert [*lines.of(dict.fromkeys(told), "mqtt", TS)] == []


def test_errors_that_are_over_are_said_to_be() -> None:
    lines = component_lines(DEVICE, "switch:2")
    assert read(lines, {"errors": ["overtemp", "overpower"]})[0].fields["errors"] == "overtemp,overpower"
    assert read(lines, {"errors": None})[0].fields == {"errors": "", "origin": "mqtt"}
    assert read(lines, {"output": True})[0].fields == {"output": True, "output_i": 1, "origin": "mqtt"}
    # A timer that is over has no start any more; a number cannot be empty.
    assert read(lines, {"timer_started_at": None, "timer_duration": None}) == []


@pytest.mark.parametrize(
    "text", ['say "on"', "a,b=c d", "two\nlines\r\nmore", "back\\slash\\", '\\"', "", "Küche 🔌", "{ts}{origin}%s%%"]
)
def test_text_of_any_kind_stays_in_its_field(text: str) -> None:
    (point,) = read(component_lines(DEVICE, "switch:0"), {"output": True, "source": text})
    assert point.fields["source"] == text.replace("\n", " ").replace("\r", " ")
    assert point.fields["output"] is True


def test_text_is_cut() -> None:
    (point,) = read(component_lines(DEVICE, "switch:0"), {"source": '"' * 1000, "errors": ["x"] * 1000})
    assert point.fields["source"] == '"' * MAX_TEXT
    assert len(point.fields["errors"]) == MAX_TEXT


@pytest.mark.parametrize("name", ["a,b=c d", "per%cent", "%s%(x)d", "ü", "x" * 300, "line\nfeed"])
def test_any_name_of_a_device_is_a_tag(name: str) -> None:
    lines = ComponentLines(name, "em", "0")
    told = fixture(METER, "Shelly.GetStatus")["em:0"]
    for _ in range(2):
        assert {point.tags["device"] for point in read(lines, told)} == {name[:MAX_TEXT].replace("\n", " ")}


def test_an_empty_tag_is_told_from_a_missing_one() -> None:
    assert escaped("") == "-"


@pytest.mark.parametrize(
    "key", ["em", "em:", "em:x", "em:٣", "em:00000", "sys:0", "switch", "wifi:1", "", ":", "script:1"]
)
def test_what_the_core_has_not_looked_at_makes_no_line(key: str) -> None:
    evil = "1 1\nevil,device=x"
    told = {"a_voltage": evil, "total_act": evil, "uptime": evil, "temperature": 5, "rssi": evil, "output": evil}
    assert made(component_lines(DEVICE, key), told) == []


def test_templates_are_bounded() -> None:
    """A device that tells other keys each time is served all the same."""
    lines = component_lines(DEVICE, "em:0")
    for extra in range(3 * MAX_TEMPLATES):
        told = {**_em(1.5), f"new_{extra}": 1}
        assert made(lines, told) == made(slow_lines("em:0"), told)
    assert len(lines._templates) == MAX_TEMPLATES


def _em(value: float) -> dict[str, Any]:
    names = ("current", "voltage", "act_power", "aprt_power", "pf", "freq")
    told = {f"{phase}_{name}": value for phase in PHASES for name in names}
    return {**told, **dict.fromkeys(("n_current", "total_current", "total_act_power", "total_aprt_power"), value)}


_numbers = st.none() | st.floats(-1e13, 1e13, allow_nan=False) | st.integers(-10, 10**13)
_texts = st.none() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3)
_keys = {
    "em:0": (tuple(_em(0.0)), ("a_errors", "n_errors", "errors", "user_calibrated_phase")),
    "emdata:0": (tuple(fixture(METER, "Shelly.GetStatus")["emdata:0"]), ("errors",)),
    "em1:2": (("voltage", "current", "act_power", "aprt_power", "pf", "freq", "id"), ("errors", "flags")),
    "em1data:2": (("total_act_energy", "total_act_ret_energy", "id"), ("errors",)),
    "temperature:100": (("tC", "tF", "id"), ("errors",)),
}


@st.composite
def _conversation(draw: st.DrawFn) -> tuple[str, list[Told]]:
    """A component, and what it tells frame by frame: keys in two orders, values that come and go."""
    key = draw(st.sampled_from(sorted(_keys)))
    numbers, texts = _keys[key]
    shapes = [draw(st.lists(st.sampled_from(numbers), unique=True)) for _ in range(2)]
    frames: list[Told] = []
    for _ in range(draw(st.integers(1, 6))):
        told: dict[str, Any] = {name: draw(_numbers) for name in draw(st.sampled_from(shapes))}
        if draw(st.integers(0, 3)) == 0:
            told |= {name: draw(_texts) for name in draw(st.lists(st.sampled_from(texts), unique=True))}
        frames.append(told)
    return key, frames


@given(_conversation())
@settings(max_examples=300, deadline=None)
def test_fast_and_slow_say_the_same(conversation: tuple[str, list[Told]]) -> None:
    key, frames = conversation
    quick = component_lines(DEVICE, key)
    for told in frames:
        lines = made(quick, told)
        assert lines == made(slow_lines(key), told)
        assert {stream for stream, _ in lines} <= {BY_NAME[point_of(text).measurement].stream for _, text in lines}
        numbers = [value for value in told.values() if type(value) in {int, float}]
        stored = [value for _, text in lines for value in point_of(text).fields.values() if type(value) is float]
        assert set(stored) <= set(map(float, numbers))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_every_digit(value: float) -> None:
    (point,) = read(component_lines(DEVICE, "temperature:0"), {"tC": value})
    assert point.fields["temperature"] == value


# Records and events.


def test_the_record_of_a_minute() -> None:
    frame = next(frame for frame in notification_frames(METER) if b'"data"' in frame)
    notification = decode(frame)
    assert isinstance(notification, Notification)
    (event,) = events(notification)
    (record,) = parse_event(event)
    found = points_of(text for _, text in record_lines(DEVICE, event.component, record, "mqtt"))
    assert {stream for stream, _ in record_lines(DEVICE, event.component, record, "mqtt")} == {Stream.COUNTERS}
    assert [point.tags.get("phase") for point in found] == ["a", "b", "c", None]
    assert {point.ts for point in found} == {1763989200000}
    assert found[0].fields["total_act_energy"] == 16.6932
    assert found[2].fields["min_act_power"] == -1902.2
    assert found[3].fields == {
        "max_n_current": 0.029, "min_n_current": 0.026, "avg_n_current": 0.027, "origin": "mqtt",
    }  # fmt: skip
    stored = sorted(value for point in found for value in point.fields.values() if type(value) is float)
    assert stored == sorted(json.loads(frame)["params"]["events"][0]["data"]["values"][0])


def test_the_record_of_a_single_phase() -> None:
    record = Record(1763989200, 60, {"total_act_energy": 1.5, "max_voltage": 240.0, "avg_current": 0.5})
    ((stream, text),) = record_lines(DEVICE, "em1data:1", record, "backfill")
    assert stream is Stream.COUNTERS
    assert point_of(text) == Point(
        "em1data_1m",
        {"channel": "1", "device": DEVICE},
        {"total_act_energy": 1.5, "max_voltage": 240.0, "avg_current": 0.5, "origin": "backfill"},
        1763989200000,
    )


def test_a_record_of_nothing_makes_no_line() -> None:
    assert [*record_lines(DEVICE, "emdata:0", Record(1763989200, 60, {}), "mqtt")] == []


def test_makers_of_records_are_kept_and_bounded() -> None:
    record = Record(1763989200, 60, {"a_total_act_energy": 1.5})
    points._records.cache_clear()
    for _ in range(3):
        assert [*record_lines(DEVICE, "emdata:0", record, "mqtt")]
    assert points._records.cache_info().misses == 1
    assert points._records.cache_info().maxsize == 2000


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


def test_each_measurement_of_a_component_is_made_by_some_fixture_or_record() -> None:
    """So that no measurement of the table is without a test above."""
    seen = {"em1data_1m", "emdata_1m", "emdata_1m_wide"}
    for name in FIXTURE_NAMES:
        for frame in frames_of(name):
            for key, told in frame.items():
                seen |= {point.measurement for point in read(component_lines(DEVICE, key), told)}
    kinds = {measurement.kind for measurement in MEASUREMENTS if measurement.kind is not None}
    assert seen - {"device"} == {measurement.name for kind in kinds for measurement in of_kind(kind)}
