"""What the exporter is measured on: a broker, a store, and many devices that tell and answer as real ones."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.exporter_meters import STEP_S, Answers, Meter, device_ids
from tests.benchmarks.exporter_wire import MIDS, Wire
from tests.stack.exporter import Exporter, exporter_account
from tests.stack.influxdb import InfluxServer
from tests.stack.mosquitto import Account, Broker
from tests.stack.processes import StackError, wait_until

UNLIMITED = ("max_queued_messages 0", "max_inflight_messages 0", "max_queued_bytes 0")
"""A blast waits in the broker until it is taken: what the broker drops says nothing of the exporter."""
FLEET = "fleet"
DEADLINE_S = 60.0
LINES = 4
"""Of a reading: the phases, and all together."""


@dataclass(kw_only=True)
class Stage:
    """Broker, store and devices; `exporters` are started by whoever measures them."""

    directory: Path
    broker: Broker
    store: InfluxServer
    wire: Wire
    """What the devices tell goes this way."""
    meters: tuple[Meter, ...]
    told: int = 0
    """Readings of `em:0`."""
    _last_ts: float = 0.0
    _last_turn: float = 0.0
    """Since when each device has told once more, in device time."""

    def exporter(self, name: str, settings: Mapping[str, Mapping[str, Any]] | None = None) -> Exporter:
        """Return an exporter with the settings it comes with, except that devices are not asked over HTTP."""
        ours: dict[str, dict[str, Any]] = {
            "devices": {"http": False},
            "influxdb": {"batch_s": 1.0},
            "log": {"level": "info"},
        }
        for section, values in (settings or {}).items():
            ours[section] = {**ours.get(section, {}), **values}
        return Exporter(self.directory / name, broker=self.broker, store=self.store.url, user=name, settings=ours)

    def packets(self, count: int) -> list[bytes]:
        """Return about `count` readings, as many of each device, newer than all before; `blast` them soon."""
        meters = self.meters
        begin = math.ceil(max(time.time(), self._last_ts + STEP_S) / STEP_S) * STEP_S
        count -= count % len(meters)
        self._last_ts = self._last_turn = begin + (count // len(meters) - 1) * STEP_S
        packets = []
        for number in range(count):
            turn, index = divmod(number, len(meters))
            packets.append(meters[index].reading(begin + turn * STEP_S, number + turn, number % MIDS + 1))
        return packets

    async def blast(self, packets: Sequence[bytes]) -> None:
        """Publish readings as fast as the broker takes them."""
        self.told += len(packets)
        await self.wire.blast(packets)

    async def tell(self, seconds: float, *, counters: bool = True) -> None:
        """Let each device report once a second, as real ones do: not all at once, and its `counters` once a minute."""
        loop, meters = asyncio.get_running_loop(), self.meters
        begun, at = loop.time(), time.time()
        count = round(seconds * len(meters))
        self.told += count
        self._last_ts, self._last_turn = at + seconds, at + seconds - 1.0 - STEP_S
        for number in range(count):
            due = number / len(meters)
            if (wait := begun + due - loop.time()) > 0:
                await asyncio.sleep(wait)
            turn, index = divmod(number, len(meters))
            packets = [meters[index].reading(at + due, turn + index, number % MIDS + 1)]
            if counters and turn % 60 == index % 60:
                packets.append(meters[index].counters(at + due, turn, 1))
            self.wire.publish(packets)
        await self.wire.settled()

    async def introduce(self, exporters: Sequence[Exporter]) -> None:
        """Let each device tell something, and wait until all are asked and have answered."""
        for exporter in exporters:
            await wait_until(partial(_is_subscribed, exporter), DEADLINE_S, "The exporter is connected to the broker")
        await self.blast(self.packets(len(self.meters)))
        await wait_until(
            lambda: self._all_known(exporters), DEADLINE_S, "The exporter has met all devices", interval_s=0.5
        )

    async def _all_known(self, exporters: Sequence[Exporter]) -> bool:
        known: set[str] = set()
        for exporter in exporters:
            hops = (await exporter.health())["hops"]
            known |= {hop["name"] for hop in hops if hop["name"].startswith("device:") and hop["level"] == "ok"}
        return len(known) == len(self.meters)

    async def stored(self, since: float = 0.0) -> int:
        """Return how many readings of `em:0` are in the store; of one that is not there completely, nothing counts."""
        where = f"WHERE time >= {round(since * 1000)}ms"
        statements = (
            f"SELECT count(total_act_power) FROM em_wide {where}",  # noqa: S608
            f"SELECT count(act_power) FROM em {where} GROUP BY phase",  # noqa: S608
        )
        counts: list[int] = [
            row["count"] for statement in statements for row in await self.store.query("shelly", statement)
        ]
        return min(counts) if len(counts) == LINES else 0

    async def all_stored(self, deadline_s: float = DEADLINE_S) -> float:
        """Wait until each reading is in the store, once, and return when that was seen, Unix time."""
        begun = time.time()
        # Whatever is asked of all readings takes as long as it takes to store some thousands of them.
        await wait_until(self._last_stored, deadline_s, "The last readings are in the store")
        at = time.time()
        while (stored := await self.stored()) < self.told:
            await asyncio.sleep(0.2)
            at = time.time()
            if at - begun > deadline_s:
                raise StackError(f"{self.told} readings were told, only {stored} are in the store: look for why")
        if stored > self.told:
            raise StackError(f"{self.told} readings were told, but {stored} are in the store: look for why")
        return at

    async def _last_stored(self) -> bool:
        return await self.stored(self._last_turn) >= len(self.meters)


async def _is_subscribed(exporter: Exporter) -> bool:
    return bool((await exporter.hop("broker"))["level"] == "ok")


@contextlib.asynccontextmanager
async def raise_stage(directory: Path, devices: int, users: Sequence[str] = ("exporter",)) -> AsyncIterator[Stage]:
    """Start broker and store, and `devices` devices."""
    accounts = (Account(user=FLEET, rules=("readwrite #",)), *map(exporter_account, users))
    async with (
        Broker(directory / "broker", accounts=accounts, extra=UNLIMITED) as broker,
        InfluxServer(directory / "influxdb") as store,
    ):
        wire = await Wire.connect(broker.port, "fleet-tells", FLEET, broker.password(FLEET))
        answering = await Wire.connect(broker.port, "fleet-answers", FLEET, broker.password(FLEET))
        answers = Answers()

        def answer(topic: str, payload: bytes) -> None:
            if topic.startswith("shellypro3em-") and (packet := answers.to(topic, payload)) is not None:
                answering.write(packet)

        answering.on_publish = answer
        await answering.subscribe("+/rpc")
        try:
            yield Stage(
                directory=directory,
                broker=broker,
                store=store,
                wire=wire,
                meters=tuple(map(Meter, device_ids(devices))),
            )
        finally:
            wire.close()
            answering.close()
