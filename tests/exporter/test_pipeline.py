"""Nothing is acknowledged before it is on disk, and nothing is lost on the way there."""

import asyncio
from pathlib import Path

import pytest

from shelly_exporter.broker import Receipt
from shelly_exporter.spool import Spool, Stream
from tests.exporter.pipeline_desk import COMMIT_S, Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_what_comes_together_is_committed_together(desk: Desk) -> None:
    async with desk.running():
        for mid in range(1, 6):
            desk.pipeline.put(Stream.RAW, b"em a=%d 1\nem b=1 1" % mid)
            desk.pipeline.settle(Receipt(1, mid))
        desk.pipeline.put(Stream.COUNTERS, b"emdata a=1 1")
        await desk.acknowledged_all(1, 2, 3, 4, 5)
        await asyncio.sleep(5 * COMMIT_S)
    # Neither is anything committed again, nor is nothing.
    await desk.pipeline.flush()
    (append,) = desk.spool.appends
    assert append[Stream.RAW] == [b"em a=%d 1\nem b=1 1" % mid for mid in range(1, 6)]
    assert append[Stream.COUNTERS] == [b"emdata a=1 1"]
    assert (desk.pipeline.traffic.commits, desk.pipeline.traffic.lines) == (1, 11)
    assert desk.observed == [desk.pipeline.traffic.commit_s] != [0.0]


async def test_nothing_is_acknowledged_before_it_is_appended(desk: Desk) -> None:
    desk.spool.gate.clear()
    async with desk.running():
        desk.pipeline.put(Stream.RAW, b"em a=1 1")
        desk.pipeline.settle(Receipt(1, 1))
        await asyncio.to_thread(desk.spool.begun.wait, 5)
        # What comes meanwhile is of the next commit.
        desk.pipeline.put(Stream.RAW, b"em a=2 2")
        desk.pipeline.settle(Receipt(1, 2))
        await asyncio.sleep(5 * COMMIT_S)
        assert desk.acknowledged == []
        desk.spool.gate.set()
        await desk.acknowledged_all(1, 2)
    assert desk.acknowledged == [(Receipt(1, 1), 1), (Receipt(1, 2), 2)]
    assert [append[Stream.RAW] for append in desk.spool.appends] == [[b"em a=1 1"], [b"em a=2 2"]]
    assert desk.spool.most_at_once == 1


async def test_a_message_without_lines_is_acknowledged_as_well(desk: Desk) -> None:
    async with desk.running():
        desk.pipeline.settle(None)
        desk.pipeline.settle(Receipt(1, 7))
        await desk.acknowledged_all(7)
    assert desk.spool.appends == []


async def test_nothing_is_done_without_anything_to_do(desk: Desk) -> None:
    async with desk.running():
        desk.pipeline.settle(None)
        await asyncio.sleep(10 * COMMIT_S)
    await desk.pipeline.flush()
    assert (desk.pipeline.traffic.commits, desk.acknowledged) == (0, [])


async def test_with_a_real_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1_000_000)
    spool.open()
    desk = Desk(spool)
    async with desk.running():
        desk.pipeline.put(Stream.RAW, b"em a=1 1\nem a=2 2")
        desk.pipeline.put(Stream.COUNTERS, b"emdata a=1 1")
        desk.pipeline.settle(Receipt(1, 1))
        await desk.acknowledged_all(1)
        batch = spool.read(Stream.RAW, 100)
        assert batch is not None
        assert (batch.body, batch.lines) == (b"em a=1 1\nem a=2 2", 2)
    spool.close()
