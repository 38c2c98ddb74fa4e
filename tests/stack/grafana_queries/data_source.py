"""Data sources as the app provisions them, each an InfluxDB database that is asked in InfluxQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

TYPE = "influxdb"


class QueryError(Exception):
    """InfluxDB refused a statement; the text has both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """One data source; `least_interval` is its `timeInterval`."""

    uid: str
    name: str
    url: str
    database: str
    least_interval: str = "10s"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def ask(self, statement: str, policy: str = "default") -> Sequence[Mapping[str, Any]]:
        """Return the series of the answer, of the last of several statements as the plug-in does."""
        form = {"q": statement}
        params = {"db": self.database, "epoch": "ms"} | ({} if policy in {"", "default"} else {"rp": policy})
        async with (
            aiohttp.ClientSession(headers=self.headers) as session,
            session.post(f"{self.url}/query", params=params, data=form) as response,
        ):
            answer = await response.json()
        results = answer.get("results", [answer])
        if refusals := [result["error"] for result in results if "error" in result]:
            raise QueryError(f"{self.name} refuses {statement}: {refusals[0]}")
        series: Sequence[Mapping[str, Any]] = results[-1].get("series", [])
        return series
