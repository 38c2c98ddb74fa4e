"""The rules for the broker that the exporter's README gives suffice, and each of them is needed."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import override

import pytest

import shelly_exporter
from tests.stack.exporter import Exporter
from tests.stack.fleet import DeviceSpec, Fleet
from tests.stack.influxdb import InfluxServer
from tests.stack.mosquitto import DEVICES, Account, Broker
from tests.stack.processes import wait_until

README = Path(shelly_exporter.__path__[0]) / "README.md"
USER = "shelly-exporter"
FOR_CHECK = f"read {USER}-check/rpc"
DEADLINE_S = 20.0


def rules() -> tuple[str, ...]:
    """The README's lines for Mosquitto, without the word `topic`."""
    block = re.search(rf"user {USER}\n((?:topic .+\n)+)", README.read_text())
    assert block is not None
    return tuple(line.removeprefix("topic ") for line in block[1].splitlines())


class StrictBroker(Broker):
    """Gives no client more than the rules of its account, not even topics that begin with its own id."""

    @override
    def _acl(self) -> str:
        acl = super()._acl()
        assert "\npattern " in acl
        return "".join(f"{line}\n" for line in acl.splitlines() if not line.startswith("pattern "))


@asynccontextmanager
async def exporter_with(directory: Path, allowed: Sequence[str]) -> AsyncIterator[tuple[Exporter, InfluxServer, str]]:
    """An exporter that may do no more than `allowed`, the store, and the id of its only device."""
    accounts = (Account(user=DEVICES, rules=("readwrite #",)), Account(user=USER, rules=tuple(allowed)))
    broker = StrictBroker(directory / "mosquitto", accounts=accounts, extra=("sys_interval 1",))
    fleet = Fleet(directory / "simulator", [DeviceSpec(model="pro3em", cadence_s=0.2)], broker=broker)
    async with AsyncExitStack() as running:
        await running.enter_async_context(broker)
        store = await running.enter_async_context(InfluxServer(directory / "influxdb"))
        await running.enter_async_context(fleet)
        exporter = Exporter(
            directory / "exporter", broker=broker, store=store.url, user=USER, settings={"devices": {"http": False}}
        )
        yield await running.enter_async_context(exporter), store, fleet.devices[0].id


async def readings(store: InfluxServer, device: str) -> int:
    rows = await store.query("shelly", f"SELECT count(total_act_power) AS n FROM em_wide WHERE device = '{device}'")  # noqa: S608
    return int(rows[0]["n"]) if rows else 0


async def works(exporter: Exporter, store: InfluxServer, device: str) -> bool:
    """Readings arrive, the device answers, and the broker tells what it dropped."""
    metrics = await exporter.metrics()
    health = await exporter.health()
    return (
        await readings(store, device) > 5
        and health["status"] == "ok"
        and f"device:{device}" in {hop["name"] for hop in health["hops"]}
        and "shelly_exporter_broker_dropped_total" in metrics
    )


async def test_with_the_rules_of_the_readme_everything_works_and_check_says_so(tmp_path: Path) -> None:
    assert FOR_CHECK in rules()
    async with exporter_with(tmp_path, rules()) as (exporter, store, device):
        await wait_until(lambda: works(exporter, store, device), DEADLINE_S, "All that the exporter does works")
        argv = (sys.executable, "-m", "shelly_exporter", "--config", str(exporter.config), "check")
        run = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, env=exporter.env)
        output, _ = await run.communicate()
        assert run.returncode == 0, output.decode()
        assert device in output.decode()
