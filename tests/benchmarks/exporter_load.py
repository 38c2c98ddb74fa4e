"""What many devices cost that report once a second; how fast an outage is made up for; what several exporters bring."""

import asyncio
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.exporter_rates import Rate, through
from tests.benchmarks.exporter_stage import DEADLINE_S, raise_stage
from tests.benchmarks.process_cpu import CpuTime
from tests.stack.processes import StackError, wait_until
from tests.stack.redis_server import RedisServer

TAKEN = 'shelly_exporter_messages_total{result="taken"}'
GROUP = "benchmark"
SETTLE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What an exporter with so many devices needs."""

    devices: int
    cpu_share: float
    memory_mib: float
    """Resident at the end."""
    most_mib: float
    """… and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """What became of readings that waited for the store."""

    readings: int
    found_s: float
    """From the store's start to the first reading in it: the exporter does not ask it all the time."""
    emptied_s: float
    """From then until the spool was empty."""


async def load(directory: Path, devices: int, seconds: float) -> Load:
    """Let devices report for a while, one report a second each."""
    async with raise_stage(directory, devices) as stage, stage.exporter("exporter") as exporter:
        await stage.introduce([exporter])
        await stage.tell(SETTLE_S)
        pid = exporter.process.pid
        if pid is None:
            raise StackError("The exporter does not run")
        loop = asyncio.get_running_loop()
        before, begun = CpuTime.of(pid), loop.time()
        await stage.tell(seconds)
        share = CpuTime.of(pid).since(before).total_s / (loop.time() - begun)
        await stage.all_stored()
        return Load(devices=devices, cpu_share=share, memory_mib=_mib(pid, "VmRSS"), most_mib=_mib(pid, "VmHWM"))


async def catch_up(directory: Path, devices: int, seconds: int) -> CatchUp:
    """Stop the store for as long as `devices` need for `seconds` readings each, blasted, and start it again."""
    async with raise_stage(directory, devices) as stage, stage.exporter("exporter") as exporter:
        await stage.introduce([exporter])
        await stage.all_stored()
        await stage.store.stop()
        count, before = devices * seconds, (await exporter.metrics())[TAKEN]
        await stage.blast(stage.packets(count))

        async def taken() -> bool:
            return (await exporter.metrics())[TAKEN] - before >= count

        await wait_until(taken, DEADLINE_S, "The exporter has taken all", interval_s=0.5)
        await asyncio.sleep(1.0)  # the last of it is on disk, and the exporter has met that the store is away
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await stage.store.start()
        checkpoint = exporter.spool / "spool" / "raw" / "checkpoint"
        stopped = checkpoint.stat().st_mtime
        await wait_until(
            lambda: checkpoint.stat().st_mtime > stopped, DEADLINE_S, "The store is found", interval_s=0.005
        )
        found = loop.time()
        first = checkpoint.stat().st_mtime
        await stage.all_stored()
        return CatchUp(readings=count, found_s=found - begun, emptied_s=checkpoint.stat().st_mtime - first)


async def group(directory: Path, devices: int, instances: int, count: int) -> Rate:
    """Blast at several exporters that share the messages; StackError unless all readings are stored, each once."""
    users = [f"exporter-{number}" for number in range(1, instances + 1)]
    async with (
        raise_stage(directory, devices, users) as stage,
        RedisServer(directory / "redis") as redis,
        AsyncExitStack() as running,
    ):
        settings = {"cluster": {"group": GROUP, "redis_url": redis.url}}
        exporters = [await running.enter_async_context(stage.exporter(user, settings)) for user in users]
        await stage.introduce(exporters)
        await stage.all_stored()
        return await through(stage, exporters, count)


def _mib(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise StackError(f"Process {pid} cannot be measured: look at its log")
    return int(found[1]) / 1024
