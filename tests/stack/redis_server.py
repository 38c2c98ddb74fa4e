"""A real Redis on loopback, Debian's: for the parts that several exporters share."""

from pathlib import Path
from typing import override

from tests.stack.server import Server, program, write_secret


class RedisServer(Server):
    """One redis-server.

    What it knows is kept over an orderly `stop` with `persistence`, else it is empty each time it starts.
    """

    def __init__(
        self, directory: Path, *, port: int | None = None, password: str | None = None, persistence: bool = False
    ) -> None:
        super().__init__("Redis", directory, port, (program("redis-server"), directory / "redis.conf"))
        self._password = password
        self._persistence = persistence

    @property
    @override
    def url(self) -> str:
        """The URL for clients, with the password."""
        login = "" if self._password is None else f":{self._password}@"
        return f"redis://{login}127.0.0.1:{self.port}/0"

    @override
    async def prepare(self) -> None:
        write_secret(self.directory / "redis.conf", self._configuration())

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
