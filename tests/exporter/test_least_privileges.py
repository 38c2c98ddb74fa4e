"""The rules for the broker that the exporter's README gives suffice, and each of them is needed."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, override

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


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A device that tells something five times a second, a broker and a store."""

    directory: Path
    broker: Broker
    store: InfluxServer
    device: str

    @asynccontextmanager
    async def exporter(self, user: str) -> AsyncIterator[Exporter]:
        """An exporter with this login and database, which asks the device over MQTT only."""
        settings: dict[str, dict[str, Any]] = {
            "devices": {"http": False},
            "influxdb": {"bucket": user, "rollup_bucket": f"{user}-rollups"},
        }
        directory = self.directory / user
        async with Exporter(
            directory, broker=self.broker, store=self.store.url, user=user, settings=settings
        ) as exporter:
            yield exporter

    async def works(self, exporter: Exporter) -> bool:
        """Readings arrive, the device answers, and the broker tells what it dropped."""
        query = f"SELECT count(total_act_power) AS readings FROM em_wide WHERE device = '{self.device}'"  # noqa: S608
        databases = [row["name"] for row in await self.store.query("", "SHOW DATABASES")]
        rows = await self.store.query(exporter.user, query) if exporter.user in databases else []
        health = await exporter.health()
        return (
            bool(rows)
            and int(rows[0]["readings"]) > 5
            and health["status"] == "ok"
            and f"device:{self.device}" in {hop["name"] for hop in health["hops"]}
            and "shelly_exporter_broker_dropped_total" in await exporter.metrics()
        )


@asynccontextmanager
async def raise_stage(directory: Path, accounts: Sequence[Account]) -> AsyncIterator[Stage]:
    devices = Account(user=DEVICES, rules=("readwrite #",))
    broker = StrictBroker(directory / "mosquitto", accounts=(devices, *accounts), extra=("sys_interval 1",))
    fleet = Fleet(directory / "simulator", [DeviceSpec(model="pro3em", cadence_s=0.2)], broker=broker)
    async with broker, InfluxServer(directory / "influxdb") as store, fleet:
        yield Stage(directory=directory, broker=broker, store=store, device=fleet.devices[0].id)


async def checked(exporter: Exporter) -> tuple[int | None, str]:
    """The exit code of `check`, and what it says."""
    argv = (sys.executable, "-m", "shelly_exporter", "--config", str(exporter.config), "check")
    run = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, env=os.environ | exporter.env)
    output, _ = await run.communicate()
    return run.returncode, output.decode()


async def test_with_the_rules_of_the_readme_everything_works_and_without_one_of_them_something_does_not(
    tmp_path: Path,
) -> None:
    assert FOR_CHECK in rules()
    # Without it, a device is met by its next reading; one that tells little is met later.
    needed = [rule for rule in rules() if rule not in {FOR_CHECK, "read +/online"}]
    lacking = {
        f"without-{number}": tuple(rule.replace(USER, f"without-{number}") for rule in rules() if rule != missing)
        for number, missing in enumerate(needed)
    }
    accounts = [Account(user=user, rules=allowed) for user, allowed in {**lacking, USER: rules()}.items()]
    async with raise_stage(tmp_path, accounts) as stage, AsyncExitStack() as running:
        others = await asyncio.gather(*(running.enter_async_context(stage.exporter(user)) for user in lacking))
        # It starts last: when it works, the others have had more time than it needed.
        exporter = await running.enter_async_context(stage.exporter(USER))
        await wait_until(lambda: stage.works(exporter), DEADLINE_S, "All that the exporter does works")
        assert [missing for missing, other in zip(needed, others, strict=True) if await stage.works(other)] == []
        code, said = await checked(exporter)
        assert code == 0, said
        assert stage.device in said
