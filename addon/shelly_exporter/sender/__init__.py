"""From the spool to the store: one batch after the other, tried again for ever, counters before all else."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from shelly_core.backoff import Backoff
from shelly_exporter.line_protocol import by_bucket
from shelly_exporter.settings import Target as Settings
from shelly_exporter.spool import Batch, Spool, SpoolError, Stream
from shelly_exporter.targets import Denied, Missing, Target, Unavailable

from .isolation import Cause, Rejected, deliver

_logger = structlog.get_logger()

MAX_BYTES = 4 * 1024 * 1024
BACKLOG_BYTES = 64 * 1024
"""What may wait for the next turn; more is sent at once, if it is also more than comes during a write."""
LONGEST_PAUSE_S = 15.0
"""A store that comes back is found soon; to ask it costs next to nothing."""
MAX_RETRY_AFTER_S = 600.0
"""The longest pause a store can ask for: its clock may be wrong."""

_FAILURES = (Unavailable, SpoolError, OSError)
_KINDS = ((Missing, "missing"), (Denied, "denied"), (Unavailable, "unavailable"), ((SpoolError, OSError), "disk"))


class DeadLetters(Protocol):
    """Where lines go that no store will have."""

    def add(self, reason: str, lines: Sequence[bytes]) -> None:
        """Keep the lines; they are on disk when it returns."""


class Observer(Protocol):
    """Who counts what the sender does."""

    def written(self, stream: Stream, lines: int, seconds: float) -> None:
        """Note that a batch is in the store."""

    def failed(self, kind: str) -> None:
        """Note a failure that is tried again: "unavailable", "denied", "missing", "disk" or "bug"."""

    def rejected(self, cause: str, lines: int) -> None:
        """Note lines that went to the dead letters; `cause` is a `Cause`."""


class _Round(NamedTuple):
    lines: int
    backlog: bool
    """Whether more waits than is worth a pause."""


class Sender:
    """Empties the spool into the store. A crash repeats a batch, which changes nothing; no line is ever dropped."""

    def __init__(
        self,
        spool: Spool,
        target: Target,
        dead_letters: DeadLetters,
        settings: Settings,
        observer: Observer,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._spool = spool
        self._target = target
        self._dead_letters = dead_letters
        self._settings = settings
        self._observer = observer
        self._clock = clock
        self._wall = wall
        self._backoff = Backoff(chance, cap_s=LONGEST_PAUSE_S)
        self._turn = asyncio.Lock()
        """Held by who sends: `run` or `drain`."""
        self._prepared = False
        self._failure: str | None = None
        """The kind of failure that was last spoken of; None while it works."""
        self._told: set[Cause] = set()
        self.last_success_at: float | None = None
        """Unix time when the store last took something, or was found in order."""
        self.failing_since: float | None = None
        """Unix time since when it has not; None while it does."""
        self.reason: str | None = None
        """Why not, as a sentence."""
        self.in_flight = 0
        """Lines of the batch that is being written."""
        self.complaints: tuple[str, ...] = ()
        """What could not be set up in the store, as sentences."""

    async def run(self) -> None:
        """Send until cancelled.

        What waits is sent together every `batch_s`, and without a pause while there is a backlog.
        """
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            pause = await self._attempt()

    async def drain(self, deadline_s: float) -> bool:
        """Send all that waits, and tell whether the spool is empty; gives up at the first failure: nothing is lost."""
        try:
            async with asyncio.timeout(deadline_s), self._turn:
                while (await self._send()).lines:
                    pass
        except TimeoutError:
            return False
        except _FAILURES as err:
            self._fail(err)
            return False
        return True

    async def _attempt(self) -> float:
        """Send once and return the pause after that, in seconds."""
        try:
            async with self._turn:
                sent = await self._send()
        except _FAILURES as err:
            return self._fail(err)
        except Exception as err:
            _logger.exception("An error in the exporter itself: please report it")
            return self._fail(err)
        return 0.0 if sent.backlog else self._settings.batch_s

    async def _send(self) -> _Round:
        """Send the counters that wait, then one batch of the rest."""
        prepared = self._prepared
        if not prepared:
            await self._prepare()
        lines = sent = 0
        # Not those that come meanwhile, or nothing else might ever be sent.
        waiting = self._spool.depth_bytes(Stream.COUNTERS)
        while sent < waiting and (batch := self._read(Stream.COUNTERS)) is not None:
            await self._deliver(Stream.COUNTERS, batch)
            lines += batch.lines
            sent += len(batch.body)
        backlog = False
        if (batch := self._read(Stream.RAW)) is not None:
            await self._deliver(Stream.RAW, batch)
            lines += batch.lines
            backlog = self._spool.depth_bytes(Stream.RAW) > max(len(batch.body) // 2, BACKLOG_BYTES)
        if not (prepared or lines):
            self._succeed()
        return _Round(lines, backlog)

    def _read(self, stream: Stream) -> Batch | None:
        return self._spool.read(stream, self._settings.batch_lines, MAX_BYTES)

    async def _prepare(self) -> None:
        self.complaints = await self._target.prepare()
        for complaint in self.complaints:
            _logger.warning(complaint)
        self._prepared = True

    async def _deliver(self, stream: Stream, batch: Batch) -> None:
        begun = self._clock()
        self.in_flight = batch.lines
        try:
            rejected: list[Rejected] = []
            for bucket, lines in by_bucket(batch.body, self._settings).items():
                rejected += await deliver(partial(self._target.write, bucket), lines)
            await self._bury(rejected)
            self._spool.advance(stream, batch.end)
        finally:
            self.in_flight = 0
        self._observer.written(stream, batch.lines, self._clock() - begun)
        self._succeed()

    async def _bury(self, rejected: Iterable[Rejected]) -> None:
        """Keep what was refused as dead letters."""
        graves: dict[tuple[Cause, str], list[bytes]] = {}
        for cause, reason, line in rejected:
            graves.setdefault((cause, reason), []).append(line)
        for (cause, reason), lines in graves.items():
            await asyncio.to_thread(self._dead_letters.add, reason, lines)
            self._observer.rejected(cause, len(lines))
            # Once: what is wrong with one line is wrong with the next thousand, too.
            tell = _logger.debug if cause in self._told else _logger.warning
            self._told.add(cause)
            tell("Lines were refused and are kept as dead letters", cause=str(cause), reason=reason, lines=len(lines))

    def _succeed(self) -> None:
        self.last_success_at = self._wall()
        self._backoff.reset()
        if self.failing_since is not None:
            seconds = round(self.last_success_at - self.failing_since, 1)
            _logger.info("The store takes points again", after_s=seconds)
        self.failing_since = self.reason = self._failure = None

    def _fail(self, error: Exception) -> float:
        """Note a failure and return how long to wait, in seconds."""
        kind = next((name for types, name in _KINDS if isinstance(error, types)), "bug")
        if isinstance(error, Missing):
            self._prepared = False
        self.reason = str(error) or type(error).__name__
        if self.failing_since is None:
            self.failing_since = self._wall()
        if self._failure != kind:
            _logger.warning("Points wait in the spool", reason=self.reason)
        self._failure = kind
        self._observer.failed(kind)
        wanted = error.retry_after_s if isinstance(error, Unavailable) else None
        pause = self._backoff.next_s()
        return pause if wanted is None else max(pause, min(wanted, MAX_RETRY_AFTER_S))
