"""What the app finds around it: a root made from its own files, its folders, and a network with nothing else in it."""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from tests.stack import REPOSITORY
from tests.stack.processes import Process, StackError
from tests.stack.rehearsal import trixie

ROOTFS = REPOSITORY / "addon" / "rootfs"
_SHOWN = ("addon", "custom_components/shelly_pro", "tests")
_PROGRAMS = {"shelly-app": "shelly_app", "shelly-exporter": "shelly_exporter"}
_USERS = ("influxdb", "grafana", "shelly-control", "shelly-exporter")
"""Those of the Dockerfile."""
_HOSTS = "127.0.0.1 localhost supervisor\n"
_FOLDERS = ("data", "config", "ssl", "usr/share/shelly-pro")
_DEADLINE_S = 30


class World:
    """Folders survive the app, as they do when it is updated; all is gone when the world ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keeper: Process | None = None

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True)
        base = await asyncio.to_thread(trixie.root)
        said = self._folder / "ready"
        program = "tests.stack.rehearsal.enclosure"
        argv: tuple[str | Path, ...] = (sys.executable, "-m", program, base, self._folder, *_binds())
        self._keeper = Process("the world", argv, log=self._folder / "world.log", stdout=said, cwd=REPOSITORY)
        await self._keeper.start()
        await self._keeper.wait_until(lambda: said.read_text() == "ready\n", 20, "the world is there")
        self._furnish()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper is not None:
            await self._keeper.stop()

    @property
    def root(self) -> Path:
        """The folder that is `/` inside."""
        return Path(f"/proc/{self._pid}/root")

    def inside(self, *argv: str | Path) -> tuple[str | Path, ...]:
        """Return the command line by which `argv` runs in the root and the network of the app."""
        return (*self._enter("--mount", "--root"), "env", f"--chdir={REPOSITORY}", *argv)

    def beside(self, *argv: str | Path) -> tuple[str | Path, ...]:
        """Return the command line by which `argv` runs on this machine, but in the network of the app."""
        return (*self._enter(), *argv)

    async def run(self, *argv: str | Path) -> str:
        """Run a command inside and return what it wrote."""
        process = await asyncio.create_subprocess_exec(*self.inside(*argv), stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise StackError(f"{argv} ended with code {process.returncode}")
        return output.decode()

    async def ask[T](self, question: Callable[[], Awaitable[T]]) -> T:
        """Await `question()` in a thread whose sockets are in the network of the app; TimeoutError after a while."""

        async def awaited() -> T:
            async with asyncio.timeout(_DEADLINE_S):
                return await question()

        def enter() -> T:
            descriptor = os.open(f"/proc/{self._pid}/ns/net", os.O_RDONLY)
            try:
                os.setns(descriptor, os.CLONE_NEWNET)
            finally:
                os.close(descriptor)
            return asyncio.run(awaited())

        return await _in_thread_of_its_own(enter)

    def install(self, path: str, module: str, arguments: str = '"$@"') -> None:
        """Put a program inside that runs a Python module of this repository."""
        paths = ":".join(str(REPOSITORY / name) for name in ("", *_SHOWN[:2]))
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(
            f"#!/bin/sh\nPYTHONPATH={paths} exec {sys.executable} -m {module} {arguments}\n",
        )
        target.chmod(0o755)

    @property
    def _pid(self) -> int:
        if self._keeper is None or self._keeper.pid is None:
            raise StackError("The world was not made: enter it first")
        return self._keeper.pid

    def _enter(self, *more: str) -> tuple[str, ...]:
        return ("nsenter", f"--target={self._pid}", "--net", *more)

    def _furnish(self) -> None:
        """Do what the Dockerfile does after the packages."""
        root = self.root
        shutil.copytree(ROOTFS, root, dirs_exist_ok=True)
        for name in _FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "usr/share/shelly-pro/boards").symlink_to(REPOSITORY / "addon" / "grafana" / "boards")
        (root / "etc/hosts").write_text(_HOSTS)
        with (root / "etc/passwd").open("a") as users, (root / "etc/group").open("a") as groups:
            for number, name in enumerate(_USERS, start=900):
                users.write(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n")
                groups.write(f"{name}:x:{number}:\n")
        for name, module in _PROGRAMS.items():
            self.install(f"usr/bin/{name}", module)


def _binds() -> Sequence[Path]:
    """Return the folders of this machine that Python and our code need, at the same paths inside."""
    python = Path(sys.prefix, "bin", "python").readlink()
    bases = {Path(sys.base_prefix), Path(sys.base_prefix).resolve(), python.parent.parent}
    if Path("/usr") in bases:
        raise StackError("The rehearsal needs a Python in a folder of its own, such as scripts/setup makes")
    return (*sorted(bases), Path(sys.prefix), *(REPOSITORY / name for name in _SHOWN))


async def _in_thread_of_its_own[T](function: Callable[[], T]) -> T:
    """Run it in a thread that nobody uses afterwards: what it entered, it never leaves."""
    with ThreadPoolExecutor(max_workers=1) as threads:
        return await asyncio.get_running_loop().run_in_executor(threads, function)
