"""InfluxDB 1 over its own HTTP API: `/write` and `/query`, with name and password in a header."""

import asyncio
import gzip
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import aiohttp

from shelly_exporter.settings import Target as Settings

from . import (
    TIMEOUT_S,
    Answer,
    Denied,
    Refused,
    base_url,
    compressed,
    fault,
    left_to_you,
    retentions,
    unreachable,
)
from .influxql import Row, error_of, identifier, point_query, rows_of

_DURATION = re.compile(r"(\d+)h(\d+)m(\d+)s")
_DAY_S = 86400
_SUCCESS = {"/write": 204, "/query": 200}


class InfluxV1:
    """A `Target`. Retention is that of each database's default policy, so that queries need to name none.

    In a database of ours that is `autogen`, made with the wanted duration; in one that was there it is whichever is the
    default, because a new default policy would hide what was written before.
    """

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session
        self._url = base_url(settings)
        self._compressed = compressed(settings)
        self._headers: dict[str, str] = {}
        if settings.username is not None:
            login = f"{settings.username}:{_text(settings.password)}"
            self._headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"

    async def prepare(self) -> tuple[str, ...]:
        """See `Target`."""
        if not self._settings.create:
            return ()
        known = {row["name"] for row in await self._query("SHOW DATABASES")}
        complaints = [
            await (self._keep(database, days) if database in known else self._create(database, days))
            for database, days in retentions(self._settings).items()
        ]
        return tuple(complaint for complaint in complaints if complaint is not None)

    async def write(self, bucket: str, body: bytes) -> None:
        """See `Target`."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._compressed:
            headers["Content-Encoding"] = "gzip"
            body = await asyncio.to_thread(gzip.compress, body, 1)
        await self._post("/write", params={"db": bucket, "precision": "ms"}, data=body, headers=headers)

    async def read_back(self, bucket: str, measurement: str, tag: tuple[str, str], ts_ms: int) -> Row | None:
        """See `Target`."""
        rows = await self._query(point_query(measurement, tag, ts_ms), bucket)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Nothing is ours to close."""

    async def _create(self, database: str, days: int) -> str | None:
        statement = f'CREATE DATABASE {identifier(database)} WITH DURATION {_duration(days)} NAME "autogen"'
        remedy = f"let an administrator run `{statement}`"
        if (user := self._settings.username) is not None:
            remedy += f" and `GRANT ALL ON {identifier(database)} TO {identifier(user)}`"
        return await self._command(statement, f'Database "{database}" could not be created', remedy)

    async def _keep(self, database: str, days: int) -> str | None:
        """Lengthen the retention of a database that is there."""
        try:
            policies = await self._query(f"SHOW RETENTION POLICIES ON {identifier(database)}")
        except Denied, Refused:
            return None  # who may only write need not see it
        default = next((policy for policy in policies if policy["default"]), None)
        if default is None or (kept_s := _seconds(default["duration"])) == days * _DAY_S:
            return None
        policy = f"{identifier(default['name'])} ON {identifier(database)}"
        statement = f"ALTER RETENTION POLICY {policy} DURATION {_duration(days)}"
        if days and (not kept_s or kept_s > days * _DAY_S):
            return left_to_you(f'Database "{database}"', statement)
        problem = f'Database "{database}" keeps points less long than the settings say'
        return await self._command(statement, problem, f"let an administrator run `{statement}`")

    async def _command(self, statement: str, problem: str, remedy: str) -> str | None:
        """Carry out a statement, and return a sentence if it is refused."""
        try:
            await self._query(statement)
        except (Denied, Refused) as err:
            return f"{problem}: {remedy}. {err}"
        return None

    async def _query(self, statement: str, database: str | None = None) -> list[Row]:
        # In the body: what is in a URL gets into logs.
        form = {"q": statement, "epoch": "ms"} | ({} if database is None else {"db": database})
        answer = await self._post("/query", data=form)
        if (problem := error_of(answer)) is not None:
            raise Refused(problem)
        return rows_of(answer)

    async def _post(
        self,
        path: str,
        *,
        data: bytes | Mapping[str, str],
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the JSON of the answer, None where there is no content."""
        request = self._session.post(
            f"{self._url}{path}",
            params=params,
            data=data,
            headers=self._headers | dict({} if headers is None else headers),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            # A redirected POST becomes a GET, and its points would be gone.
            allow_redirects=False,
        )
        try:
            async with request as response:
                # Nothing else is a success of that path: some page may say hello to everything.
                if response.status == _SUCCESS[path]:
                    return await response.json() if path == "/query" else None
                answer = Answer(response.status, await response.text(), response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, ValueError) as err:
            raise unreachable(self._settings, err) from err
        raise fault(self._settings, answer)


def _text(password: str | None) -> str:
    return "" if password is None else password


def _duration(days: int) -> str:
    return f"{days}d" if days else "INF"


def _seconds(duration: str) -> int:
    """Return the seconds of a policy's duration, such as "1440h0m0s"; 0: for ever."""
    if (found := _DURATION.fullmatch(duration)) is None:
        return 0
    hours, minutes, seconds = map(int, found.groups())
    return hours * 3600 + minutes * 60 + seconds
