"""The minutes that a meter keeps: what it has, in pages, oldest first, for sixty days."""

from collections import deque
from typing import Any

import pytest

from tests.fidelity.conftest import RunFleet
from tests.fidelity.devices import Bench, bench
from tests.fidelity.raw_http import get
from tests.simulator.meter import KEPT_RECORDS, Record
from tests.simulator.methods_records import MAX_TS, PAGE
from tests.simulator.rpc import RpcFault

BEGIN = 1_790_000_040
COMPONENTS = [("pro3em", "EMData", "emdata:0"), ("pro3em-mono", "EM1Data", "em1data:1")]


def after(minutes: float, model: str = "pro3em") -> Bench:
    """A meter that has been on for some minutes and half a second."""
    found = bench(model)
    found.run(60 * minutes + 1)
    return found


def minutes_of(answer: dict[str, Any]) -> list[int]:
    return [block["ts"] + turn * block["period"] for block in answer["data"] for turn in range(len(block["values"]))]


def all_pages(found: Bench, space: str, number: int, **params: Any) -> list[dict[str, Any]]:
    pages = [found.call(f"{space}.GetData", id=number, **({"ts": 0} | params))]
    while (next_ts := pages[-1].get("next_record_ts")) is not None:
        pages.append(found.call(f"{space}.GetData", id=number, **(params | {"ts": next_ts})))
    return pages


@pytest.mark.parametrize(("model", "space", "key"), COMPONENTS)
def test_pages_hold_what_the_events_told(model: str, space: str, key: str) -> None:
    found = after(20, model)
    number = int(key[-1])
    pages = all_pages(found, space, number)
    assert [len(minutes_of(page)) for page in pages] == [PAGE, PAGE, PAGE, 2]
    assert [page.get("next_record_ts") for page in pages] == [BEGIN + 60 * PAGE * turn for turn in (1, 2, 3)] + [None]
    assert "next_record_ts" not in pages[-1]
    told = [event["data"] for event in found.events("data") if event["component"] == key]
    assert [minute for page in pages for minute in minutes_of(page)] == [block["ts"] for block in told]
    rows = [row for page in pages for block in page["data"] for row in block["values"]]
    assert rows == [block["values"][0] for block in told]
    assert {len(row) for row in rows} == {len(pages[0]["keys"])} == {51 if space == "EMData" else 14}


def test_channels_keep_their_own() -> None:
    found = after(3, "pro3em-mono")
    rows = [found.call("EM1Data.GetData", id=number, ts=0)["data"][0]["values"] for number in range(3)]
    assert len({str(row) for row in rows}) == 3


def test_a_page_begins_and_ends_where_it_was_asked_to() -> None:
    found = after(20)
    assert minutes_of(found.call("EMData.GetData", id=0, ts=BEGIN + 61))[0] == BEGIN + 120
    asked = found.call("EMData.GetData", id=0, ts=BEGIN + 60, end_ts=BEGIN + 180, add_keys=False)
    assert minutes_of(asked) == [BEGIN + 60, BEGIN + 120, BEGIN + 180]
    assert asked.keys() == {"data"}
    assert minutes_of(found.call("EMData.GetData", id=0, ts=BEGIN, end_ts=BEGIN + 60 * 5)) == [
        BEGIN + 60 * turn for turn in range(6)
    ]
    (_, last) = all_pages(found, "EMData", 0, ts=BEGIN, end_ts=BEGIN + 60 * 6)
    assert minutes_of(last) == [BEGIN + 360]
    for ts, end_ts in ((BEGIN + 3600, MAX_TS), (0, BEGIN - 1), (BEGIN + 60, BEGIN)):
        nothing = found.call("EMData.GetData", id=0, ts=ts, end_ts=end_ts)
        assert (nothing["data"], list(nothing)) == ([], ["keys", "data"])
    assert found.call("EMData.GetRecords", id=0, ts=BEGIN + 3600) == {"data_blocks": []}


def test_the_minute_in_progress_is_in_no_page() -> None:
    found = bench("pro3em")
    found.run(59)
    assert found.call("EMData.GetData", id=0, ts=0)["data"] == []
    found.run(1)
    assert minutes_of(found.call("EMData.GetData", id=0, ts=0)) == [BEGIN]


