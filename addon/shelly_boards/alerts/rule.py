"""An alert rule as Grafana reads it: a query, one number of each series of its answer, and a limit."""

from dataclasses import dataclass
from typing import Any, Literal

from shelly_boards.sources import READINGS_UID

RECEIVER = "Home Assistant"
"""The contact point that all alerts go to; the app makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A query, whose answer has one series for each device or phase, reduced to one number that is over a limit."""

    uid: str
    title: str
    query: str
    seconds: int
    """How far the query looks back."""
    reducer: Literal["last", "mean", "max", "sum"]
    comparison: Literal["gt", "lt"]
    limit: float
    lasting: str
    """For how long it must be so."""
    summary: str
    """One line, in Grafana's templates, as are the words that say what to do."""
    remedy: str
    board: str
    panel: int
    severity: Literal["warning", "critical"] = "warning"
    silent: Literal["OK", "Alerting"] = "OK"
    """What it means if there is nothing to reduce."""
    failed: Literal["KeepLast", "Error"] = "KeepLast"
    """What it means if the database does not answer: one rule says so, not all of them at once."""

    def json(self) -> dict[str, Any]:
        """Return it as Grafana reads it."""
        # A dollar is taken for a variable everywhere but in the queries and the annotations, so there is none.
        return {
            "annotations": {"description": self.remedy, "summary": self.summary},
            "condition": "C",
            "dashboardUid": self.board,
            "data": [_query(self.query, self.seconds), _reduce(self.reducer), _threshold(self.comparison, self.limit)],
            "execErrState": self.failed,
            "for": self.lasting,
            "labels": {"severity": self.severity, "source": "shelly"},
            "noDataState": self.silent,
            "notification_settings": {"receiver": RECEIVER},
            "panelId": self.panel,
            "title": self.title,
            "uid": self.uid,
        }


def _query(statement: str, seconds: int) -> dict[str, Any]:
    model = {
        "datasource": {"type": "influxdb", "uid": READINGS_UID},
        "intervalMs": 60_000,
        "maxDataPoints": 43_200,
        "query": statement,
        "rawQuery": True,
        "refId": "A",
        "resultFormat": "time_series",
    }
    return {
        "datasourceUid": READINGS_UID,
        "model": model,
        "refId": "A",
        "relativeTimeRange": {"from": seconds, "to": 0},
    }


def _expression(letter: str, kind: str, of: str, rest: dict[str, Any]) -> dict[str, Any]:
    model = {"datasource": {"type": "__expr__", "uid": "__expr__"}, "expression": of, "refId": letter, "type": kind}
    return {
        "datasourceUid": "__expr__",
        "model": model | rest,
        "refId": letter,
        "relativeTimeRange": {"from": 0, "to": 0},
    }


def _reduce(reducer: str) -> dict[str, Any]:
    return _expression("B", "reduce", "A", {"reducer": reducer, "settings": {"mode": "dropNN"}})


def _threshold(comparison: str, limit: float) -> dict[str, Any]:
    evaluator = {"params": [limit], "type": comparison}
    return _expression("C", "threshold", "B", {"conditions": [{"evaluator": evaluator}]})
