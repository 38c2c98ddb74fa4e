"""A pipeline with a spool in memory, and what it acknowledges when."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from shelly_exporter.broker import Receipt
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.spool import Spool
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
