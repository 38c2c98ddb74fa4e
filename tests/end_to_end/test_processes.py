"""Nothing that the stack starts outlives it, whatever happens to the parent."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.stack import REPOSITORY
from tests.stack.processes import Process, StackError, free_port, wait_until

if TYPE_CHECKING:
    from pathlib import Path

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = f"""
import asyncio, pathlib, signal, sys
from tests.stack.processes import Process
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started by ignores
async def main():
    child = Process("child", (sys.executable, "-c", {STUBBORN!r}), log=pathlib.Path(sys.argv[1]))
    await child.start()
    print(child.pid, flush=True)
    if sys.argv[2] == "fail":
        raise RuntimeError("on purpose")
    await asyncio.sleep(60)
asyncio.run(main())
"""


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    async with Process("stubborn", (sys.executable, "-c", STUBBORN), log=tmp_path / "log") as child:
        await child.wait_until(lambda: "up" in child.tail(), 10, "the child is up")
        pid = child.pid
        await child.stop(grace_s=0.2)
        assert child.returncode == -signal.SIGKILL
        assert pid is not None
        assert not alive(pid)


@pytest.mark.parametrize(
    ("end", "number"), [("killed", signal.SIGKILL), ("fail", None), ("interrupted", signal.SIGINT)]
)
async def test_a_child_ends_with_its_parent(tmp_path: Path, end: str, number: signal.Signals | None) -> None:
    parent = subprocess.Popen(  # noqa: ASYNC220
        (sys.executable, "-c", PARENT, tmp_path / "log", end),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        child = int(await asyncio.to_thread(parent.stdout.readline))
        if number is not None:
            assert alive(child)
            parent.send_signal(number)
        await wait_until(lambda: parent.poll() is not None, 10, "the parent is gone")
        await wait_until(lambda: not alive(child), 10, "the child is gone")


async def test_a_condition_that_cannot_come_true_fails_at_once_with_the_log(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", "import sys; sys.exit('no such configuration')")
    async with Process("broken", argv, log=tmp_path / "log") as child:
        with pytest.raises(StackError, match=r"(?s)broken ended with code 1.*no such configuration"):
            await child.wait_until(lambda: False, 60, "never")


async def test_a_missing_program_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="run scripts/setup"):
        await Process("nothing", ("does-not-exist",), log=tmp_path / "log").start()


def test_a_free_port_is_kept_and_a_taken_one_replaced() -> None:
    port = free_port()
    assert free_port(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert free_port(port) != port


async def test_a_suspended_child_hangs_until_it_is_resumed_and_can_be_ended(tmp_path: Path) -> None:
    talking = "import time\nwhile True: print('here', flush=True); time.sleep(0.02)"
    async with Process("talker", (sys.executable, "-c", talking), log=tmp_path / "log") as child:
        await child.wait_until(lambda: "here" in child.tail(), 10, "the child is up")
        child.suspend()
        await asyncio.sleep(0.1)
        size = child.log.stat().st_size
        await asyncio.sleep(0.3)
        assert child.log.stat().st_size == size
        child.resume()
        await child.wait_until(lambda: child.log.stat().st_size > size, 10, "it goes on")
        child.suspend()
        await child.stop(grace_s=5)
        assert child.returncode == -signal.SIGTERM
    with pytest.raises(StackError, match="does not run"):
        child.resume()
