"""An alert rule of a provisioning file and what it finds at one moment: query, then expressions (`pkg/expr`)."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.stack.grafana_queries import UnsupportedError
from tests.stack.grafana_queries.data_source import QueryError
from tests.stack.grafana_queries.frames import series_frames
from tests.stack.grafana_queries.interpolation import left_over, statement
from tests.stack.grafana_queries.interval import SECOND_MS, milliseconds
from tests.stack.grafana_queries.time_range import TimeRange
from tests.stack.grafana_queries.variables import Sources

EXPRESSION = "__expr__"

type Labels = tuple[tuple[str, str], ...]
type Numbers = Mapping[Labels, float | None]
"""A number for each series; None where there is none."""
type _Series = Mapping[Labels, Sequence[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as Grafana understands it; times in seconds."""

    uid: str
    title: str
    condition: str
    data: Sequence[Mapping[str, Any]]
    interval_s: float
    for_s: float
    no_data: str
    error: str
    evaluations_to_resolve: int
    """After how many evaluations without a series what it had reported is over."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def mentioned(self) -> tuple[frozenset[str], frozenset[str]]:
        """The labels and the expressions that its texts speak of."""
        text = " ".join(self.annotations.values())
        labels = re.findall(r"\$labels\.(\w+)|index\s+\$labels\s+\"(\w+)\"", text)
        values = re.findall(r"\$values\.(\w+)|index\s+\$values\s+\"(\w+)\"", text)
        return frozenset(map("".join, labels)), frozenset(map("".join, values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a rule finds at one moment: the numbers of each of its expressions; `error`: it could not be asked."""

    values: Mapping[str, Numbers]
    condition: Numbers
    statement: str
    error: str | None = None


def rules(document: Mapping[str, Any]) -> list[Rule]:
    """Return the rules of a provisioning file, of all its groups."""
    return [_rule(rule, group) for group in document["groups"] for rule in group["rules"]]


def _rule(rule: Mapping[str, Any], group: Mapping[str, Any]) -> Rule:
    if unknown := {"isPaused", "keepFiringFor", "keep_firing_for", "record"} & rule.keys():
        raise UnsupportedError(f"{rule['uid']}: {', '.join(sorted(unknown))}")
    return Rule(
        uid=_unescaped(rule["uid"]),
        title=_unescaped(rule["title"]),
        condition=rule["condition"],
        data=rule["data"],
        interval_s=milliseconds(group["interval"]) / SECOND_MS,
        for_s=milliseconds(rule.get("for", "0s")) / SECOND_MS,
        no_data=rule.get("noDataState", "NoData"),
        error=rule.get("execErrState", "Error"),
        evaluations_to_resolve=rule.get("missing_series_evals_to_resolve", 2),
        labels={name: _unescaped(text) for name, text in rule.get("labels", {}).items()},
        annotations=dict(rule.get("annotations", {})),
    )


async def find(rule: Rule, sources: Sources, now: float) -> Found:
    """Return what a rule finds at a time in Unix seconds."""
    queries = [step for step in rule.data if step["datasourceUid"] != EXPRESSION]
    if len(queries) != 1:
        raise UnsupportedError(f"{rule.uid}: {len(queries)} queries, not one")
    (query,) = queries
    text = _statement(query, now)
    if unresolved := left_over(text):
        raise UnsupportedError(f"{rule.uid}: {unresolved[0]} means nothing in an alert rule")
    try:
        series = await _asked(query, sources, text)
    except QueryError as error:
        return Found(values={}, condition={}, statement=text, error=str(error))
    values: dict[str, Numbers] = {}
    for step in rule.data:
        if step["datasourceUid"] == EXPRESSION:
            values[step["refId"]] = _calculated(step["model"], {query["refId"]: series}, values)
    return Found(values=values, condition=values[rule.condition], statement=text)


