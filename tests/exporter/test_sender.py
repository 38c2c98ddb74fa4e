"""The sender between a real spool and a store that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from shelly_exporter.sender import BACKLOG_BYTES, MAX_RETRY_AFTER_S, Sender
from shelly_exporter.settings import Target as Settings
from shelly_exporter.spool import Spool, SpoolError, Stream
from shelly_exporter.targets import Denied, Missing, Refused, Unavailable
from tests.stack.processes import wait_until

SETTINGS = Settings(bucket="raw", rollup_bucket="rollups", batch_s=0.01, batch_lines=10)


class FakeTarget:
    """Takes every line but those with `bad` in them; raises what is in `faults`, one for each call, first."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.prepared = 0
        self.complaints: tuple[str, ...] = ()
        self.faults: list[Exception | None] = []
        self.preparation_faults: list[Exception] = []
        self.held: asyncio.Event | None = None
        """While not set, nothing is answered."""

    async def prepare(self) -> tuple[str, ...]:
        self.prepared += 1
        if self.preparation_faults:
            raise self.preparation_faults.pop(0)
        return self.complaints

    async def write(self, bucket: str, body: bytes) -> None:
        if self.held is not None:
            await self.held.wait()
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault
        if b"bad" in body:
            raise Refused("bad line")
        self.bodies.append((bucket, body))

    async def read_back(self, bucket: str, measurement: str, tag: tuple[str, str], ts_ms: int) -> dict[str, Any] | None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    def lines(self, bucket: str) -> list[bytes]:
        return [line for name, body in self.bodies if name == bucket for line in body.split(b"\n")]


class Letters:
    def __init__(self) -> None:
        self.kept: list[tuple[str, list[bytes]]] = []
        self.fault: Exception | None = None

    def add(self, reason: str, lines: Sequence[bytes]) -> None:
        if self.fault is not None:
            raise self.fault
        self.kept.append((reason, list(lines)))


class Counts:
    def __init__(self) -> None:
        self.batches: list[tuple[Stream, int]] = []
        self.failures: list[str] = []
        self.refusals: list[tuple[str, int]] = []

    def written(self, stream: Stream, lines: int, seconds: float) -> None:
        assert seconds >= 0
        self.batches.append((stream, lines))

    def failed(self, kind: str) -> None:
        self.failures.append(kind)

    def rejected(self, cause: str, lines: int) -> None:
        self.refusals.append((cause, lines))


