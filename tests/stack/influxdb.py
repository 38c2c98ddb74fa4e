"""A real InfluxDB 1.6.7 (Debian's) on loopback: the engine behind every store of this project that tests can run."""

import base64
import secrets
import shutil
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from tests.stack.processes import Process, StackError, accepts, free_port

if TYPE_CHECKING:
    from pathlib import Path

ADMINISTRATOR = "admin"

type Row = dict[str, Any]


class InfluxServer:
    """One influxd; files in `directory`. Port and data stay the same over `kill`, `stop` and `start`.

    With `auth` nobody gets in without a password: the `admin_password` of `ADMINISTRATOR`, and users made by `query`.
    """

    def __init__(self, directory: Path, port: int | None = None, *, auth: bool = False) -> None:
        self.directory = directory
        self.port = free_port() if port is None else port
        self.auth = auth
        self.admin_password = secrets.token_urlsafe()
        self._administered = False
        self.process = Process(
            "InfluxDB", (_program(), "-config", directory / "influxdb.conf"), log=directory / "influxdb.log"
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Write the configuration and start; returns when queries are answered."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "influxdb.conf").write_text(self._configuration())
        await self.process.start()
        await self.process.wait_until(lambda: accepts(self.port), 20, f"InfluxDB listens on port {self.port}")
        if self.auth and not self._administered:
            await self.query(
                "", f"CREATE USER {ADMINISTRATOR} WITH PASSWORD '{self.admin_password}' WITH ALL PRIVILEGES"
            )
            self._administered = True

    async def stop(self) -> None:
        """End orderly."""
        await self.process.stop(grace_s=10)

    async def kill(self) -> None:
        """End at once, as a crash would."""
        await self.process.kill()

    async def restart(self) -> None:
        """Stop and start again on the same port with the same data."""
        await self.stop()
        await self.start()

    def suspend(self) -> None:
        """Let it hang until `resume`: connections stay open, nobody answers."""
        self.process.suspend()

    def resume(self) -> None:
        """Let a suspended one go on."""
        self.process.resume()

    async def query(self, database: str, statement: str) -> list[Row]:
        """Return the rows of every series, each with its columns and its tags; `time` in milliseconds.

        Columns without a value are left out. StackError when InfluxDB refuses.
        """
        headers = {"Authorization": _basic(ADMINISTRATOR, self.admin_password)} if self.auth else {}
        form = {"q": statement, "db": database, "epoch": "ms"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.url}/query", data=form) as response,
        ):
            answer = await response.json()
        results: list[dict[str, Any]] = answer.get("results", [answer])
        if refusals := [result["error"] for result in results if "error" in result]:
            raise StackError(f"InfluxDB refuses {statement!r}: {refusals[0]}")
        return [
            {name: value for name, value in zip(series["columns"], values, strict=True) if value is not None}
            | series.get("tags", {})
            for result in results
            for series in result.get("series", [])
            for values in series.get("values", [])
        ]

    def _configuration(self) -> str:
        return f"""\
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = "{self.directory}/meta"
[data]
dir = "{self.directory}/data"
wal-dir = "{self.directory}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[subscriber]
enabled = false
[continuous_queries]
enabled = false
[http]
bind-address = "127.0.0.1:{self.port}"
auth-enabled = {str(self.auth).lower()}
log-enabled = false
"""


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _program() -> str:
    if (path := shutil.which("influxd")) is None:
        raise StackError("influxd is not installed: `apt-get install influxdb` (or run scripts/setup) and start again")
    return path
