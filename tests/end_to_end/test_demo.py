"""The demo itself, as a person or CI starts it."""

import asyncio
import json
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.demo.__main__ import SPECS
from tests.demo.app import raise_app
from tests.demo.check import check_export
from tests.demo.export import Export
from tests.stack import REPOSITORY
from tests.stack.fleet import Fleet
from tests.stack.processes import Process, wait_until
from tests.stack.stage import silent

DEADLINE_S = 120.0
ON_ITS_WAY_S = 5.0
"""What the exporter may need for what a device has just told."""


def demo(log: Path, *options: str) -> Process:
    return Process("The demo", (sys.executable, "-m", "tests.demo", *options), log=log, cwd=REPOSITORY)


def descendants(pid: int) -> set[int]:
    """Return the living processes started by `pid`."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return set(map(int, children)) | {deeper for child in children for deeper in descendants(int(child))}


async def test_the_check_agrees_and_says_what_it_compared(tmp_path: Path) -> None:
    async with demo(tmp_path / "log", "--check") as process:
        async with asyncio.timeout(DEADLINE_S):
            code = await process.ended()
        said = process.tail(lines=1000)
        assert code == 0, said
        assert "entities agree, 12 of 12 switchings came out as ordered." in said
        assert "WRONG" not in said
        points = re.search(r"(\d+) points agree, 3 of 3 devices do\.", said)
        assert points is not None, said
        assert int(points[1]) > 10


async def test_the_check_names_what_is_wrong_in_influxdb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with raise_app(tmp_path, SPECS[1:], report=silent) as app:
        fleet, export = app.fleet, app.export
        wrong, lost = fleet.devices

        async def stored() -> bool:
            return len(await points(export, "em_wide", wrong.id)) > 2 and len(await points(export, "em1", lost.id)) > 8

        await wait_until(stored, 60, "Each device has a few points in InfluxDB")
        assert await check_export(fleet, export) == []
        *_, last = await points(export, "em_wide", wrong.id)
        await write(export, f"em_wide,channel=0,device={wrong.id} total_act_power=-1 {last}")
        await write(export, f"em_wide,channel=0,device={wrong.id} total_act_power=1 {last + 1}")
        await export.store.query("shelly", f"DROP SERIES FROM em1 WHERE device = '{lost.id}'")
        problems = await check_export(fleet, export, arrival_s=ON_ITS_WAY_S)
        first, second = problems
        assert f"{wrong.id} in InfluxDB: " in first
        assert "0 lost, 1 differ, 1 extra" in first
        assert f"{lost.id} in InfluxDB: " in second
        assert " 0 lost" not in second
        assert capsys.readouterr().out.count("DIFFERS") == 2


async def points(export: Export, measurement: str, device: str) -> list[int]:
    """Return the times of a device's points, in milliseconds."""
    statement = f"SELECT * FROM {measurement} WHERE device = '{device}' AND time >= {int(export.since * 1000)}ms"  # noqa: S608
    return [row["time"] for row in await export.store.query("shelly", statement)]


async def write(export: Export, line: str) -> None:
    url = f"{export.store.url}/write?db=shelly&precision=ms"
    async with aiohttp.ClientSession() as session, session.post(url, data=line) as response:
        assert response.status == 204, await response.text()


async def do(said: str, program: str) -> Any:
    """Ask what the recommended command line of curl asks, and return the answer."""
    command = next(line for line in said.splitlines() if line.strip().startswith(program))
    _, _, url, *rest = shlex.split(command)
    params = dict(word.split("=", 1) for word in rest if word != "--data-urlencode")
    async with aiohttp.ClientSession() as session, session.get(URL(url).update_query(params)) as response:
        return json.loads(await response.text())


async def test_what_the_demos_first_relay_switches_on_shows_on_its_house_meter_only(tmp_path: Path) -> None:
    async with Fleet(tmp_path, SPECS) as fleet:
        relays, meter, others = fleet.devices
        # A moment to come is foreseen twice, so that only the relay makes a difference.
        ts = (await fleet.truth(meter)).ts + 60

        async def foreseen_w() -> list[float]:
            meter_true, others_true = (await fleet.truth(meter, ts)).true, (await fleet.truth(others, ts)).true
            phases = [meter_true["em:0"][f"{phase}_act_power"] for phase in "abc"]
            return phases + [others_true[f"em1:{channel}"]["act_power"] for channel in range(3)]

        before = await foreseen_w()
        await fleet.set_switch(relays, 0, True)
        after = await foreseen_w()
        assert [round(new - old) for old, new in zip(before, after, strict=True)] == [1200, 0, 0, 0, 0, 0]


async def test_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    async with demo(tmp_path / "log") as process:
        await process.wait_until(lambda: "Ctrl-C stops everything" in process.tail(), DEADLINE_S, "The demo is up")
        assert process.pid is not None
        started = descendants(process.pid)
        assert len(started) == 5, "broker, simulator, Home Assistant, InfluxDB, exporter"
        said = process.tail(lines=1000)
        (answer,) = (await do(said, "curl -sG"))["results"]
        assert [series["tags"] for series in answer["series"]] == [{"phase": phase} for phase in "abc"]
        assert (await do(said, "curl -s http"))["status"] == "ok"
        process.send(signal.SIGINT)
        async with asyncio.timeout(30):
            assert await process.ended() == 0, process.tail()
        await wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), 30, "Everything has ended")
        assert "log in as demo" in process.tail(lines=1000)


async def test_a_taken_port_names_the_remedy(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server, demo(tmp_path / "log", "--check", "--port", str(server.sockets[0].getsockname()[1])) as process:
        async with asyncio.timeout(30):
            assert await process.ended() == 1
        assert "or leave out --port" in process.tail()
