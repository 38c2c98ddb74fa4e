"""Whatever comes as a minute of history is a sound record or a `FrameError`."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shelly_core import Event, FrameError
from shelly_core.records import FIELDS, FIRST_TS, parse_data, parse_event, parse_records
from tests.core.shapes import any_json, mutated
from tests.core.test_records import MONO, TRI, TS, block, event, page


def assert_sound(told: Any) -> None:
    """What holds for all that is returned, whatever came in: an event or the answer to GetData."""
    try:
        records = parse_event(told) if isinstance(told, Event) else parse_data(told)[0]
    except FrameError:
        return
    names = {name for fields in FIELDS.values() for name in fields}
    for record in records:
        assert type(record.ts) is int
        assert record.ts >= FIRST_TS
        assert record.values.keys() <= names
        assert all(type(value) is float and abs(value) < 1e9 for value in record.values.values())


@given(any_json, st.sampled_from(["emdata:0", "em1data:0", "em:0", "", "emdata:x"]))
def test_any_json_is_a_record_or_a_frame_error(data: Any, component: str) -> None:
    assert_sound(event(data, component))
    assert_sound(data)


GOOD_EVENT: dict[str, Any] = block(MONO)
GOOD_PAGE: dict[str, Any] = page(block(TRI, TRI), keys=list(FIELDS["emdata"]), next_record_ts=TS + 120)
GOOD_BLOCKS: dict[str, Any] = {"data_blocks": [{"ts": TS, "period": 60, "records": 6}]}


@given(mutated(GOOD_EVENT), mutated(GOOD_PAGE), mutated(GOOD_BLOCKS))
def test_nearly_right_is_sound_or_a_frame_error(told: Any, answer: Any, listed: Any) -> None:
    assert_sound(event(told))
    assert_sound(answer)
    try:
        blocks = parse_records(listed)
    except FrameError:
        return
    assert all(found.ts >= FIRST_TS and found.records >= 0 and found.period_s > 0 for found in blocks)
