"""Meters that keep their minutes, and what is fetched from them into a spool in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast

from shelly_core import Json, RpcError
from shelly_exporter.devices import Devices
from shelly_exporter.history import History
from shelly_exporter.history.backfill import MINUTE_S
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.spool import Stream
from tests.exporter.held_spool import HeldSpool
from tests.exporter.minutes import at, minute
from tests.exporter.stored_points import Point, points_of

ID = "shellypro3em-3ce90e6ff1a0"
PAGE = 6
"""How many records a meter tells at a time."""
COLUMNS = {"EMData.GetData": "a_total_act_energy", "EM1Data.GetData": "total_act_energy"}


class Meter:
    """What the history needs of a worker: a meter that is there, with the minutes from 0 to 1000."""

    def __init__(self, device_id: str = ID, *keys: str) -> None:
        self.id = device_id
        self.keys = keys or ("emdata:0",)
        self.held = True
        self.available = True
        self.wrong_clock = False
        self.answers: dict[str, Json] = {}
        """What it answers, by key, in place of what it should."""
        self.refuses: set[str] = set()
        """Keys of which it tells nothing."""
        self.asked: list[tuple[str, int, int]] = []
        """Of which key, from which minute to before which."""

    @property
    def client(self) -> SimpleNamespace:
        health = SimpleNamespace(clock=SimpleNamespace(wrong=self.wrong_clock))
        keys = lambda kind: tuple(key for key in self.keys if key.startswith(f"{kind}:"))  # noqa: E731
        return SimpleNamespace(
            available=self.available, health=lambda: health, device=SimpleNamespace(keys=keys), call=self.call
        )

    async def call(self, method: str, params: dict[str, Any]) -> Json:
        """Tell a page of the minutes asked for, and where it stopped."""
        key = f"{method.partition('.')[0].lower()}:{params['id']}"
        start, end = params["ts"], params["end_ts"] + 1
        self.asked.append((key, _number(start), _number(end)))
        await asyncio.sleep(0)
        if key in self.refuses:
            raise RpcError(-114, "no data", method)
        if key in self.answers:
            return self.answers[key]
        end, stop = min(end, minute(1000)), start + PAGE * MINUTE_S
        rows = [[float(_number(ts))] for ts in range(start, min(end, stop), MINUTE_S)]
        following = {"next_record_ts": stop} if stop < end else {}
        return {
            "keys": [COLUMNS[method]],
            "data": [{"ts": start, "period": MINUTE_S, "values": rows}],
            **following,
        }


class Archive:
    """The history of meters, and its surroundings; it begins half a minute after `minute(0)`."""

    def __init__(self, *meters: Meter, state: dict[str, Any] | None = None, overlap_s: float = 0.0) -> None:
        self.now = at(0.5)
        self.spool = HeldSpool()
        self.pipeline = Pipeline(self.spool, commit_s=0.001, acknowledge=lambda _receipts: None)
        self.workers: dict[str, Meter] = {meter.id: meter for meter in meters}
        devices = cast("Devices", SimpleNamespace(workers=self.workers))
        self.history = History(devices, self.pipeline, state, overlap_s=overlap_s, wall=lambda: self.now)

    @property
    def points(self) -> list[Point]:
        """What is on disk."""
        return points_of(self.spool.lines(Stream.COUNTERS))

    async def met(self, minutes: float) -> None:
        """Let the meters be met, and then nobody tell anything for as many minutes as are over after that."""
        await self.history.fetch()
        self.now = at(minutes)


@asynccontextmanager
async def archive(
    *meters: Meter, state: dict[str, Any] | None = None, overlap_s: float = 0.0
) -> AsyncIterator[Archive]:
    """An archive whose pipeline runs."""
    made = Archive(*meters, state=state, overlap_s=overlap_s)
    task = asyncio.create_task(made.pipeline.run())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _number(ts: int) -> int:
    return (ts - minute(0)) // MINUTE_S
