"""A data source without a store behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, override

from tests.stack.grafana_queries.data_source import DataSource, QueryError


@dataclass(slots=True)
class Answer:
    """What a canned source says: the series of a statement, or why it refuses."""

    series: Sequence[Mapping[str, Any]] = ()
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CannedSource(DataSource):
    """Answers what it is told to, and remembers what it was asked."""

    uid: str = "shelly-influxdb"
    name: str = "Shelly"
    url: str = ""
    database: str = "shelly"
    answer: Answer = field(default_factory=Answer)
    asked: list[str] = field(default_factory=list)

    @override
    async def ask(self, statement: str, policy: str = "default") -> Sequence[Mapping[str, Any]]:
        self.asked.append(statement)
        if self.answer.refusal is not None:
            raise QueryError(self.answer.refusal)
        return self.answer.series


def knowing_tags(*values: str, uid: str = "shelly-influxdb", name: str = "Shelly") -> CannedSource:
    """Return a source that knows the values of a tag."""
    series = [{"name": "em", "columns": ["key", "value"], "values": [["device", value] for value in values]}]
    return CannedSource(uid=uid, name=name, answer=Answer(series))
