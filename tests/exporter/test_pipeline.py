"""Nothing is acknowledged before it is on disk, and nothing is lost on the way there."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shelly_exporter import pipeline as module
from shelly_exporter.broker import Receipt
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.spool import Spool, SpoolError, SpoolFullError, Stream
from tests.exporter.held_spool import HeldSpool
from tests.stack.processes import wait_until

COMMIT_S = 0.005


def receipts(*mids: int) -> list[Receipt]:
    return [Receipt(1, mid) for mid in mids]


class Desk:
    """A pipeline with its spool, and what it has acknowledged by when."""

    def __init__(self, spool: Spool | None = None, commit_s: float = COMMIT_S) -> None:
        self.spool = HeldSpool()
        self.acknowledged: list[tuple[Receipt, int]] = []
        """Each receipt, and how many lines were on disk by then."""
        self.observed: list[float] = []
        self.pipeline = Pipeline(
            self.spool if spool is None else spool,
            commit_s=commit_s,
            acknowledge=self._acknowledge,
            observe=self.observed.append,
        )

    def _acknowledge(self, told: Iterable[Receipt]) -> None:
        self.acknowledged += [(receipt, len(self.spool.lines())) for receipt in told]

    @property
    def receipts(self) -> list[Receipt]:
        return [receipt for receipt, _ in self.acknowledged]

    async def acknowledged_all(self, *mids: int) -> None:
        await wait_until(lambda: self.receipts == receipts(*mids), 5, f"{mids} are acknowledged", interval_s=0.002)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.pipeline.run())
        try:
            yield task
        finally:
            self.spool.gate.set()
            await stopped(task)


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.01)


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
    monkeypatch.setattr(module, "MAX_HELD_BYTES", 1000)
    desk.spool.full = True
    async with desk.running():
        desk.pipeline.put(Stream.RAW, b"first a=1 1")
        await wait_until(lambda: desk.spool.refusals > 0, 5, "the spool refuses", interval_s=0.002)
        for _ in range(100):
            desk.pipeline.put(Stream.RAW, b"x" * 49 + b"\n" + b"y" * 50)
        assert desk.pipeline.traffic.given_up == 2 * 89
        desk.spool.full = False
        await desk.pipeline.safe()
    assert len(desk.spool.lines()) == 1 + 2 * 11
    assert desk.pipeline.traffic.lines == 1 + 2 * 11


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


async def test_flush_says_if_there_is_no_place(desk: Desk) -> None:
    desk.pipeline.put(Stream.RAW, b"em a=1 1")
    desk.pipeline.settle(Receipt(1, 1))
    desk.spool.full = True
    with pytest.raises(SpoolFullError):
        await desk.pipeline.flush()
    assert desk.acknowledged == []


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


async def test_any_other_trouble_ends_it(tmp_path: Path) -> None:
    """A spool that is not open takes nothing, ever: whoever runs the pipeline must know."""
    desk = Desk(Spool(tmp_path, max_bytes=1_000_000))
    desk.pipeline.put(Stream.RAW, b"em a=1 1")
    desk.pipeline.settle(Receipt(1, 1))
    with pytest.raises(SpoolError, match="not open"):
        async with asyncio.timeout(5):
            await desk.pipeline.run()
    assert desk.acknowledged == []


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
