"""How often and how much of a meter's history is fetched, and that it counts only when it is on disk."""

import asyncio
from contextlib import suppress

import pytest

from shelly_exporter.history import FIRST_S, PAGES, ROUND_S
from tests.core.virtual_time import virtual_time
from tests.exporter.history_stage import ID, PAGE, Archive, Meter, archive
from tests.exporter.minutes import minute
from tests.stack.processes import wait_until


async def test_a_minute_counts_only_when_it_is_on_disk() -> None:
    meter = Meter()
    async with archive(meter) as kept:
        await kept.met(8.6)
        before = kept.history.state()
        kept.spool.gate.clear()
        fetching = asyncio.create_task(kept.history.fetch())
        await wait_until(kept.spool.begun.is_set, 10, "the first page is being written")
        assert not fetching.done()
        assert meter.asked == [("emdata:0", 0, 8)], "nothing more is asked for meanwhile"
        assert (kept.history.state(), kept.history.missing()) == (before, 8)
        kept.spool.gate.set()
        await fetching
        assert kept.history.missing() == 0


async def test_what_was_fetched_and_did_not_reach_the_disk_is_fetched_again() -> None:
    meter = Meter()
    async with archive(meter) as kept:
        await kept.met(2.6)
        kept.spool.full = True
        fetching = asyncio.create_task(kept.history.fetch())
        await wait_until(lambda: kept.spool.refusals > 0, 10, "the spool refuses")
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert kept.history.missing() == 2


async def test_a_round_is_a_few_pages_of_each_meter() -> None:
    meter = Meter()
    async with archive(meter) as kept:
        await kept.met(200.6)
        await kept.history.fetch()
        assert len(meter.asked) == PAGES
        assert kept.history.missing() == 200 - PAGES * PAGE
        await kept.history.fetch()
        assert kept.history.missing() == 0
        assert [point.ts for point in kept.points] == [minute(number) * 1000 for number in range(200)]


@virtual_time
async def test_it_looks_often_for_a_first_meter_and_then_now_and_then() -> None:
    kept = Archive(overlap_s=180.0)
    loop = asyncio.get_running_loop()
    begun, meter, asked_at = loop.time(), Meter(), []
    meter.refuses = {"emdata:0"}
    running = asyncio.create_task(kept.history.run())
    await asyncio.sleep(FIRST_S * 2.5)
    kept.workers[ID] = meter
    while len(meter.asked) < 3:
        before = len(meter.asked)
        await asyncio.sleep(0.25)
        asked_at += [round(loop.time() - begun)] * (len(meter.asked) - before)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert asked_at == [3 * FIRST_S, 3 * FIRST_S + ROUND_S, 3 * FIRST_S + 2 * ROUND_S]
