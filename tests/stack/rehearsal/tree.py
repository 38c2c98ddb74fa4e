"""A stand-in for s6-overlay's /init: real s6-svscan and s6-supervise, and the services of s6-rc.d by dependencies.

Run in the root of the rehearsal, as root:  python -m tests.stack.rehearsal.tree
Debian has no s6-rc. `up` and `down` do what `s6-rc change` does: start or stop each service as soon as those before it
are done. A oneshot that fails at boot ends it all, as with S6_BEHAVIOUR_IF_STAGE2_FAILS=2.
"""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from tests.stack.processes import PR_SET_PDEATHSIG, wait_until
from tests.stack.rehearsal.graph import Definition, needs, order, read

DEFINITIONS = Path("/etc/s6-overlay/s6-rc.d")
SCAN = Path("/run/service")
RESULT = Path("/run/rehearsal-result")
"""The exit code of the container."""
PASSED_ON = ("SUPERVISOR_TOKEN", "APP_")
_MODULE = "tests.stack.rehearsal.tree"
_OURS = {"PATH": "/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class FailedError(Exception):
    """A service could not be started."""


def main() -> int:
    """Be the first process of a container, or one of the two things it starts."""
    match sys.argv[1:]:
        case ["up"]:
            return asyncio.run(_up())
        case ["down"]:
            asyncio.run(_down())
            return 0
    return _contain()


def _contain() -> int:
    """Start the first process in a namespace of its own and return its exit code; SIGTERM is handed on to it."""
    os.unshare(os.CLONE_NEWPID | os.CLONE_NEWNS)
    if (child := os.fork()) == 0:
        _first()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _first() -> NoReturn:
    """Prepare what s6-svscan finds, start `up` and become s6-svscan; with whoever started it, all of it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    subprocess.run(("mount", "-t", "proc", "proc", "/proc"), check=True)  # noqa: S607  # from the root's own PATH
    shutil.rmtree(SCAN, ignore_errors=True)
    RESULT.write_text("0")
    for name, definition in read(DEFINITIONS).items():
        if definition.kind == "longrun":
            _supervise(name, definition)
    hooks = SCAN / ".s6-svscan"
    hooks.mkdir(parents=True)
    _write_script(hooks / "SIGTERM", f"cd {Path.cwd()} && exec {sys.executable} -m {_MODULE} down")
    _write_script(hooks / "finish", f"exit $(cat {RESULT})")
    environment = _OURS | {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    if os.fork() == 0:
        os.execve(sys.executable, (sys.executable, "-m", _MODULE, "up"), environment)  # noqa: S606
    os.execvpe("s6-svscan", ("s6-svscan", str(SCAN)), environment)  # noqa: S606, S607


def _supervise(name: str, definition: Definition) -> None:
    folder = SCAN / name
    shutil.copytree(definition.folder, folder, ignore=shutil.ignore_patterns("type", "dependencies.d"))
    (folder / "down").touch()  # nothing starts before `up` says so


def _write_script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


async def _up() -> int:
    definitions = read(DEFINITIONS)
    names = order(definitions, ("user",))
    started = {name: asyncio.Event() for name in names}

    async def start(name: str) -> None:
        for needed in needs(definitions, name):
            await started[needed].wait()
        await _start(name, definitions[name])
        _say(f"service {name} started")
        started[name].set()

    try:
        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(start(name))
    except* FailedError as failed:
        for error in failed.exceptions:
            _say(f"{error}: stopping the container")
        _fail()
        await _down()
    return 0


def _fail() -> None:
    RESULT.write_text("1")


async def _start(name: str, definition: Definition) -> None:
    if definition.kind == "oneshot":
        if await _run("execlineb", "-P", definition.folder / "up") != 0:
            raise FailedError(f"unable to start service {name}")
        return
    control = SCAN / name / "supervise" / "control"
    await wait_until(control.exists, 20, f"s6-supervise looks after {name}")
    await _run("s6-svc", "-wU" if definition.notifies else "-wu", "-u", SCAN / name)


async def _down() -> None:
    definitions = read(DEFINITIONS)
    names = [name for name in order(definitions, ("user",)) if definitions[name].kind == "longrun"]
    stopped = {name: asyncio.Event() for name in names}

    async def stop(name: str) -> None:
        for other in names:
            if name in needs(definitions, other):
                await stopped[other].wait()
        await _run("s6-svc", "-wD", "-d", SCAN / name)
        _say(f"service {name} stopped")
        stopped[name].set()

    async with asyncio.TaskGroup() as tasks:
        for name in names:
            tasks.create_task(stop(name))
    await _run("s6-svscanctl", "-t", SCAN)


async def _run(*argv: str | Path) -> int:
    process = await asyncio.create_subprocess_exec(*argv)
    return await process.wait()


def _say(line: str) -> None:
    sys.stderr.write(f"rehearsal: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