def test_without_power_there_is_no_record() -> None:
    found = after(3)
    found.device.power_off()
    found.clock.move(300)
    found.device.boot()
    found.run(121)
    assert found.call("EMData.GetRecords", id=0) == {
        "data_blocks": [
            {"ts": BEGIN, "period": 60, "records": 3},
            {"ts": BEGIN + 480, "period": 60, "records": 2},
        ]
    }
    assert found.call("EMData.GetRecords", id=0, ts=BEGIN + 120)["data_blocks"][0] == {
        "ts": BEGIN + 120, "period": 60, "records": 1,
    }  # fmt: skip
    (page,) = all_pages(found, "EMData", 0)
    assert [(block["ts"], len(block["values"])) for block in page["data"]] == [(BEGIN, 3), (BEGIN + 480, 2)]


def test_minutes_of_a_clock_that_was_not_set_come_between_the_blocks_but_first_in_the_pages() -> None:
    found = after(2)
    found.device.power_off()
    found.device.device_clock.synced = False
    found.device.boot()
    found.run(200)
    found.device.settle()
    found.device.device_clock.synced = True
    found.run(130)
    blocks = found.call("EMData.GetRecords", id=0)["data_blocks"]
    starts = [block["ts"] for block in blocks]
    assert starts[0] == BEGIN
    assert starts[1] < 300
    assert starts[-1] > BEGIN
    pages = [minute for page in all_pages(found, "EMData", 0) for minute in minutes_of(page)]
    assert pages == sorted(pages)
    assert len(pages) == sum(block["records"] for block in blocks)
    assert all(minute >= BEGIN for page in all_pages(found, "EMData", 0, ts=BEGIN) for minute in minutes_of(page))


def test_sixty_days_are_kept() -> None:
    found = after(0)
    meter = found.device.meter
    assert meter is not None
    assert (meter.records.maxlen, KEPT_RECORDS) == (86_400, 86_400)
    template = after(1).device.meter
    assert template is not None
    meter.records = deque(
        (Record(ts, template.records[0].phases, template.records[0].neutral) for ts in range(0, 60 * 90_000, 60)),
        maxlen=KEPT_RECORDS,
    )
    assert found.call("EMData.GetRecords", id=0)["data_blocks"] == [{"ts": 60 * 3600, "period": 60, "records": 86_400}]
    oldest = found.call("EMData.GetData", id=0, ts=0)
    assert minutes_of(oldest)[0] == 60 * 3600
    found.call("EMData.DeleteAllData", id=0)
    assert found.call("EMData.GetRecords", id=0) == {"data_blocks": []}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"id": 0}, (-103, "Missing required argument 'ts'!")),
        ({"ts": 0}, (-103, "Missing required argument 'id'!")),
        ({"id": 1, "ts": 0}, (-105, "Argument 'id', value 1 not found!")),
        ({"id": 0, "ts": -1}, (-103, "Invalid argument 'ts'!")),
        ({"id": 0, "ts": 0, "end_ts": "x"}, (-103, "Invalid argument 'end_ts'!")),
        ({"id": 0, "ts": 0, "add_keys": 1}, (-103, "Invalid argument 'add_keys'!")),
    ],
)
def test_wrong_arguments_are_refused(params: dict[str, Any], expected: tuple[int, str]) -> None:
    with pytest.raises(RpcFault) as refused:
        bench("pro3em").call("EMData.GetData", **params)
    assert (refused.value.code, refused.value.message) == expected


@pytest.mark.parametrize(("model", "space", "_"), COMPONENTS)
def test_only_the_active_profile_has_the_methods(model: str, space: str, _: str) -> None:
    methods = {"EMData.GetData", "EMData.GetRecords", "EM1Data.GetData", "EM1Data.GetRecords"}
    own = {f"{space}.GetData", f"{space}.GetRecords"}
    assert methods & set(bench(model).call("Shelly.ListMethods")["methods"]) == own
    assert not methods & set(bench("pro3").call("Shelly.ListMethods")["methods"])


async def test_a_page_over_http_is_three_kilobytes(run_fleet: RunFleet) -> None:
    fleet = await run_fleet("pro3em")
    unit = fleet.unit("pro3em")
    history = after(10).device.meter
    assert history is not None
    assert unit.device.meter is not None
    unit.device.meter.records.extend(history.records)
    answer = await get(unit.http.port, f"/rpc/EMData.GetData?id=0&ts={BEGIN}&end_ts={BEGIN + 900}&add_keys=true")
    assert (answer.code, minutes_of(answer.json)) == (200, [BEGIN + 60 * turn for turn in range(PAGE)])
    assert 2_800 < len(answer.body) < 3_800
