"""The minutes in the fixtures and in the captures of real devices."""

import orjson
import pytest

from shelly_core import Notification
from shelly_core.frame import decode, events
from shelly_core.records import FIELDS, Block, parse_data, parse_event, parse_records
from shelly_core.validation import limits_for
from tests.core.payloads import CAPTURE_NAMES, CAPTURES, FIXTURE_NAMES, capture, needs_captures, notification_frames


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_the_minutes_of_the_fixtures(name: str) -> None:
    listed = [decode(frame) for frame in notification_frames(name)]
    told = [
        found for one in listed if isinstance(one, Notification) and "events" in one.params for found in events(one)
    ]
    for found in told:
        if found.event == "data":
            (record,) = parse_event(found)
            assert (record.ts, record.rejections) == (found.ts, ())


def record_names() -> list[str]:
    return [name for name in CAPTURE_NAMES if name.startswith("EMData.GetData")]


@needs_captures
def test_captures_of_pages() -> None:
    assert len(record_names()) == 2
    for name in record_names():
        raw = capture(name)
        records, next_ts = parse_data(raw, limits_for(120.0))
        assert next_ts == raw.get("next_record_ts")
        rows = [row for found in raw["data"] for row in found["values"]]
        assert [list(record.values.values()) for record in records] == rows
        assert [tuple(record.values) for record in records] == [FIELDS["emdata"]] * len(rows)
        assert tuple(raw["keys"]) == FIELDS["emdata"]
        assert {record.rejections for record in records} == {()}
        first = int(name.rpartition("_")[2].removesuffix(".json"))
        assert [record.ts for record in records] == [first + 60 * turn for turn in range(len(rows))]


@needs_captures
@pytest.mark.parametrize("number", [0, 2])
def test_captures_of_events(number: int) -> None:
    notification = decode((CAPTURES / f"mqtt_events_rpc_NotifyEvent_em1data{number}.json").read_bytes())
    assert isinstance(notification, Notification)
    (told,) = events(notification)
    (record,) = parse_event(told)
    assert (record.ts, record.period_s) == (told.ts, 60)
    assert tuple(record.values) == FIELDS["em1data"]
    assert 230 < record.values["avg_voltage"] < 240


@needs_captures
def test_captures_of_rows_of_a_file() -> None:
    """The same columns as in a page, one of them with more energy in the fundamental wave than in all."""
    for name, kind in (("em1data_csv_row_proem.csv", "em1data"), ("emdata0_csv_row_2022.csv", "emdata")):
        head, row = ((CAPTURES / name).read_text().splitlines())[:2]
        ts, *values = orjson.loads(f"[{row}]")
        assert head.split(",") == ["timestamp", *FIELDS[kind]]
        (record,), _ = parse_data({"data": [{"ts": ts, "period": 60, "values": [values]}]})
        assert (list(record.values.values()), record.rejections) == (values, ())


@needs_captures
def test_captures_of_blocks() -> None:
    assert parse_records(capture("docs_EMData.GetRecords.json")) == (
        Block(1_657_739_460, 60, 1),
        Block(1_657_739_580, 60, 2),
    )
