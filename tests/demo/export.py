"""The demo's InfluxDB and the exporter that fills it, beside Home Assistant on the same broker."""

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.stack.exporter import Exporter, exporter_account
from tests.stack.influxdb import InfluxServer
from tests.stack.processes import StackError, free_port, wait_until
from tests.stack.stored import Stored, compare_stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stack.fleet import Fleet
    from tests.stack.mosquitto import Broker
    from tests.stack.stage import Report

INFLUXDB_PORT = 8086
WEB_PORT = 9433
ARRIVAL_S = 20.0
EXAMPLE = "SELECT last(act_power) FROM em GROUP BY phase"

FLEET_OPTIONS = ("--keep-told",)
"""Without them there is nothing to compare InfluxDB with."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """The running exporter; all that the devices tell from `since` on (the simulator's Unix time) goes to `store`."""

    store: InfluxServer
    exporter: Exporter
    since: float

    @property
    def web(self) -> str:
        """Where the exporter tells how it is."""
        return f"http://127.0.0.1:{self.exporter.port}"

    @property
    def hints(self) -> str:
        """What a person can try."""
        return (
            f"InfluxDB at {self.store.url} has what the exporter stores. The power of each phase, for example:\n"
            f"  curl -sG '{self.store.url}/query?db=shelly&pretty=true' --data-urlencode 'q={EXAMPLE}'\n"
            f"How the exporter is:\n  curl -s {self.web}/health"
        )


@contextlib.asynccontextmanager
async def raise_export(directory: Path, broker: Broker, fleet: Fleet, *, report: Report) -> AsyncIterator[Export]:
    """Start InfluxDB and the exporter, with a login of its own, for the devices of `fleet`."""
    async with contextlib.AsyncExitStack() as running:
        store = InfluxServer(directory / "influxdb", free_port(INFLUXDB_PORT))
        async with report(f"InfluxDB at {store.url}"):
            await running.enter_async_context(store)
        await broker.admit(exporter_account())
        exporter = Exporter(
            directory / "exporter",
            broker=broker,
            store=store.url,
            devices=fleet.devices,
            settings={"log": {"format": "console", "level": "info"}},
        )
        exporter.port = free_port(WEB_PORT)
        async with report(f"The exporter at http://127.0.0.1:{exporter.port}/health, from the broker to InfluxDB"):
            await running.enter_async_context(exporter)
            await exporter.connected()
        yield Export(store=store, exporter=exporter, since=await _now(fleet))


async def compare_export(fleet: Fleet, export: Export, *, arrival_s: float = ARRIVAL_S) -> dict[str, Stored]:
    """Compare InfluxDB with what each device told up to now, and return it by the device's id.

    The devices keep talking meanwhile. What was told has `arrival_s` to arrive.
    """
    until = await _now(fleet)
    found: dict[str, Stored] = {}

    async def agree() -> bool:
        for device in fleet.devices:
            found[device.id] = await compare_stored(export.store, fleet, device, since=export.since, until=until)
        return all(stored.agrees for stored in found.values())

    with contextlib.suppress(StackError):
        await wait_until(agree, arrival_s, "All that was told is stored", interval_s=0.5)
    return found


async def _now(fleet: Fleet) -> float:
    return (await fleet.truth(fleet.devices[0])).ts
