"""A disk that is full, and a store that will not have everything: what can be kept is kept, and it is said aloud."""

import asyncio
import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.end_to_end.exporter_line import raise_line
from tests.end_to_end.nonsense import USER
from tests.stack import REPOSITORY
from tests.stack.mosquitto import Account
from tests.stack.processes import Process, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.exporter_line import Line

DISK_MIB = 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, as the spool of an exporter whose disk others fill."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S607


async def command(line: Line, name: str) -> tuple[int | None, str]:
    """Run a command of the exporter's, and return its exit code and what it printed."""
    printed = line.exporter.directory / f"{name}.txt"
    argv = (sys.executable, "-m", "shelly_exporter", "--config", line.exporter.config, name)
    async with Process(name, argv, log=printed, env=line.exporter.env) as process:
        await wait_until(lambda: not process.running, 30, f"{name} ends")
        return process.returncode, printed.read_text()


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for _ in range(2 * DISK_MIB * 16):
            file.write(bytes(64 * 1024))
    assert path.stat().st_size > DISK_MIB * 1024 * 512


async def test_the_disk_is_full(tmp_path: Path, small_disk: Path) -> None:
    settings = {"spool": {"directory": str(small_disk / "exporter")}}
    async with raise_line(tmp_path, settings=settings) as line:
        await line.told(10)
        filler = small_disk / "filler"
        fill(filler)
        await line.store.kill()
        await line.told(100)

        async def said() -> bool:
            hop = await line.exporter.hop("spool")
            return bool(hop["level"] != "ok" and "disk full" in hop["reason"])

        await wait_until(said, 30, "The exporter says that its disk is full")
        filler.unlink()
        await line.store.start()
        # The broker has kept what was not acknowledged.
        results = await line.compared(deadline_s=40)
        for device, result in results.items():
            assert (result.different, result.extra) == ([], []), device
            lost = {key[0] for key, _ in result.lost}
            assert lost <= {"em", "em_wide", "em1", "temperature"}, f"{device}: counters and states are never given up"
        given_up = sum(
            lines for name, lines in (await line.exporter.metrics()).items() if "spool_lost_lines_total" in name
        )
        assert 0 < sum(len(result.lost) for result in results.values()) <= given_up


async def test_the_store_wants_another_type_of_one_field(tmp_path: Path) -> None:
    async with raise_line(tmp_path, start=False) as line:
        async with aiohttp.ClientSession(line.store.url) as session:
            await session.post("/query", data={"q": 'CREATE DATABASE "shelly"'})
            # Somebody has written text there before.
            body = f'em,channel=0,device={line.meter.id},phase=a voltage="230"'
            async with session.post("/write", params={"db": "shelly"}, data=body) as response:
                assert response.status == 204
        await line.exporter.start()
        line.exporter.devices = line.fleet.devices
        line.exporter.reload()
        await line.exporter.connected()
        await line.told(20)

        async def buried() -> bool:
            metrics = await line.exporter.metrics()
            return metrics.get('shelly_exporter_dead_letters_total{reason="type conflict"}', 0) > 20

        await wait_until(buried, 30, "What the store refuses is kept as dead letters")
        await line.silence()
        # Nothing is on its way any more: what came later would have its other fields dropped below.
        await line.exporter.stop()
        rows = await line.store.query("shelly", f"SELECT * FROM em WHERE device = '{line.meter.id}'")  # noqa: S608
        stored = [row for row in rows if "current" in row]
        assert len(stored) > 60
        assert {row["voltage"] for row in stored if "voltage" in row} <= {"230"}, "nothing but that field is missing"
        # The person removes what stood in the way, and replays, twice.
        for statement in ('DROP DATABASE "shelly"', 'CREATE DATABASE "shelly"'):
            await line.store.query("", statement)
        async with aiohttp.ClientSession(line.store.url) as session:
            copied = "\n".join(map(as_line, stored))
            async with session.post("/write", params={"db": "shelly", "precision": "ms"}, data=copied) as response:
                assert response.status == 204
        for _ in range(2):
            code, printed = await command(line, "replay")
            assert code == 0, printed
        rows = await line.store.query("shelly", f"SELECT * FROM em WHERE device = '{line.meter.id}'")  # noqa: S608
        assert len(rows) == len(stored)
        assert all(isinstance(row.get("voltage"), float | int) for row in rows)


