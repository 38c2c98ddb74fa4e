"""One query of a panel."""

from dataclasses import dataclass
from typing import Any

from .sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A statement in InfluxQL."""

    query: str
    alias: str = "$col"
    """How Grafana names the series; it would make a name up, each time another."""
    source: Source = Source.READINGS
    table: bool = False
    """Whether the answer is one table, with a column for each tag, instead of series."""

    def json(self, letter: str) -> dict[str, Any]:
        """Return it as Grafana knows it; a panel's queries are told apart by a `letter`."""
        return {
            "alias": self.alias,
            "datasource": self.source.reference,
            "policy": "default",
            "query": self.query,
            "rawQuery": True,
            "refId": letter,
            "resultFormat": "table" if self.table else "time_series",
        }


def table(query: str, source: Source = Source.READINGS) -> Target:
    """Return a query whose answer is a table."""
    return Target(query=query, source=source, table=True)
