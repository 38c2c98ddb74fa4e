"""Minutes that nobody told, because the broker or the exporter was away, fetched from the meters themselves."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import structlog

from shelly_core import ShellyError, parse_data
from shelly_exporter.devices import Devices
from shelly_exporter.devices.worker import Worker
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.points import record_lines

from .backfill import Backfill

_LOGGER = structlog.get_logger(__name__)

ROUND_S = 10.0
FIRST_S = 1.0
"""How long until it is noticed that there is a meter: its history begins then."""
PAGES = 20
"""Answers that a meter is asked for in a round; it has more to do."""
KINDS = {"emdata": "EMData.GetData", "em1data": "EM1Data.GetData"}
ORIGIN = "backfill"


class _Series(NamedTuple):
    device: str
    key: str


class History:
    """Holds what is known of each meter's minutes. A minute counts as stored only when it is on disk."""

    def __init__(
        self,
        devices: Devices,
        pipeline: Pipeline,
        state: Mapping[str, Any] | None,
        *,
        overlap_s: float = 0.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Go on from a `state`; of a meter met for the first time, fetch what is up to `overlap_s` old."""
        self._devices = devices
        self._pipeline = pipeline
        self._overlap_s = overlap_s
        self._wall = wall
        self._known: dict[_Series, Backfill] = {}
        for name, entry in ({} if state is None else state).items():
            device, _, key = name.partition(" ")
            if isinstance(entry, dict) and key.partition(":")[0] in KINDS:
                self._known[_Series(device, key)] = Backfill(entry)

    def take(self, device_id: str, key: str, ts: int) -> None:
        """Take that a meter told a minute by itself."""
        known = self._known.get(_Series(device_id, key))
        if known is not None:
            known.stored(ts)

    def state(self) -> dict[str, Any]:
        """Return, for JSON, what the constructor goes on from; to be saved when all that was put is on disk."""
        return {f"{device} {key}": known.state() for (device, key), known in self._known.items()}

    def missing(self) -> int:
        """Return how many minutes are to be fetched."""
        return sum(known.missing(self._wall()) for known in self._known.values())

    async def run(self) -> None:
        """Fetch what is missing, until cancelled."""
        while True:
            await asyncio.sleep(ROUND_S if self._known else FIRST_S)
            await self.fetch()

    async def fetch(self) -> None:
        """Ask every meter that is there for what is missing of it, all at once, a few pages of each."""
        workers = [worker for worker in self._devices.workers.values() if worker.held and worker.client.available]
        await asyncio.gather(
            *(self._fetch_from(worker) for worker in workers if not worker.client.health().clock.wrong)
        )

    async def _fetch_from(self, worker: Worker) -> None:
        for series in _series(worker):
            known = self._known.get(series)
            if known is None:
                known = self._known[series] = Backfill()
                known.contact(self._wall() - self._overlap_s)
            try:
                await self._fill(worker, series.key, known)
            except ShellyError as error:
                _LOGGER.debug("No history", device=worker.id, component=series.key, reason=str(error))
                return

    async def _fill(self, worker: Worker, key: str, known: Backfill) -> None:
        kind, _, channel = key.partition(":")
        for _ in range(PAGES):
            window = known.next_window(self._wall())
            if window is None:
                return
            params = {"id": int(channel), "ts": window.start, "end_ts": window.end - 1}
            records, next_ts = parse_data(await worker.call(KINDS[kind], params))
            for record in records:
                for stream, lines in record_lines(worker.id, key, record, ORIGIN):
                    self._pipeline.put(stream, lines)
            await self._pipeline.safe()
            known.fetched(window, records, next_ts)
            _LOGGER.info("Fetched history", device=worker.id, component=key, minutes=len(records))


def _series(worker: Worker) -> Iterator[_Series]:
    """Return what of a device that is there has records."""
    device = worker.client.device
    for kind in KINDS:
        for key in device.keys(kind):
            yield _Series(worker.id, key)
