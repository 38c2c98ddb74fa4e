"""Records of minutes become lines, each of its minute."""

import json

from shelly_core import Notification, Record, parse_event
from shelly_core.frame import decode, events
from shelly_exporter import points
from shelly_exporter.points import record_lines
from shelly_exporter.spool import Stream
from tests.core.payloads import notification_frames
from tests.exporter.component_points import DEVICE, METER
from tests.exporter.stored_points import Point, point_of, points_of


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
