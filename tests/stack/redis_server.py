"""A real Redis on loopback, Debian's: for the parts that several exporters share."""

import shutil
from pathlib import Path
from typing import Self

from tests.stack.processes import Process, StackError, accepts, free_port


class RedisServer:
    """One redis-server; files in `directory`. The port stays the same over `kill`, `stop` and `start`.

    What it knows is kept over an orderly `stop` with `persistence`, else it is empty each time it starts.
    """

    def __init__(
        self, directory: Path, *, port: int | None = None, password: str | None = None, persistence: bool = False
    ) -> None:
        self.directory = directory
        self.port = free_port() if port is None else port
        self._password = password
        self._persistence = persistence
        program = shutil.which("redis-server")
        if program is None:
            raise StackError("redis-server is not installed: `apt-get install redis-server` and start again")
        self.process = Process("Redis", (program, directory / "redis.conf"), log=directory / "redis.log")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The URL for clients, with the password."""
        login = "" if self._password is None else f":{self._password}@"
        return f"redis://{login}127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Write the configuration and start; returns when it listens."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "redis.conf"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(self._configuration())
        await self.process.start()
        await self.process.wait_until(lambda: accepts(self.port), 10, f"Redis listens on port {self.port}")

    async def stop(self) -> None:
        """End orderly: clients see the connection close."""
        await self.process.stop(grace_s=5)

    async def kill(self) -> None:
        """End at once, as a crash would."""
        await self.process.kill()

    async def restart(self) -> None:
        """Stop and start again on the same port."""
        await self.stop()
        await self.start()

    def suspend(self) -> None:
        """Let it hang until `resume`: connections stay open, nobody answers."""
        self.process.suspend()

    def resume(self) -> None:
        """Let a suspended one go on."""
        self.process.resume()

    def _configuration(self) -> str:
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {self.directory}",
            "daemonize no",
            "save 3600 1" if self._persistence else 'save ""',
            "appendonly no",
            *([] if self._password is None else [f"requirepass {self._password}"]),
        ]
        return "\n".join(lines) + "\n"
