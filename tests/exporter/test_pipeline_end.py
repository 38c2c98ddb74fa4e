"""Waiting until all is on disk, and the end."""

import asyncio

import pytest

from shelly_exporter.broker import Receipt
from shelly_exporter.spool import SpoolFullError, Stream
from tests.exporter.pipeline_desk import Desk, receipts


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_safe_is_when_all_before_is_on_disk(desk: Desk) -> None:
    desk.spool.gate.clear()
    async with desk.running():
        desk.pipeline.put(Stream.RAW, b"em a=1 1")
        waits = [asyncio.create_task(desk.pipeline.safe()) for _ in range(2)]
        await asyncio.to_thread(desk.spool.begun.wait, 5)
        assert not any(wait.done() for wait in waits)
        later = asyncio.create_task(desk.pipeline.safe())
        await asyncio.sleep(0)
        # Who does not wait any longer keeps nobody else from it.
        waits[0].cancel()
        desk.spool.gate.set()
        async with asyncio.timeout(5):
            await waits[1]
            assert desk.spool.lines() == [b"em a=1 1"]
            await later
    assert waits[0].cancelled()


async def test_safe_returns_although_there_is_nothing(desk: Desk) -> None:
    async with desk.running(), asyncio.timeout(5):
        await desk.pipeline.safe()
    assert desk.spool.appends == []


async def test_flush_commits_what_is_left() -> None:
    desk = Desk(commit_s=3600)
    async with desk.running():
        desk.pipeline.put(Stream.RAW, b"em a=1 1")
        desk.pipeline.settle(Receipt(1, 1))
        await asyncio.sleep(0)
    assert desk.acknowledged == []
    await desk.pipeline.flush()
    assert desk.acknowledged == [(Receipt(1, 1), 1)]
    await desk.pipeline.flush()
    assert len(desk.spool.appends) == 1


async def test_a_cancellation_waits_for_the_append(desk: Desk) -> None:
    """Nobody else may append while the thread is at it, and what it has kept must not be written as new lines."""
    desk.spool.gate.clear()
    async with desk.running() as task:
        desk.pipeline.put(Stream.RAW, b"em a=1 1")
        desk.pipeline.settle(Receipt(1, 1))
        await asyncio.to_thread(desk.spool.begun.wait, 5)
        task.cancel()
        await asyncio.sleep(0.02)
        assert not task.done()
        desk.spool.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert desk.spool.lines() == [b"em a=1 1"]
    assert desk.acknowledged == []
    # Twice is as good as once; not at all would be a loss.
    await desk.pipeline.flush()
    assert desk.receipts == receipts(1)
    assert set(desk.spool.lines()) == {b"em a=1 1"}
    assert desk.spool.most_at_once == 1


async def test_a_refusal_during_a_cancellation_is_no_surprise(desk: Desk) -> None:
    """The event loop would complain of an exception that nobody has looked at."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    desk.spool.full = True
    desk.spool.gate.clear()
    async with desk.running() as task:
        desk.pipeline.put(Stream.RAW, b"em a=1 1")
        await asyncio.to_thread(desk.spool.begun.wait, 5)
        task.cancel()
        desk.spool.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    with pytest.raises(SpoolFullError):
        await desk.pipeline.flush()
    assert complaints == []
