"""Alert rules as Grafana evaluates them: numbers of series, and states from one evaluation to the next."""

import math
from typing import Any

import pytest

from tests.stack.grafana_queries import UnsupportedError
from tests.stack.grafana_queries.alert_rule import rules
from tests.stack.grafana_queries.alert_states import Alerting, State
from tests.stack.grafana_queries.canned import Answer, CannedSource

QUERY = 'SELECT mean("voltage") FROM "em" WHERE $timeFilter GROUP BY time(1m), "phase" fill(null)'
NOW = 1_795_000_000.0
A, B = (("phase", "a"),), (("phase", "b"),)
LOST, REFUSED = (("alertname", "DatasourceNoData"),), (("alertname", "DatasourceError"),)


def document(**more: Any) -> dict[str, Any]:
    """Return a file with one rule: over 253 V for two minutes."""
    reduce = {"refId": "B", "type": "reduce", "expression": "A", "reducer": "last", "settings": {"mode": "dropNN"}}
    threshold = {"refId": "C", "type": "threshold", "expression": "B"}
    query: dict[str, Any] = {"refId": "A", "rawQuery": True, "query": QUERY}
    reduce |= more.pop("reduce", {})
    query |= more.pop("query", {})
    evaluator = more.pop("evaluator", {"type": "gt", "params": [253]})
    threshold |= {"conditions": [{"evaluator": evaluator}]} | more.pop("threshold", {})
    rule: dict[str, Any] = {
        "uid": "shelly-overvoltage",
        "title": "Over-voltage, 1 $$ a day",
        "condition": "C",
        "for": "2m",
        "noDataState": "OK",
        "labels": {"severity": "warning", "where": "{{ $$labels.phase }}"},
        "annotations": {"summary": '{{ index $labels "phase" }} of {{ $labels.device }}: {{ $values.B.Value }} V'},
        "data": [
            {
                "refId": "A",
                "datasourceUid": "shelly-influxdb",
                "relativeTimeRange": {"from": 600, "to": 60},
                "model": query,
            },
            {"refId": "B", "datasourceUid": "__expr__", "model": reduce},
            {"refId": "C", "datasourceUid": "__expr__", "model": threshold},
        ],
    }
    return {"groups": [{"name": "Shelly", "folder": "Shelly", "interval": "1m", "rules": [rule | more]}]}


def answer(**phases: Any) -> Answer:
    """Return series by phase."""
    rows = {phase: [[1000 * at, value] for at, value in enumerate(values)] for phase, values in phases.items()}
    return Answer(
        [{"name": "em", "tags": {"phase": phase}, "columns": ["time", "mean"], "values": rows[phase]} for phase in rows]
    )


def alerting(**more: Any) -> Alerting:
    """Return the rule at work on a canned source."""
    source = CannedSource()
    return Alerting(rules(document(**more))[0], {source.uid: source})


async def states(rule: Alerting, *answers: Answer) -> list[dict[Any, State]]:
    """Return the states after each evaluation, a minute after the other, going on where the last call ended."""
    source = rule._sources["shelly-influxdb"]
    assert isinstance(source, CannedSource)
    found: list[dict[Any, State]] = []
    for said in answers:
        source.answer.series, source.answer.refusal = said.series, said.refusal
        found.append(dict(await rule.evaluate(NOW + 60 * len(source.asked))))
    return found


NORMAL, PENDING, FIRING = State.NORMAL, State.PENDING, State.ALERTING
QUIET, HIGH = answer(a=[230, None]), answer(a=[230, 254])


def test_a_rule_is_read() -> None:
    (rule,) = rules(document())
    assert (rule.title, rule.interval_s, rule.for_s) == ("Over-voltage, 1 $ a day", 60.0, 120.0)
    assert rule.labels["where"] == "{{ $labels.phase }}"
    assert rule.mentioned == (frozenset({"phase", "device"}), frozenset({"B"}))
    assert (rule.no_data, rule.error) == ("OK", "Error")


