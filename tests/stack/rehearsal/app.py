"""The app in its world, from the first process to the exit code."""

import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.stack.processes import Process, wait_until
from tests.stack.rehearsal.world import World

SERVICES = ("control", "database", "exporter", "gateway", "grafana", "influxdb", "mosquitto")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A process as anybody (`command`), or root and its own user (`environment`), can see it."""

    uid: int
    """Its user, who sees its environment; root while it is becoming somebody else."""
    command: str
    environment: str


class App:
    """A container's life: start it, look at it, end it."""

    def __init__(self, world: World, log: Path, environ: Mapping[str, str]) -> None:
        self.world = world
        self._log = log
        self._heard = 0
        self._environ = environ
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The first process; it can be started again when it has ended."""
        if self._process is None:
            argv = self.world.inside(sys.executable, "-m", "tests.stack.rehearsal.tree")
            self._process = Process("the app", argv, log=self._log, env=self._environ)
        return self._process

    @property
    def log(self) -> str:
        """What was said since the last start."""
        return self.everything[self._heard :]

    @property
    def everything(self) -> str:
        """What was said since the first start."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    async def start(self) -> None:
        """Start the first process; nothing is up when this returns."""
        self._heard = len(self.everything)
        await self.process.start()

    async def stop(self) -> int | None:
        """Stop it as Docker does and return the exit code."""
        self.process.send(signal.SIGTERM)
        return await self.ended()

    async def says(self, text: str, deadline_s: float = 30, *, times: int = 1) -> None:
        """Return when `text` was said that often."""
        await self.process.wait_until(lambda: self.log.count(text) >= times, deadline_s, f"the app says {text!r}")

    async def started(self, deadline_s: float = 40) -> None:
        """Return when all services count as started."""
        for name in SERVICES:
            await self.says(f"service {name} started", deadline_s)

    async def pid(self, service: str) -> int:
        """Return the process id of a service, as the app sees it."""
        return int(await self.world.run("s6-svstat", "-o", "pid", f"/run/service/{service}"))

    async def kill(self, service: str) -> None:
        """Kill a service as a crash would; it starts again by itself."""
        await self.world.run("s6-svc", "-k", f"/run/service/{service}")

    async def ended(self) -> int | None:
        """Wait until it ends by itself and return the exit code."""
        await wait_until(lambda: not self.process.running, 60, "the app ends")
        await self.process.stop()
        return self.process.returncode

    def processes(self) -> Iterator[Seen]:
        """Yield each process inside; those that end meanwhile are left out."""
        ours = self.world.root.stat()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                root = (folder / "root").stat()
                if (root.st_dev, root.st_ino) == (ours.st_dev, ours.st_ino):
                    command, environment = (_words(folder / name) for name in ("cmdline", "environ"))
                    yield Seen(uid=(folder / "environ").stat().st_uid, command=command, environment=environment)


def _words(path: Path) -> str:
    return path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
