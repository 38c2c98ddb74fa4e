"""How many readings a second: the exporter, and beside it what only receives them."""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.exporter_stage import DEADLINE_S, FLEET, Stage
from tests.benchmarks.process_cpu import CpuTime
from tests.stack import REPOSITORY
from tests.stack.exporter import PATHS, Exporter
from tests.stack.processes import Process, StackError

EVENTS = "+/events/rpc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What became of a blast. CPU is user and system time, in µs per message."""

    messages: int
    stored_s: float
    """From the first message published to the last one received, by the exporter: in the store."""
    durable_s: float | None = None
    """… to the last one on disk."""
    published_s: float
    """… to the last one that the broker has taken."""
    cpu_us: float | None = None
    broker_us: float | None = None
    store_us: float | None = None

    @property
    def per_s(self) -> float:
        """Messages per second."""
        return self.messages / self.stored_s

    @property
    def durable_per_s(self) -> float:
        """Messages per second, until they are on disk."""
        return self.messages / (self.stored_s if self.durable_s is None else self.durable_s)


async def through(stage: Stage, exporters: Sequence[Exporter], count: int) -> Rate:
    """Blast `count` readings through exporters into the store; StackError unless all arrive."""
    packets = stage.packets(count)
    pids = [_pid(exporter.process) for exporter in exporters]
    broker, store = _pid(stage.broker.process), _pid(stage.store.process)
    before = {pid: CpuTime.of(pid) for pid in (*pids, broker, store)}
    begun = time.time()
    await stage.blast(packets)
    published = time.time()
    seen = await stage.all_stored()
    used = {pid: CpuTime.of(pid).since(cpu).total_s / len(packets) * 1e6 for pid, cpu in before.items()}
    return Rate(
        messages=len(packets),
        published_s=published - begun,
        durable_s=_last_change(exporters, "*.segment", seen) - begun,
        stored_s=_last_change(exporters, "checkpoint", seen) - begun,
        cpu_us=sum(used[pid] for pid in pids),
        broker_us=used[broker],
        store_us=used[store],
    )


def _last_change(exporters: Sequence[Exporter], pattern: str, seen: float) -> float:
    """Return when a spool last took or delivered something: it tells by itself, and asking costs nothing."""
    paths = [path for exporter in exporters for path in (exporter.spool / "spool" / "raw").glob(pattern)]
    return min(seen, max(path.stat().st_mtime for path in paths))


async def bare(stage: Stage, count: int, *, paho: bool = False) -> Rate:
    """Blast at a loop that only receives, of the exporter's MQTT client or of `paho`; see `exporter_bare`."""
    packets = stage.packets(count)
    which = "paho" if paho else "exporter"
    argv = (
        sys.executable,
        "-m",
        "tests.benchmarks.exporter_bare",
        which,
        str(stage.broker.port),
        FLEET,
        str(len(packets)),
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (REPOSITORY, *PATHS)))}
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, env=env)
    if child.stdin is None or child.stdout is None:
        raise StackError("The bare receive loop has no pipes")
    try:
        child.stdin.write(stage.broker.password(FLEET).encode() + b"\n")
        if await child.stdout.readline() != b"ready\n":
            raise StackError("The bare receive loop does not start: see above")
        begun = time.monotonic()
        await stage.wire.blast(packets)
        published = time.monotonic()
        async with asyncio.timeout(DEADLINE_S):
            told = json.loads(await child.stdout.readline())
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
    cpu_us = told["cpu_s"] / len(packets) * 1e6
    return Rate(messages=len(packets), published_s=published - begun, stored_s=told["at"] - begun, cpu_us=cpu_us)


async def mosquitto_sub(stage: Stage, count: int) -> Rate:
    """Blast at Mosquitto's own subscriber, in C."""
    program = shutil.which("mosquitto_sub")
    if program is None:
        raise StackError("mosquitto_sub is not installed: `apt-get install mosquitto-clients` and start again")
    packets = stage.packets(count)
    login = ("-p", str(stage.broker.port), "-u", FLEET, "-P", stage.broker.password(FLEET))
    subscriber = (program, *login, "-h", "127.0.0.1", "-i", "mosquitto-sub", "-q", "1", "-t", EVENTS)
    log = stage.directory / "mosquitto_sub.log"
    # A session, so that nothing is missed before it listens.
    async with Process("mosquitto_sub", (*subscriber, "-c", "-E"), log=log) as subscribing:
        await subscribing.ended()
    argv = (*subscriber, "-c", "-C", str(len(packets)), "-F", "%l")
    async with Process("mosquitto_sub", argv, log=log, stdout=Path(os.devnull)) as receiving:
        begun = time.monotonic()
        await stage.wire.blast(packets)
        published = time.monotonic()
        async with asyncio.timeout(DEADLINE_S):
            if code := await receiving.ended():
                raise StackError(f"mosquitto_sub failed with code {code}: {receiving.tail()}")
        received = time.monotonic()
    async with Process("mosquitto_sub", (*subscriber, "-E"), log=log) as forgetting:
        await forgetting.ended()
    return Rate(messages=len(packets), published_s=published - begun, stored_s=received - begun)


def _pid(process: Process) -> int:
    if process.pid is None:
        raise StackError(f"{process.name} does not run")
    return process.pid