async def test_it_asks_for_its_own_time() -> None:
    rule = alerting(query={"query": QUERY.replace("time(1m)", "time($__interval)"), "intervalMs": 90_000})
    await rule.evaluate(NOW)
    assert rule.found is not None
    assert rule.found.statement == (
        'SELECT mean("voltage") FROM "em" WHERE time >= 1794999400000ms and time <= 1794999940000ms '
        'GROUP BY time(1m), "phase" fill(null)'
    )


async def test_it_waits_fires_and_resolves() -> None:
    rule = alerting()
    found = await states(rule, QUIET, HIGH, HIGH, HIGH, QUIET)
    assert [each[A] for each in found] == [NORMAL, PENDING, PENDING, FIRING, NORMAL]


async def test_each_series_has_its_own_state() -> None:
    rule = alerting()
    found = await states(rule, answer(a=[254], b=[230]), answer(a=[255], b=[254]), answer(a=[256], b=[230]))
    assert found[-1] == {A: FIRING, B: NORMAL}
    assert rule.firing() == {A: {"B": 256.0, "C": 1.0}}
    assert found[1] == {A: PENDING, B: PENDING}


async def test_without_waiting_it_fires_at_once() -> None:
    assert await states(alerting(**{"for": "0s"}), HIGH, QUIET) == [{A: FIRING}, {A: NORMAL}]


async def test_a_series_that_is_missing_is_over() -> None:
    two, one = answer(a=[254], b=[254]), answer(a=[254])
    rule = alerting(**{"for": "0s"})
    found = await states(rule, two, one, one)
    assert [each.get(B) for each in found] == [FIRING, FIRING, None]
    patient = alerting(**{"for": "0s", "missing_series_evals_to_resolve": 3})
    assert [each.get(B) for each in await states(patient, two, one, one, one)] == [FIRING, FIRING, FIRING, None]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("OK", [{A: FIRING}, {A: NORMAL}, {A: NORMAL}]),
        ("Alerting", [{A: FIRING}, {A: FIRING}, {A: FIRING}]),
        ("KeepLast", [{A: FIRING}, {A: FIRING}, {A: FIRING}]),
        ("NoData", [{A: FIRING}, {A: FIRING, LOST: State.NO_DATA}, {LOST: State.NO_DATA}]),
    ],
)
async def test_no_data(policy: str, expected: list[Any]) -> None:
    rule = alerting(noDataState=policy, **{"for": "0s"})
    assert await states(rule, HIGH, Answer(), Answer()) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("OK", [{(): NORMAL}]),
        ("Alerting", [{(): PENDING}]),
        ("KeepLast", [{(): NORMAL}]),
        ("NoData", [{LOST: State.NO_DATA}]),
    ],
)
async def test_no_data_from_the_start(policy: str, expected: list[Any]) -> None:
    assert await states(alerting(noDataState=policy), Answer()) == expected


async def test_one_series_without_a_number() -> None:
    only_nulls = answer(a=[254], b=[None])
    rule = alerting(noDataState="Alerting", **{"for": "1m"})
    assert await states(rule, only_nulls, only_nulls) == [{A: PENDING, B: PENDING}, {A: FIRING, B: FIRING}]
    rule = alerting(noDataState="KeepLast", **{"for": "1m"})
    assert (await states(rule, HIGH, answer(a=[None], b=[230])))[-1] == {A: FIRING, B: NORMAL}
    rule = alerting(noDataState="NoData")
    assert await states(rule, answer(a=[None])) == [{A: State.NO_DATA}]


@pytest.mark.parametrize(
    ("policy", "expected"), [("Error", {REFUSED: State.ERROR}), ("OK", {(): NORMAL}), ("Alerting", {(): PENDING})]
)
async def test_a_query_that_is_refused(policy: str, expected: Any) -> None:
    rule = alerting(execErrState=policy)
    assert await states(rule, Answer(refusal="database not found")) == [expected]
    assert rule.found is not None
    assert rule.found.error == "database not found"


