"""The alert rules: what Grafana requires of the file, and that each is about what is really stored."""

import json
import re
from typing import Any

import pytest
import yaml

from shelly_boards.alerts import RECEIVER, Thresholds, rules
from shelly_boards.shipped import BOARDS
from shelly_boards.sources import READINGS_UID
from shelly_exporter.schema import MEASUREMENTS

type Json = dict[str, Any]

THRESHOLDS = Thresholds(offline_minutes=7, voltage_min=210.5, voltage_max=250.0, breaker_a=35.0)
DOCUMENT = rules(THRESHOLDS)
RULES: dict[str, Json] = {rule["uid"]: rule for group in DOCUMENT["groups"] for rule in group["rules"]}

each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def test_the_rules_that_there_are() -> None:
    assert set(RULES) == {
        "shelly-offline",
        "shelly-gap",
        "shelly-over-voltage",
        "shelly-under-voltage",
        "shelly-over-current",
        "shelly-exporter-errors",
    }


def test_the_document() -> None:
    assert yaml.safe_load(yaml.safe_dump(DOCUMENT)) == DOCUMENT == json.loads(json.dumps(DOCUMENT))
    assert set(DOCUMENT) == {"apiVersion", "groups"}, "policies would replace those of the person"
    assert len({group["name"] for group in DOCUMENT["groups"]}) == len(DOCUMENT["groups"])
    for group in DOCUMENT["groups"]:
        assert group["folder"] == "Shelly"
        assert group["interval"] == "1m"
        assert group["rules"]
    titles = [rule["title"] for rule in RULES.values()]
    assert len(set(titles)) == len(titles) == sum(len(group["rules"]) for group in DOCUMENT["groups"])


@each_rule
def test_required_fields(rule: Json) -> None:
    assert re.fullmatch(r"[a-z-]{1,40}", rule["uid"])
    assert rule["title"]
    assert rule["condition"] == "C"
    assert re.fullmatch(r"\d+[sm]", rule["for"])
    assert rule["noDataState"] in {"OK", "Alerting"}
    assert rule["execErrState"] in {"KeepLast", "Error"}
    assert rule["notification_settings"] == {"receiver": RECEIVER}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description"}


@each_rule
def test_no_dollar_is_taken_for_a_variable(rule: Json) -> None:
    assert "$" not in json.dumps([rule["uid"], rule["title"], rule["labels"]])
    assert "${" not in json.dumps(rule["annotations"])
    query = rule["data"][0]["model"]["query"]
    assert set(re.findall(r"\$(\w+|\{)", query)) == {"timeFilter"}
    assert query.count("$timeFilter") == 1


@each_rule
def test_a_query_then_a_number_then_a_limit(rule: Json) -> None:
    query, reduced, limited = rule["data"]
    assert (query["refId"], query["datasourceUid"]) == ("A", READINGS_UID)
    assert query["model"]["datasource"] == {"type": "influxdb", "uid": READINGS_UID}
    assert query["model"]["resultFormat"] == "time_series"
    assert query["model"]["rawQuery"] is True
    assert query["relativeTimeRange"]["from"] >= 600
    assert query["relativeTimeRange"]["to"] == 0
    for letter, before, step in (("B", "A", reduced), ("C", "B", limited)):
        assert (step["refId"], step["datasourceUid"]) == (letter, "__expr__")
        assert step["model"]["datasource"] == {"type": "__expr__", "uid": "__expr__"}
        assert step["model"]["expression"] == before
    for step in rule["data"]:
        assert step["model"]["refId"] == step["refId"]
    assert reduced["model"]["type"] == "reduce"
    assert reduced["model"]["settings"] == {"mode": "dropNN"}
    assert limited["model"]["type"] == "threshold"


@each_rule
def test_one_column_and_the_labels_that_its_words_speak_of(rule: Json) -> None:
    query = rule["data"][0]["model"]["query"]
    columns, _, rest = query.partition(" FROM ")
    assert columns.count('"') == 2, "several columns would have the same labels"
    tags = set(re.findall(r'"(\w+)"', rest.rpartition("GROUP BY ")[2]))
    spoken = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert spoken <= tags
    assert set(re.findall(r"\$values\.(\w+)", " ".join(rule["annotations"].values()))) <= {"B"}


@each_rule
def test_what_is_asked_for_is_stored(rule: Json) -> None:
    query = rule["data"][0]["model"]["query"]
    known = {measurement.name: measurement for measurement in MEASUREMENTS}
    (names,) = re.findall(r'FROM ((?:"\w+"(?:, )?)+)', query)
    columns = {"gap"} if "(SELECT" in query else set()
    for name in re.findall(r'"(\w+)"', names):
        assert not known[name].rollup
        columns |= {column.name for column in known[name].columns} | set(known[name].tags)
    assert set(re.findall(r'"(\w+)"', query.replace(names, ""))) <= columns


@each_rule
def test_it_links_to_a_panel(rule: Json) -> None:
    (board,) = (board for board in BOARDS.values() if board.uid == rule["dashboardUid"])
    assert rule["panelId"] in {panel.id for panel in board.panels}


@pytest.mark.parametrize(
    ("uid", "evaluator", "lasting"),
    [
        ("shelly-offline", {"type": "gt", "params": [1.5]}, "7m"),
        ("shelly-gap", {"type": "gt", "params": [120]}, "0s"),
        ("shelly-over-voltage", {"type": "gt", "params": [250.0]}, "5m"),
        ("shelly-under-voltage", {"type": "lt", "params": [210.5]}, "5m"),
        ("shelly-over-current", {"type": "gt", "params": [31.5]}, "5m"),
        ("shelly-exporter-errors", {"type": "gt", "params": [5]}, "5m"),
    ],
)
def test_limits_are_those_of_the_options(uid: str, evaluator: Json, lasting: str) -> None:
    rule = RULES[uid]
    assert rule["data"][2]["model"]["conditions"] == [{"evaluator": evaluator}]
    assert rule["for"] == lasting


def test_one_rule_alone_tells_of_a_database_that_is_away() -> None:
    assert [uid for uid, rule in RULES.items() if rule["execErrState"] == "Error"] == ["shelly-exporter-errors"]
    assert [uid for uid, rule in RULES.items() if rule["noDataState"] == "Alerting"] == ["shelly-exporter-errors"]


def test_limits_are_said_in_words() -> None:
    words = {uid: " ".join(rule["annotations"].values()) for uid, rule in RULES.items()}
    assert "for 7 minutes" in words["shelly-offline"]
    assert "more than 250 V" in words["shelly-over-voltage"]
    assert "less than 210.5 V" in words["shelly-under-voltage"]
    assert "more than 31.5 A" in words["shelly-over-current"]
    assert "35 A of the main breaker" in words["shelly-over-current"]
