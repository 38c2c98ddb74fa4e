"""A spool that is full: nothing is lost that memory can hold, and nothing is acknowledged."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shelly_exporter import pipeline as module
from shelly_exporter.broker import Receipt
from shelly_exporter.spool import Spool, SpoolError, SpoolFullError, Stream
from tests.exporter.pipeline_desk import Desk, receipts
from tests.stack.processes import wait_until


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.01)


@pytest.mark.usefixtures("impatient")
async def test_a_full_spool_is_tried_again_and_acknowledged_later(desk: Desk) -> None:
    desk.spool.full = True
    with capture_logs() as logs:
        async with desk.running():
            desk.pipeline.put(Stream.COUNTERS, b"emdata a=1 1")
            desk.pipeline.settle(Receipt(1, 1))
            await wait_until(lambda: desk.spool.refusals >= 3, 5, "it tries again", interval_s=0.002)
            assert desk.pipeline.problem == "no room"
            desk.pipeline.put(Stream.COUNTERS, b"emdata a=2 2")
            desk.pipeline.settle(Receipt(1, 2))
            assert (desk.acknowledged, desk.pipeline.traffic.commits) == ([], 0)
            desk.spool.full = False
            await desk.acknowledged_all(1, 2)
            assert desk.pipeline.problem is None
    assert desk.spool.lines(Stream.COUNTERS) == [b"emdata a=1 1", b"emdata a=2 2"]
    # Said once, not each second.
    assert [entry["log_level"] for entry in logs] == ["error", "info"]
    assert logs[0]["reason"] == "no room"


@pytest.mark.usefixtures("impatient")
async def test_memory_is_bounded_while_the_spool_is_full(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD_BYTES", {Stream.RAW: 1000, Stream.COUNTERS: 2000})
    desk.spool.full = True
    async with desk.running():
        desk.pipeline.put(Stream.RAW, b"first a=1 1")
        await wait_until(lambda: desk.spool.refusals > 0, 5, "the spool refuses", interval_s=0.002)
        for _ in range(100):
            desk.pipeline.put(Stream.RAW, b"x" * 49 + b"\n" + b"y" * 50)
        assert desk.pipeline.traffic.given_up == 2 * 89
        desk.pipeline.put(Stream.COUNTERS, b"emdata a=1 1")
        assert desk.pipeline.traffic.given_up == 2 * 89, "counters have room left"
        desk.spool.full = False
        await desk.pipeline.safe()
    assert len(desk.spool.lines()) == 1 + 2 * 11
    assert desk.pipeline.traffic.lines == 2 + 2 * 11


@pytest.mark.usefixtures("impatient")
async def test_safe_waits_for_a_spool_that_is_full(desk: Desk) -> None:
    desk.spool.full = True
    async with desk.running():
        desk.pipeline.put(Stream.RAW, b"em a=1 1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await desk.pipeline.safe()
        desk.spool.full = False
        async with asyncio.timeout(5):
            await desk.pipeline.safe()


async def test_flush_says_if_there_is_no_place(desk: Desk) -> None:
    desk.pipeline.put(Stream.RAW, b"em a=1 1")
    desk.pipeline.settle(Receipt(1, 1))
    desk.spool.full = True
    with pytest.raises(SpoolFullError):
        await desk.pipeline.flush()
    assert desk.acknowledged == []


async def test_what_was_refused_is_left_to_flush_after_a_cancellation(desk: Desk) -> None:
    desk.spool.full = True
    async with desk.running():
        desk.pipeline.put(Stream.RAW, b"em a=1 1")
        desk.pipeline.settle(Receipt(1, 1))
        await wait_until(lambda: desk.pipeline.problem is not None, 5, "the spool refuses", interval_s=0.002)
        desk.pipeline.put(Stream.RAW, b"em a=2 2")
        desk.pipeline.settle(Receipt(1, 2))
    desk.spool.full = False
    await desk.pipeline.flush()
    assert desk.spool.lines() == [b"em a=1 1", b"em a=2 2"]
    assert desk.receipts == receipts(1, 2)


async def test_any_other_trouble_ends_it(tmp_path: Path) -> None:
    """A spool that is not open takes nothing, ever: whoever runs the pipeline must know."""
    desk = Desk(Spool(tmp_path, max_bytes=1_000_000))
    desk.pipeline.put(Stream.RAW, b"em a=1 1")
    desk.pipeline.settle(Receipt(1, 1))
    with pytest.raises(SpoolError, match="not open"):
        async with asyncio.timeout(5):
            await desk.pipeline.run()
    assert desk.acknowledged == []