def as_line(row: dict[str, Any]) -> str:
    """Write a row of `em` as a line, without the field that was refused."""
    tags = ",".join(f"{tag}={row[tag]}" for tag in ("channel", "device", "phase"))
    fields = ",".join(
        f"{name}={value}"
        for name, value in row.items()
        if name not in {"channel", "device", "phase", "time", "voltage"}
    )
    return f"em,{tags} {fields} {row['time']}"


async def test_a_clock_that_is_wrong_and_set_right(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line:
        await line.told(10)
        for skew_s in (3600.0, -7200.0):
            await line.fleet.set_fault(line.meter, "clock", skew_s=skew_s)
            await line.told(40)
            await line.fleet.clear_faults(line.meter)
            await line.told(20)
        await line.silence()
        await line.exporter.drained()
        told = [
            (row["at"], row["params"]["em:0"]["total_act_power"])
            for row in await line.fleet.told(line.meter)
            if row["kind"] == "NotifyStatus" and "em:0" in row["params"]
        ]
        condition = f"device = '{line.meter.id}' AND origin = 'mqtt'"
        rows = await line.store.query("shelly", f"SELECT total_act_power FROM em_wide WHERE {condition}")  # noqa: S608
        stored = {row["time"] / 1000: row["total_act_power"] for row in rows}
        # A reading of which the clock made another second is found near its true time, with its own value.
        missing = [
            (at, power)
            for at, power in told
            if not any(abs(ts - at) < 3 and there == power for ts, there in stored.items())
        ]
        assert missing == []
        newest, oldest = max(stored), min(stored)
        assert (oldest - told[0][0]) > -3
        assert (newest - told[-1][0]) < 3, "nothing is stored in the future or the past"


async def test_a_flood_of_nonsense(tmp_path: Path) -> None:
    async with raise_line(tmp_path, accounts=[Account(user=USER, rules=("write #",))]) as line:
        await line.told(5)
        before = memory_mib(line)
        await flood(line)
        await line.told(20)

        async def counted() -> bool:
            metrics = await line.exporter.metrics()
            foreign = metrics['shelly_exporter_messages_total{result="foreign"}']
            malformed = metrics['shelly_exporter_messages_total{result="malformed"}']
            return bool(foreign + malformed >= 10_000 and metrics['shelly_exporter_messages_total{result="oversized"}'])

        await wait_until(counted, 60, "The nonsense is counted")
        assert memory_mib(line) - before < 60
        counts = (await line.exporter.hop("broker"))["details"]["counts"]
        assert counts["foreign"] + counts["malformed"] >= 10_000
        assert len(line.exporter.devices) == 3
        assert (await line.exporter.metrics())["shelly_exporter_devices"] == 3
        await line.assert_all_stored()


async def flood(line: Line) -> None:
    """Publish on 10 000 unknown topics, and frames of 10 MB, with the login of the devices."""
    argv = (sys.executable, "-m", "tests.end_to_end.nonsense", line.broker.host, str(line.broker.port))
    env = {"NONSENSE_PASSWORD": line.broker.password(USER)}
    async with Process(
        "nonsense", argv, log=line.exporter.directory / "nonsense.log", env=env, cwd=REPOSITORY
    ) as process:
        await asyncio.wait_for(process.ended(), 120)
        assert process.returncode == 0, process.tail()


def memory_mib(line: Line) -> float:
    """Return how much memory the exporter holds."""
    with open(f"/proc/{line.exporter.process.pid}/status") as file:  # noqa: PTH123
        return next(int(row.split()[1]) / 1024 for row in file if row.startswith("VmRSS"))
