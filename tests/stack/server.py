"""What all real servers of the tests have in common: one process, one port on loopback, files in one folder."""

import os
import shutil
from typing import TYPE_CHECKING, Self

from tests.stack.processes import Process, StackError, accepts, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Debian keeps system programs where an ordinary user's PATH does not look.
SYSTEM_PATH = os.pathsep.join(
    (os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
)
START_S = 20.0
GRACE_S = 10.0


class Server:
    """One server; files in `directory`. Port and data stay the same over `kill`, `stop` and `start`."""

    def __init__(self, name: str, directory: Path, port: int | None, argv: Sequence[str | Path]) -> None:
        self.directory = directory
        self.port = free_port() if port is None else port
        self.process = Process(name, argv, log=directory / f"{name.lower().replace(' ', '-')}.log")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def host(self) -> str:
        """The address clients connect to."""
        return "127.0.0.1"

    @property
    def url(self) -> str:
        """Where it listens, if it speaks HTTP."""
        return f"http://{self.host}:{self.port}"

    async def prepare(self) -> None:
        """Write what it reads at its start."""

    async def start(self) -> None:
        """Write its files and start it; returns when it listens."""
        self.directory.mkdir(parents=True, exist_ok=True)
        await self.prepare()
        await self.process.start()
        await self.process.wait_until(
            lambda: accepts(self.port), START_S, f"{self.process.name} listens on port {self.port}"
        )

    async def stop(self) -> None:
        """End orderly."""
        await self.process.stop(grace_s=GRACE_S)

    async def kill(self) -> None:
        """End at once, as a crash would."""
        await self.process.kill()

    async def restart(self) -> None:
        """Stop and start again on the same port with the same data."""
        await self.stop()
        await self.start()

    def suspend(self) -> None:
        """Let it hang until `resume`: connections stay open, new ones are accepted by the kernel only."""
        self.process.suspend()

    def resume(self) -> None:
        """Let a suspended one go on."""
        self.process.resume()


def program(name: str, package: str | None = None) -> str:
    """Return the path of a program; StackError that names its Debian package when it is missing."""
    if (path := shutil.which(name, path=SYSTEM_PATH)) is None:
        wanted = name if package is None else package
        raise StackError(f"{name} is not installed: `apt-get install {wanted}` (or run scripts/setup) and start again")
    return path


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
