"""From lines to the spool: what comes within a few milliseconds is written at once, and only then acknowledged."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter

import structlog

from .broker import Receipt
from .spool import Spool, SpoolFullError, Stream

_LOGGER = structlog.get_logger(__name__)

AGAIN_S = 1.0
"""How long a full spool is left alone."""
MAX_HELD_BYTES = {Stream.RAW: 16 * 1024 * 1024, Stream.COUNTERS: 32 * 1024 * 1024}
"""What is kept in memory while the spool is full. The broker stops by itself, readings over HTTP do not."""


@dataclass(slots=True)
class Traffic:
    """What went through so far."""

    lines: int = 0
    commits: int = 0
    commit_s: float = 0.0
    """How long the last commit took."""
    given_up: int = 0
    """Lines that found no place in memory while the spool was full."""


@dataclass(slots=True)
class _Pending:
    blocks: dict[Stream, list[bytes]] = field(default_factory=lambda: {stream: [] for stream in Stream})
    receipts: list[Receipt] = field(default_factory=list)
    size: int = 0
    safe: asyncio.Future[None] | None = None
    """Done when all of it is on disk."""


class Pipeline:
    """Collects lines and receipts; `run` commits them. Nothing here parses a line."""

    def __init__(
        self,
        spool: Spool,
        *,
        commit_s: float,
        acknowledge: Callable[[Iterable[Receipt]], None],
        observe: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._spool = spool
        self._commit_s = commit_s
        self._acknowledge = acknowledge
        self._observe = observe
        self._pending = _Pending()
        self._committing: _Pending | None = None
        """What `run` is at; it stays here if `run` is cancelled meanwhile."""
        self._waiting = asyncio.Event()
        self.traffic = Traffic()
        self.problem: str | None = None
        """Why nothing can be kept at the moment; `None` while it can."""

    def put(self, stream: Stream, lines: bytes) -> None:
        """Take one line or several, with line feeds between them, to be kept."""
        pending = self._pending
        if pending.size > MAX_HELD_BYTES[stream]:
            self.traffic.given_up += lines.count(b"\n") + 1
            return
        pending.blocks[stream].append(lines)
        pending.size += len(lines)
        self._wake()

    def settle(self, receipt: Receipt | None) -> None:
        """Acknowledge a message once all that was put before is safe."""
        if receipt is not None:
            self._pending.receipts.append(receipt)
            self._wake()

    async def safe(self) -> None:
        """Wait until all that was put is on disk."""
        pending = self._pending
        if pending.safe is None:
            pending.safe = asyncio.get_running_loop().create_future()
        self._wake()
        await asyncio.shield(pending.safe)

    async def run(self) -> None:
        """Commit until cancelled; call `flush` afterwards."""
        while True:
            await self._waiting.wait()
            await asyncio.sleep(self._commit_s)
            await self._commit()

    async def flush(self) -> None:
        """Commit what is left; raises `SpoolFullError` if there is no place for it."""
        if self._committing is not None:
            await self._append(self._committing)
            self._committing = None
        if self._waiting.is_set():
            await self._append(self._take())

    def _wake(self) -> None:
        if not self._waiting.is_set():
            self._waiting.set()

    def _take(self) -> _Pending:
        taken, self._pending = self._pending, _Pending()
        self._waiting.clear()
        return taken

    async def _commit(self) -> None:
        taken = self._committing = self._take()
        while True:
            try:
                await self._append(taken)
            except SpoolFullError as error:
                if self.problem is None:
                    reason = str(error)  # where it came from says nothing
                    _LOGGER.error("The spool is full: nothing is acknowledged any more", reason=reason)  # noqa: TRY400
                self.problem = str(error)
                await asyncio.sleep(AGAIN_S)
            else:
                break
        self._committing = None
        if self.problem is not None:
            _LOGGER.info("The spool takes readings again")
            self.problem = None

    async def _append(self, taken: _Pending) -> None:
        blocks = {stream: chunks for stream, chunks in taken.blocks.items() if chunks}
        begun = perf_counter()
        if blocks:
            await _uninterrupted(self._spool, blocks)
            self.traffic.lines += sum(chunk.count(b"\n") + 1 for chunks in blocks.values() for chunk in chunks)
        self._acknowledge(taken.receipts)
        if taken.safe is not None and not taken.safe.done():
            taken.safe.set_result(None)
        self.traffic.commits += 1
        self.traffic.commit_s = perf_counter() - begun
        self._observe(self.traffic.commit_s)


async def _uninterrupted(spool: Spool, blocks: dict[Stream, list[bytes]]) -> None:
    """Append in a thread, and do not leave before it is done: nobody else may append meanwhile."""
    appending = asyncio.get_running_loop().run_in_executor(None, spool.append, blocks)
    try:
        await asyncio.wait((appending,))
    except asyncio.CancelledError:
        await asyncio.wait((appending,))
        appending.exception()  # whoever commits the same again is told
        raise
    appending.result()