class World:
    """A sender with all that is round it."""

    def __init__(self, directory: Path) -> None:
        self.spool = Spool(directory, max_bytes=64 * 1024 * 1024, sync=False)
        self.spool.open()
        self.target = FakeTarget()
        self.letters = Letters()
        self.counts = Counts()
        self.wall = 1000.0
        self.sender = self.another()

    def another(self, settings: Settings = SETTINGS) -> Sender:
        return Sender(
            self.spool, self.target, self.letters, settings, self.counts, wall=lambda: self.wall, chance=lambda: 0.0
        )

    def keep(self, *lines: bytes, stream: Stream = Stream.RAW) -> None:
        self.spool.append({stream: lines})

    @property
    def empty(self) -> bool:
        return not any(self.spool.depth_bytes(stream) for stream in Stream)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.spool.close()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses of a second or more, which are not waited for."""
    asked: list[float] = []
    sleep = asyncio.sleep

    async def nap(seconds: float) -> None:
        if seconds >= 1:
            asked.append(seconds)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr("shelly_exporter.sender.asyncio.sleep", nap)
    return asked


@asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[None]:
    task = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_waits_is_sent_together(world: World) -> None:
    world.keep(b"em x=1 1", b"em x=2 2")
    world.keep(b"em x=3 3")
    async with running(world.sender):
        await wait_until(lambda: world.empty, 5, "the spool is empty")
    assert world.target.bodies == [("raw", b"em x=1 1\nem x=2 2\nem x=3 3")]
    assert world.counts.batches == [(Stream.RAW, 3)]
    assert world.sender.last_success_at == 1000.0
    assert world.sender.in_flight == 0


async def test_what_comes_later_is_sent_too(world: World) -> None:
    async with running(world.sender):
        await wait_until(lambda: world.target.prepared == 1, 5, "the store is prepared")
        world.keep(b"em x=1 1")
        await wait_until(lambda: world.empty, 5, "the spool is empty")
    assert world.target.lines("raw") == [b"em x=1 1"]


async def test_counters_come_first(world: World) -> None:
    for number in range(50):
        world.keep(b"em x=%d 1" % number)
        world.keep(b"emdata x=%d 1" % number, stream=Stream.COUNTERS)
    assert await world.sender.drain(5)
    streams = [stream for stream, _ in world.counts.batches]
    assert streams.index(Stream.RAW) == 5
    assert set(streams[5:]) == {Stream.RAW}
    assert world.target.lines("raw") == [b"emdata x=%d 1" % n for n in range(50)] + [
        b"em x=%d 1" % n for n in range(50)
    ]


async def test_a_trickle_of_counters_does_not_hold_up_the_rest(world: World) -> None:
    for number in range(100):
        world.keep(b"em x=%d 1" % number)
    write = world.target.write

    async def trickle(bucket: str, body: bytes) -> None:
        world.keep(b"emdata x=1 1", stream=Stream.COUNTERS)
        await write(bucket, body)

    world.target.write = trickle  # type: ignore[method-assign]
    async with running(world.sender):
        await wait_until(lambda: not world.spool.depth_bytes(Stream.RAW), 5, "no readings wait")


async def test_a_backlog_is_sent_without_pauses(world: World, pauses: list[float]) -> None:
    for number in range(200):
        world.keep(*(b"em,device=%b x=%d %d" % (b"a" * 100, number, part) for part in range(7)))
    async with running(world.another(Settings(bucket="raw", batch_s=3600.0, batch_lines=10))):
        await wait_until(lambda: bool(pauses), 5, "it rests")
        rest = world.spool.depth_bytes(Stream.RAW)
    assert 0 < rest <= BACKLOG_BYTES
    assert len(world.target.lines("raw")) > 600


async def test_rollups_go_to_their_own_bucket(world: World) -> None:
    world.keep(b"energy_1h x=1 1", b"em x=1 1", b"energy_1d x=1 1", stream=Stream.COUNTERS)
    assert await world.sender.drain(5)
    assert world.target.bodies == [("rollups", b"energy_1h x=1 1\nenergy_1d x=1 1"), ("raw", b"em x=1 1")]


async def test_bad_lines_become_dead_letters_and_block_nothing(world: World) -> None:
    world.keep(b"em x=1 1", b"em bad 2", b"em x=3 3")
    world.keep(b"em bad 4", b"energy_1h bad 5", b"em x=6 6")
    with capture_logs() as logs:
        assert await world.sender.drain(5)
    assert sorted(world.target.lines("raw")) == [b"em x=1 1", b"em x=3 3", b"em x=6 6"]
    assert world.letters.kept == [("bad line", [b"em bad 2", b"em bad 4", b"energy_1h bad 5"])]
    assert world.counts.refusals == [("refused", 3)]
    world.keep(b"em bad 7")
    with capture_logs() as later:
        assert await world.sender.drain(5)
    assert [entry["log_level"] for entry in logs + later] == ["warning", "debug"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Unavailable("gone"), "unavailable"),
        (Denied("gone"), "denied"),
        (Missing("gone"), "missing"),
        (OSError("gone"), "disk"),
        (SpoolError("gone"), "disk"),
        (ZeroDivisionError("gone"), "bug"),
    ],
)
async def test_nothing_ends_it_and_nothing_is_lost(
    world: World, pauses: list[float], fault: Exception, kind: str
) -> None:
    world.keep(b"em x=1 1")
    world.target.faults = [fault] * 4
    with capture_logs() as logs:
        async with running(world.sender):
            await wait_until(lambda: world.empty, 5, "the spool is empty")
    assert world.target.lines("raw") == [b"em x=1 1"]
    assert world.counts.failures == [kind] * 4
    assert pauses == [1, 2, 4, 8]
    said = [(entry["log_level"], entry["event"]) for entry in logs if entry["log_level"] != "error"]
    assert said == [("warning", "Points wait in the spool"), ("info", "The store takes points again")]
    assert world.target.prepared == (5 if kind == "missing" else 1)


async def test_health_says_since_when_and_why(world: World) -> None:
    world.keep(b"em x=1 1")
    world.target.faults = [None, Unavailable("gone"), Denied("wrong"), Unavailable("")]
    assert await world.sender.drain(5)
    world.keep(b"em x=2 2")
    for wall, reason in ((1001.0, "gone"), (1002.0, "wrong"), (1003.0, "Unavailable")):
        world.wall = wall
        assert not await world.sender.drain(5)
        assert (world.sender.reason, world.sender.failing_since) == (reason, 1001.0)
        assert world.sender.last_success_at == 1000.0
    assert await world.sender.drain(5)
    assert (world.sender.reason, world.sender.failing_since) == (None, None)
    assert world.sender.last_success_at == 1003.0


async def test_what_is_on_its_way_is_known(world: World) -> None:
    world.target.held = asyncio.Event()
    world.keep(b"em x=1 1", b"em x=2 2")
    async with running(world.sender):
        await wait_until(lambda: world.sender.in_flight == 2, 5, "two lines are on their way")
        assert not await world.sender.drain(0.05)
        world.target.held.set()
        assert await world.sender.drain(5)
    assert world.target.bodies == [("raw", b"em x=1 1\nem x=2 2")]


async def test_another_kind_of_failure_is_told_again(world: World) -> None:
    world.keep(b"em x=1 1")
    world.target.faults = [Unavailable("gone"), Unavailable("gone"), Denied("wrong"), Denied("wrong")]
    with capture_logs() as logs:
        async with running(world.sender):
            await wait_until(lambda: world.empty, 5, "the spool is empty")
    assert [entry.get("reason") for entry in logs] == ["gone", "wrong", None]


async def test_a_store_may_ask_for_patience_but_not_for_ever(world: World, pauses: list[float]) -> None:
    world.keep(b"em x=1 1")
    world.target.faults = [Unavailable("busy", 30.0), Unavailable("busy", 1.0), Unavailable("busy", 1e9)]
    async with running(world.sender):
        await wait_until(lambda: world.empty, 5, "the spool is empty")
    assert pauses == [30.0, 2.0, MAX_RETRY_AFTER_S]


async def test_preparing_is_tried_until_it_succeeds_and_its_complaints_are_kept(world: World) -> None:
    world.target.preparation_faults = [Unavailable("gone"), Denied("wrong")]
    world.target.complaints = ("Create it by hand.",)
    world.keep(b"em x=1 1")
    with capture_logs() as logs:
        async with running(world.sender):
            await wait_until(lambda: world.empty, 5, "the spool is empty")
    assert world.target.prepared == 3
    assert world.sender.complaints == ("Create it by hand.",)
    assert "Create it by hand." in [entry["event"] for entry in logs]


async def test_a_crash_before_the_checkpoint_repeats_the_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.keep(b"em x=1 1", b"em bad 2")

    def crash(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(world.spool, "advance", crash)
        with pytest.raises(ZeroDivisionError):
            await world.sender.drain(5)
    assert await world.another().drain(5)
    assert world.target.lines("raw") == [b"em x=1 1"] * 2
    assert world.letters.kept == [("bad line", [b"em bad 2"])] * 2


async def test_a_batch_waits_until_its_dead_letters_are_on_disk(world: World) -> None:
    world.letters.fault = OSError(28, "No space left on device")
    world.keep(b"em bad 1")
    assert not await world.sender.drain(5)
    assert world.sender.reason == "[Errno 28] No space left on device"
    assert not world.empty
    world.letters.fault = None
    assert await world.sender.drain(5)
    assert world.letters.kept == [("bad line", [b"em bad 1"])]


async def test_an_empty_spool_is_drained_at_once(world: World) -> None:
    assert await world.sender.drain(0.5)
    assert world.target.bodies == []


async def test_a_store_that_stays_without_a_bucket_is_not_said_to_work(world: World, pauses: list[float]) -> None:
    world.target.complaints = ("Create it by hand.",)
    world.target.faults = [Missing("no bucket")] * 5
    world.keep(b"em x=1 1")
    async with running(world.sender):
        await wait_until(lambda: world.empty, 5, "the spool is empty")
    assert pauses == [1, 2, 4, 8, 15]
    assert world.target.prepared == 6


async def test_a_store_that_is_found_in_order_is_well_before_anything_is_written(world: World) -> None:
    world.target.preparation_faults = [Unavailable("gone")]
    async with running(world.sender):
        await wait_until(lambda: world.sender.failing_since is not None, 5, "it fails")
        await wait_until(lambda: world.sender.failing_since is None, 5, "it works")
    assert world.sender.last_success_at == 1000.0
