"""The demo itself, as a person or CI starts it."""

import asyncio
import signal
import sys
from pathlib import Path

from tests.demo.__main__ import SPECS
from tests.stack import REPOSITORY
from tests.stack.fleet import Fleet
from tests.stack.processes import Process, wait_until

DEADLINE_S = 120.0


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
        assert len(started) == 3, "broker, simulator, Home Assistant"
        process.send(signal.SIGINT)
        async with asyncio.timeout(30):
            assert await process.ended() == 0, process.tail()
        await wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), 5, "Everything has ended")
        assert "log in as demo" in process.tail(lines=1000)


async def test_a_taken_port_names_the_remedy(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server, demo(tmp_path / "log", "--check", "--port", str(server.sockets[0].getsockname()[1])) as process:
        async with asyncio.timeout(30):
            assert await process.ended() == 1
        assert "or leave out --port" in process.tail()