def _statement(query: Mapping[str, Any], now: float) -> str:
    model, span = query["model"], query["relativeTimeRange"]
    time = TimeRange(from_ms=round((now - span["from"]) * 1000), to_ms=round((now - span["to"]) * 1000))
    return statement(model["query"], time, model.get("intervalMs", SECOND_MS))


async def _asked(query: Mapping[str, Any], sources: Sources, text: str) -> _Series:
    """Return the values of each series; series of equal labels, and texts, are an error as they are in Grafana."""
    model = query["model"]
    if model.get("resultFormat", "time_series") != "time_series" or not model.get("rawQuery"):
        raise UnsupportedError(f"{query['refId']}: only a raw query with the result format time_series gives series")
    source = sources[query["datasourceUid"]]
    series: dict[Labels, list[float | None]] = {}
    for frame in series_frames(await source.ask(text, model.get("policy", "default")), ""):
        labels, values = tuple(sorted(frame.labels.items())), list(frame.columns["Value"])
        if labels in series:
            raise QueryError(f"duplicate results with labels {dict(labels)}: {text}")
        if any(isinstance(value, str) for value in values):
            raise QueryError(f"texts are no numbers: {text}")
        series[labels] = [None if value is None else float(value) for value in values]
    return series


def _calculated(model: Mapping[str, Any], queried: Mapping[str, _Series], values: Mapping[str, Numbers]) -> Numbers:
    kind, of = model["type"], model["expression"]
    if kind == "reduce":
        if of not in queried:
            raise UnsupportedError(f"{model['refId']}: {of} is no query")
        return {labels: _reduced(model, series) for labels, series in queried[of].items()}
    if kind != "threshold":
        raise UnsupportedError(f"{model['refId']}: an expression of type {kind}")
    (condition,) = model["conditions"]
    evaluator = condition["evaluator"]
    if evaluator["type"] not in _THRESHOLDS or "unloadEvaluator" in condition:
        raise UnsupportedError(f"{model['refId']}: the threshold {condition}")
    beyond = _THRESHOLDS[evaluator["type"]]
    return {
        labels: None if value is None else float(beyond(value, *evaluator["params"]))
        for labels, value in values[of].items()
    }


def _reduced(model: Mapping[str, Any], series: Sequence[float | None]) -> float | None:
    """Return one number of a series; without `dropNN` a single missing value makes it not a number."""
    settings = model.get("settings") or {}
    drop = settings.get("mode") == "dropNN"
    if settings.get("mode", "") not in {"", "dropNN"} or model["reducer"] not in _REDUCERS:
        raise UnsupportedError(f"{model['refId']}: {model['reducer']} with {settings}")
    numbers = [math.nan if value is None else value for value in series if value is not None or not drop]
    result = _REDUCERS[model["reducer"]](numbers)
    return None if drop and math.isnan(result) else result


def _extreme(choose: Callable[[Sequence[float]], float]) -> Callable[[Sequence[float]], float]:
    return lambda numbers: math.nan if not numbers or any(map(math.isnan, numbers)) else choose(numbers)


_REDUCERS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "mean": lambda numbers: math.fsum(numbers) / len(numbers) if numbers else math.nan,
    "min": _extreme(min),
    "max": _extreme(max),
    "count": len,
    "last": lambda numbers: numbers[-1] if numbers else math.nan,
}
_THRESHOLDS: Mapping[str, Callable[..., bool]] = {
    "gt": lambda value, limit, *_: value > limit,
    "lt": lambda value, limit, *_: value < limit,
    "within_range": lambda value, low, high: low < value < high,
    "outside_range": lambda value, low, high: value < low or value > high,
}


def _unescaped(text: str) -> str:
    """Return a text of which Grafana puts variables of the environment in: `$$` is a dollar sign."""
    for match in re.finditer(r"\$\$|\$\w+|\$\{\w+\}", text):
        if match[0] != "$$":
            raise UnsupportedError(f"{text!r}: {match[0]} is taken from the environment, write $$")
    return text.replace("$$", "$")
