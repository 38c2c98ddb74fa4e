"""Lines are the same whether a template makes them or not."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelly_exporter.points import MAX_TEMPLATES, component_lines
from shelly_exporter.spool import Stream
from tests.core.payloads import fixture
from tests.exporter.component_points import DEVICE, METER, TS, Told, even_em, made, read, slow_lines
from tests.exporter.stored_points import BY_NAME, point_of


def test_what_a_meter_tells_each_second_is_one_piece() -> None:
    """Of a hundred meters at 1 Hz, so that a piece for each line would be dear."""
    told = fixture(METER, "Shelly.GetStatus")["em:0"]
    del told["user_calibrated_phase"]
    lines = component_lines(DEVICE, "em:0")
    for _ in range(2):
        ((stream, text),) = lines.of(told, "mqtt", TS)
        assert (stream, text.count(b"\n")) == (Stream.RAW, 3)


@pytest.mark.parametrize("first", [None, 231.7])
def test_a_null_where_a_number_was_and_the_other_way_round(first: float | None) -> None:
    lines = component_lines(DEVICE, "em:0")
    told = fixture(METER, "Shelly.GetStatus")["em:0"]
    for voltage in (first, 231.7 if first is None else None, first):
        frame = {**told, "a_voltage": voltage}
        assert read(lines, frame)[0].fields.get("voltage") == voltage
        assert made(lines, frame) == made(slow_lines("em:0"), frame)


def test_a_phase_of_nothing_but_null_makes_no_line() -> None:
    told = {key: None if key.startswith("b_") else value for key, value in even_em(1.5).items()}
    lines = component_lines(DEVICE, "em:0")
    for _ in range(2):
        assert [point.tags.get("phase") for point in read(lines, told)] == ["a", "c", None]
    assert [*lines.of({}, "mqtt", TS)] == []
    assert [*lines.of(dict.fromkeys(told), "mqtt", TS)] == []


def test_templates_are_bounded() -> None:
    """A device that tells other keys each time is served all the same."""
    lines = component_lines(DEVICE, "em:0")
    for extra in range(3 * MAX_TEMPLATES):
        told = {**even_em(1.5), f"new_{extra}": 1}
        assert made(lines, told) == made(slow_lines("em:0"), told)
    assert len(lines._templates) == MAX_TEMPLATES


_numbers = st.none() | st.floats(-1e13, 1e13, allow_nan=False) | st.integers(-10, 10**13)


_texts = st.none() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3)


_keys = {
    "em:0": (tuple(even_em(0.0)), ("a_errors", "n_errors", "errors", "user_calibrated_phase")),
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
