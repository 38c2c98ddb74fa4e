"""A broker, a store, devices and an exporter between them, and what must be true in the end."""

import contextlib
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.stack.exporter import Exporter, exporter_account
from tests.stack.fleet import DeviceSpec, Fleet
from tests.stack.influxdb import InfluxServer
from tests.stack.mosquitto import Account, Broker, devices_account
from tests.stack.processes import StackError, wait_until
from tests.stack.stored import Stored, compare_stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from tests.stack.fleet import SimulatedDevice

SPECS = (
    DeviceSpec(model="pro3em", firmware="1.7.5", cadence_s=0.2, house="house"),
    DeviceSpec(model="pro3", firmware="1.4.4", house="house"),
    DeviceSpec(model="pro3em-mono", firmware="1.7.5", cadence_s=0.5),
)
"""Meters report more often than real ones: a minute here has the readings of five."""
READINGS_S = 30.0
DELIVERY_S = 0.2
"""What a broker has taken and not passed on when it is killed."""
HTTP_S = 8.0
"""The longest time between two readings over HTTP: a poll each 5 s, and what it takes to begin."""


@dataclass(kw_only=True)
class Line:
    """The running line from the devices to the store."""

    broker: Broker
    store: InfluxServer
    fleet: Fleet
    exporter: Exporter
    deaf: list[tuple[float, float]] = field(default_factory=list)
    """Times in which the broker had nobody to tell what it took."""
    since: float = 0.0
    """From when on somebody listened."""

    @property
    def meter(self) -> SimulatedDevice:
        """The three-phase meter."""
        return next(device for device in self.fleet.devices if device.model == "pro3em")

    @property
    def relays(self) -> SimulatedDevice:
        """The relay device."""
        return next(device for device in self.fleet.devices if device.model == "pro3")

    async def told(self, count: int) -> None:
        """Wait until the meter has told so many readings more, and the broker has taken them."""
        before = len(await self.fleet.told(self.meter))

        async def enough() -> bool:
            return len(await self.fleet.told(self.meter)) >= before + count

        await wait_until(enough, READINGS_S + count, f"The meter tells {count} readings")

    @contextlib.asynccontextmanager
    async def nobody_listens(self) -> AsyncIterator[None]:
        """While this lasts, and until the exporter is back on the broker, nobody can hear what the devices tell."""
        begun = time.time()
        yield
        await self.exporter.connected()
        self.deaf.append((begun - DELIVERY_S, time.time()))

    async def assert_read_over_http(self, begin: float, end: float) -> None:
        """Between two true times the meter was read over HTTP, as often as the link policy says."""
        condition = f"\"device\" = '{self.meter.id}' AND time >= {int(begin * 1000)}ms AND time <= {int(end * 1000)}ms"
        rows = await self.store.query("shelly", f'SELECT "total_act_power", "origin" FROM "em_wide" WHERE {condition}')  # noqa: S608 - our own names
        times = [begin, *(row["time"] / 1000 for row in rows if row["origin"] == "http"), end]
        assert max(later - earlier for earlier, later in pairwise(times)) < HTTP_S, times

    async def minutes(self) -> list[int]:
        """Return the meter's minutes that are stored, Unix seconds."""
        condition = f"\"device\" = '{self.meter.id}' AND \"phase\" = 'a'"
        rows = await self.store.query("shelly", f'SELECT "total_act_energy" FROM "emdata_1m" WHERE {condition}')  # noqa: S608 - as above
        return [row["time"] // 1000 for row in rows]

    async def silence(self) -> None:
        """Let all devices fall silent, so that what was told can be compared with what is stored."""
        await self.fleet.set_fault_everywhere("link_cut")

    async def compared(self, *exporters: Exporter, deadline_s: float = 30.0) -> dict[str, Stored]:
        """Return the comparison of each device, once all that was told has had time to arrive."""
        await self.silence()
        for exporter in exporters or (self.exporter,):
            await exporter.drained(deadline_s)
        results: dict[str, Stored] = {}

        async def agree() -> bool:
            for device in self.fleet.devices:
                results[device.id] = await compare_stored(
                    self.store, self.fleet, device, deaf=self.deaf, since=self.since
                )
            return all(result.agrees for result in results.values())

        with contextlib.suppress(StackError):
            await wait_until(agree, deadline_s, "All that was told is stored", interval_s=0.5)
        return results

    async def assert_all_stored(self, *exporters: Exporter, deadline_s: float = 30.0) -> None:
        """Everything that was told is stored, once and as it was told, and nothing else."""
        results = await self.compared(*exporters, deadline_s=deadline_s)
        if wrong := [f"{device}: {result}" for device, result in results.items() if not result.agrees]:
            pytest.fail("\n".join(wrong))
        assert len(results) == len(self.fleet.devices)


@contextlib.asynccontextmanager
async def raise_line(
    directory: Path,
    *,
    specs: Sequence[DeviceSpec] = SPECS,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    accounts: Sequence[Account] = (),
    start: bool = True,
) -> AsyncIterator[Line]:
    """Start everything; the exporter before the devices, so that it hears all that they tell."""
    async with contextlib.AsyncExitStack() as running:
        broker = Broker(
            directory / "mosquitto", accounts=(devices_account(), exporter_account(), *accounts), persistence=True
        )
        await running.enter_async_context(broker)
        store = await running.enter_async_context(InfluxServer(directory / "influxdb"))
        exporter = Exporter(directory / "exporter", broker=broker, store=store.url, settings=settings)
        fleet = Fleet(directory / "simulator", specs, broker=broker, options=("--keep-told", "--mqtt-reconnect", "1"))
        if start:
            # It subscribes before any device says a word, and learns their addresses once they are known.
            await exporter.start()
        await running.enter_async_context(fleet)
        running.push_async_callback(exporter.stop)
        await fleet.process.wait_until(fleet.connected, 60, "Every device reaches the broker")
        exporter.devices = fleet.devices
        if start:
            exporter.reload()
            await exporter.connected()
        yield Line(broker=broker, store=store, fleet=fleet, exporter=exporter)