@pytest.mark.parametrize(
    ("reducer", "values", "mode", "expected"),
    [
        ("last", [1, 5, 3], "dropNN", 3.0),
        ("last", [1, 5, None], "dropNN", 5.0),
        ("mean", [1, None, 3], "dropNN", 2.0),
        ("min", [4, 2, None], "dropNN", 2.0),
        ("max", [4, 5, 2], "", 5.0),
        ("sum", [1, 2, None], "dropNN", 3.0),
        ("count", [1, 2, None], "dropNN", 2.0),
        ("count", [1, 2, None], "", 3.0),
        ("sum", [None], "dropNN", 0.0),
        ("mean", [None], "dropNN", None),
        ("last", [None], "dropNN", None),
        ("min", [None], "dropNN", None),
        ("max", [1, None], "", math.nan),
        ("last", [1, None], "", math.nan),
        ("sum", [1, None], "", math.nan),
    ],
)
async def test_reducers(reducer: str, values: list[Any], mode: str, expected: float | None) -> None:
    rule = alerting(reduce={"reducer": reducer, "settings": {"mode": mode}})
    await states(rule, answer(a=values, b=[1]))
    assert rule.found is not None
    assert rule.found.values["B"][A] == (pytest.approx(expected, nan_ok=True) if expected is not None else None)


@pytest.mark.parametrize(
    ("kind", "params", "fires"),
    [
        ("gt", [253], [False, False, True]),
        ("lt", [253], [True, False, False]),
        ("within_range", [252, 254], [False, True, False]),
        ("within_range", [253, 254], [False, False, False]),
        ("outside_range", [253, 253], [True, False, True]),
    ],
)
async def test_thresholds(kind: str, params: list[float], fires: list[bool]) -> None:
    rule = alerting(evaluator={"type": kind, "params": params}, **{"for": "0s"})
    found = await states(rule, answer(a=[252]), answer(a=[253]), answer(a=[254]))
    assert [each[A] is FIRING for each in found] == fires


async def test_it_runs_as_often_as_its_group_says() -> None:
    rule = alerting()
    source = rule._sources["shelly-influxdb"]
    assert isinstance(source, CannedSource)
    source.answer.series = HIGH.series
    assert await rule.run(NOW, NOW + 90) == {A: PENDING}
    assert await rule.run(NOW + 120, NOW + 120) == {A: FIRING}
    assert len(source.asked) == 3


@pytest.mark.parametrize(
    "series",
    [
        answer(a=["on"]).series,
        [{"name": "em", "columns": ["time", "x", "y"], "values": [[0, 1, 2]]}],
    ],
)
async def test_answers_that_are_errors_in_grafana(series: Any) -> None:
    assert await states(alerting(), Answer(series)) == [{REFUSED: State.ERROR}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": {"resultFormat": "table"}},
        {"query": {"rawQuery": False}},
        {"query": {"query": "SELECT ${fields:raw}"}},
        {"reduce": {"reducer": "median"}},
        {"reduce": {"settings": {"mode": "replaceNN"}}},
        {"reduce": {"expression": "Z"}},
        {"reduce": {"type": "math"}},
        {"evaluator": {"type": "eq", "params": [1]}},
        {"threshold": {"conditions": [{"evaluator": {"type": "gt", "params": [1]}, "unloadEvaluator": {}}]}},
        {"noDataState": "Fine"},
        {"data": []},
    ],
)
async def test_rules_that_are_not_reproduced(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        await states(alerting(**wrong), answer(a=[None]))


@pytest.mark.parametrize("wrong", [{"title": "Costs $price"}, {"labels": {"a": "${b}"}}, {"isPaused": True}])
def test_rules_that_grafana_would_read_differently(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        rules(document(**wrong))
