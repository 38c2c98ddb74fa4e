"""The demo's InfluxDB and the exporter that fills it: what is in there, and whether that is right."""

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.stack.processes import StackError, wait_until
from tests.stack.stored import Stored, compare_stored

if TYPE_CHECKING:
    from tests.stack.exporter import Exporter
    from tests.stack.fleet import Fleet
    from tests.stack.influxdb import InfluxServer

ARRIVAL_S = 20.0
EXAMPLE = "SELECT last(act_power) FROM em GROUP BY phase"


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


async def compare_export(fleet: Fleet, export: Export, *, arrival_s: float = ARRIVAL_S) -> dict[str, Stored]:
    """Compare InfluxDB with what each device told up to now, and return it by the device's id.

    The devices keep talking meanwhile. What was told has `arrival_s` to arrive.
    """
    until = await now(fleet)
    found: dict[str, Stored] = {}

    async def agree() -> bool:
        for device in fleet.devices:
            found[device.id] = await compare_stored(export.store, fleet, device, since=export.since, until=until)
        return all(stored.agrees for stored in found.values())

    with contextlib.suppress(StackError):
        await wait_until(agree, arrival_s, "All that was told is stored", interval_s=0.5)
    return found


async def now(fleet: Fleet) -> float:
    """Return the simulator's time."""
    return (await fleet.truth(fleet.devices[0])).ts
