"""Meters of which no history can be had, for now or in part: they are left alone, and cost the others nothing."""

import asyncio

import pytest
from structlog.testing import capture_logs

from shelly_core import Json
from tests.exporter.history_stage import ID, Meter, archive
from tests.exporter.minutes import at, minute

OTHER = "shellypro3em-0cb815fcaf3c"


@pytest.mark.parametrize(("name", "value"), [("held", False), ("available", False), ("wrong_clock", True)])
async def test_who_is_asked_by_others_is_away_or_has_a_wrong_clock_is_not_asked(name: str, value: bool) -> None:
    meter, other = Meter(), Meter(OTHER)
    async with archive(meter, other) as kept:
        await kept.met(2.6)
        setattr(meter, name, value)
        await kept.history.fetch()
        assert (meter.asked, other.asked) == ([], [("emdata:0", 0, 2)])
        assert kept.history.missing() == 2
        setattr(meter, name, not value)
        await kept.history.fetch()
        assert meter.asked == [("emdata:0", 0, 2)]


async def test_the_history_of_a_meter_does_not_begin_with_a_wrong_clock() -> None:
    meter = Meter()
    meter.wrong_clock = True
    async with archive(meter) as kept:
        await kept.history.fetch()
        assert kept.history.state() == {}


async def test_a_meter_that_refuses_is_asked_again_next_time() -> None:
    meter, other = Meter(ID, "em1data:0", "em1data:1"), Meter(OTHER)
    async with archive(meter, other) as kept:
        await kept.met(2.6)
        meter.refuses = {"em1data:0"}
        with capture_logs() as logs:
            await kept.history.fetch()
        assert meter.asked == [("em1data:0", 0, 2)], "the rest of it would be refused as well"
        assert other.asked == [("emdata:0", 0, 2)]
        assert [(entry["log_level"], entry["event"], entry["device"]) for entry in logs] == [
            ("debug", "No history", ID),
            ("info", "Fetched history", OTHER),
        ]
        assert logs[0]["reason"] == "EM1Data.GetData: no data (-114)"
        meter.refuses = set()
        await kept.history.fetch()
        assert meter.asked[1:] == [("em1data:0", 0, 2), ("em1data:1", 0, 2)]
        assert kept.history.missing() == 0


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"data": [{"ts": "x", "period": 60, "values": []}]},
        {"keys": ["total_act_energy"], "data": [{"ts": minute(0), "period": 60, "values": [[1.0, 2.0]]}]},
    ],
)
async def test_an_answer_that_makes_no_sense_keeps_nothing(answer: Json) -> None:
    meter = Meter()
    async with archive(meter) as kept:
        await kept.met(2.6)
        meter.answers = {"emdata:0": answer}
        await kept.history.fetch()
        assert (len(meter.asked), kept.spool.appends, kept.history.missing()) == (1, [], 2)


async def test_what_a_meter_does_not_have_is_not_asked_for_again() -> None:
    meter = Meter()
    async with archive(meter) as kept:
        await kept.met(2.6)
        meter.answers = {"emdata:0": {"keys": [], "data": []}}
        await kept.history.fetch()
        await kept.history.fetch()
        assert (len(meter.asked), kept.points, kept.history.missing()) == (1, [], 0)


async def test_all_meters_are_asked_at_once() -> None:
    meters = [Meter(f"shellypro3em-{number:012x}") for number in range(5)]
    async with archive(*meters) as kept:
        await kept.history.fetch()
        kept.now = at(20.6)
        fetching = asyncio.create_task(kept.history.fetch())
        await asyncio.sleep(0)  # the round
        await asyncio.sleep(0)  # each meter of it
        assert [len(meter.asked) for meter in meters] == [1] * 5, "nobody waits for the second page of another"
        await fetching
        assert kept.history.missing() == 0
        assert len(kept.points) == 5 * 20
