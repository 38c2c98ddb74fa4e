"""Minutes that nobody told are fetched from the meters: which of them, and from where on."""

import json

from shelly_exporter.history.backfill import Backfill
from tests.exporter.history_stage import ID, Archive, Meter, archive
from tests.exporter.minutes import at, met, minute

KEY = f"{ID} emdata:0"


async def test_the_history_of_a_meter_begins_when_it_is_met() -> None:
    meter = Meter(ID, "emdata:0", "em1data:2", "em:0")
    async with archive(meter) as kept:
        assert (kept.history.state(), kept.history.missing()) == ({}, 0)
        await kept.history.fetch()
        assert (meter.asked, kept.spool.appends) == ([], [])
        assert {name: entry["begin"] for name, entry in kept.history.state().items()} == {
            f"{ID} em1data:2": minute(0),
            KEY: minute(0),
        }
        kept.now = at(2.6)
        assert kept.history.missing() == 4


async def test_what_is_missing_is_fetched_page_by_page_and_told_to_be_fetched() -> None:
    meter = Meter(ID, "emdata:0", "em1data:2")
    async with archive(meter) as kept:
        await kept.met(8.6)
        await kept.history.fetch()
        assert meter.asked == [("emdata:0", 0, 8), ("emdata:0", 6, 8), ("em1data:2", 0, 8), ("em1data:2", 6, 8)]
        assert kept.history.missing() == 0
        phase = [point for point in kept.points if point.measurement == "emdata_1m"]
        assert [(point.tags["phase"], point.ts, point.fields["total_act_energy"]) for point in phase] == [
            ("a", minute(number) * 1000, float(number)) for number in range(8)
        ]
        single = [point for point in kept.points if point.measurement == "em1data_1m"]
        assert [(point.tags["channel"], point.ts, point.fields) for point in single] == [
            ("2", minute(number) * 1000, {"total_act_energy": float(number), "origin": "backfill"})
            for number in range(8)
        ]
        asked = len(meter.asked)
        await kept.history.fetch()
        assert len(meter.asked) == asked


async def test_of_a_meter_met_for_the_first_time_what_is_not_too_old_is_fetched() -> None:
    meter = Meter()
    async with archive(meter, overlap_s=180.0) as kept:
        await kept.history.fetch()
        assert meter.asked == [("emdata:0", -3, 0)]


async def test_a_minute_that_was_told_is_not_fetched() -> None:
    meter = Meter()
    async with archive(meter) as kept:
        await kept.met(4.6)
        kept.history.take(ID, "emdata:0", minute(1))
        kept.history.take(ID, "em1data:0", minute(2))
        kept.history.take("nobody", "emdata:0", minute(2))
        assert kept.history.missing() == 3
        await kept.history.fetch()
        assert meter.asked == [("emdata:0", 0, 1), ("emdata:0", 2, 4)]
        assert list(kept.history.state()) == [KEY]


async def test_it_goes_on_from_its_state() -> None:
    before = met()
    before.stored(minute(0))
    state = json.loads(json.dumps({KEY: before.state()}))
    meter = Meter()
    async with archive(meter, state=state) as kept:
        assert kept.history.state() == state
        kept.now = at(3.6)
        await kept.history.fetch()
        assert meter.asked == [("emdata:0", 1, 3)]
        saved = json.loads(json.dumps(kept.history.state()))
    async with archive(meter, state=saved) as kept:
        kept.now = at(5.6)
        await kept.history.fetch()
        assert meter.asked[1:] == [("emdata:0", 3, 5)]


def test_what_makes_no_sense_in_a_state_is_left_out() -> None:
    good = met().state()
    state = {KEY: good, f"{ID} em1data:1": 7, f"{ID} switch:0": good, ID: good, f"{ID} em1data:2": {"begin": "x"}}
    assert Archive(state=state).history.state() == {KEY: good, f"{ID} em1data:2": Backfill().state()}
