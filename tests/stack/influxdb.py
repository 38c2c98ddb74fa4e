"""A real InfluxDB 1.6.7 (Debian's) on loopback: the engine behind every store of this project that tests can run."""

import base64
import secrets
from typing import TYPE_CHECKING, Any, override

import aiohttp

from tests.stack.processes import StackError
from tests.stack.server import Server, program

if TYPE_CHECKING:
    from pathlib import Path

ADMINISTRATOR = "admin"

type Row = dict[str, Any]


class InfluxServer(Server):
    """One influxd.

    With `auth` nobody gets in without a password: the `admin_password` of `ADMINISTRATOR`, and users made by `query`.
    """

    def __init__(self, directory: Path, port: int | None = None, *, auth: bool = False) -> None:
        super().__init__(
            "InfluxDB", directory, port, (program("influxd", "influxdb"), "-config", directory / "influxdb.conf")
        )
        self.auth = auth
        self.admin_password = secrets.token_urlsafe()
        self._administered = False

    @override
    async def prepare(self) -> None:
        (self.directory / "influxdb.conf").write_text(self._configuration())

    @override
    async def start(self) -> None:
        await super().start()
        if self.auth and not self._administered:
            await self.query(
                "", f"CREATE USER {ADMINISTRATOR} WITH PASSWORD '{self.admin_password}' WITH ALL PRIVILEGES"
            )
            self._administered = True

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
