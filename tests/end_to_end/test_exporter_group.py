"""Several exporters: side by side, sharing the work, and one of them dying."""

import contextlib
import time
from typing import TYPE_CHECKING

from tests.end_to_end.exporter_line import raise_line
from tests.stack.exporter import Exporter, exporter_account
from tests.stack.processes import wait_until
from tests.stack.redis_server import RedisServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.exporter_line import Line

NAMES = ("one", "two", "three")
LEASE_S = 20.0


async def test_two_exporters_write_the_same(tmp_path: Path) -> None:
    async with raise_line(tmp_path, accounts=[exporter_account("second")]) as line:
        second = another(line, "second", tmp_path)
        async with second:
            await second.connected()
            await line.told(20)
            await line.exporter.kill()
            await line.told(20)
            await line.exporter.start()
            await second.kill()
            await line.told(20)
            await second.start()
            await line.told(10)
            await line.assert_all_stored(line.exporter, second)


async def test_one_of_three_dies_and_the_others_take_over(tmp_path: Path) -> None:
    accounts = [exporter_account(name) for name in NAMES]
    async with contextlib.AsyncExitStack() as running:
        redis = await running.enter_async_context(RedisServer(tmp_path / "redis"))
        line = await running.enter_async_context(raise_line(tmp_path, accounts=accounts, start=False))
        cluster = {"cluster": {"group": "all", "redis_url": redis.url}}
        exporters = [another(line, name, tmp_path, **cluster) for name in NAMES]
        for exporter in exporters:
            await running.enter_async_context(exporter)
        await wait_until(lambda: held_once(exporters), LEASE_S, "Each device is asked by one exporter")
        line.since = time.time()
        await line.told(20)
        victim = await holder_of(exporters, line.meter.id)
        await victim.kill()
        rest = [exporter for exporter in exporters if exporter is not victim]
        await line.told(20)
        await wait_until(lambda: held_once(rest), LEASE_S, "The others ask the devices of the one that died")
        # A silent meter is now read over HTTP, by exactly one of them.
        await line.fleet.set_fault(line.meter, "mqtt_silent")
        heir = await holder_of(rest, line.meter.id)

        async def on_http() -> bool:
            return bool((await heir.hop(f"device:{line.meter.id}"))["details"]["active"] == "http")

        await wait_until(on_http, 40, "The silent meter is read over HTTP")
        await line.fleet.clear_faults(line.meter)
        await victim.start()
        await wait_until(lambda: held_once(exporters), LEASE_S, "Each device is asked by one exporter again")
        await line.told(20)
        taken = [await messages(exporter) for exporter in exporters]
        assert all(count > 0 for count in taken), f"all three share the work: {taken}"
        await line.assert_all_stored(*exporters)


def another(line: Line, name: str, directory: Path, **settings: dict[str, str]) -> Exporter:
    """Return one more exporter on the same line."""
    return Exporter(
        directory / name,
        broker=line.broker,
        store=line.store.url,
        user=name,
        devices=line.fleet.devices,
        settings=settings,
    )


async def held_once(exporters: list[Exporter]) -> bool:
    """Tell whether every device is asked by exactly one exporter, which reaches it."""
    devices = [hop for exporter in exporters for hop in (await exporter.health())["hops"] if "device:" in hop["name"]]
    names = {hop["name"] for hop in devices}
    return len(devices) == len(names) == len(exporters[0].devices) and all(hop["level"] == "ok" for hop in devices)


async def holder_of(exporters: list[Exporter], device: str) -> Exporter:
    """Return who asks a device."""
    for exporter in exporters:
        if any(hop["name"] == f"device:{device}" for hop in (await exporter.health())["hops"]):
            return exporter
    raise AssertionError(f"nobody asks {device}")


async def messages(exporter: Exporter) -> float:
    """Return how many messages an exporter has taken."""
    return (await exporter.metrics())['shelly_exporter_messages_total{result="taken"}']
