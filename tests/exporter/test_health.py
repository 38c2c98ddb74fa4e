import json

import pytest

from shelly_core import Level
from shelly_exporter.health import Hop, device_hop, report
from tests.exporter.healths import health_of
from tests.exporter.hops import broker, spool, target

OK, DEGRADED, DOWN = Level.OK, Level.DEGRADED, Level.DOWN


def hop(name: str, level: Level) -> Hop:
    return Hop(name, level, None if level is OK else f"{name} hurts", {"n": 1})


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ({}, OK),
        ({"broker": OK, "spool": OK, "target": OK, "device:a": OK}, OK),
        ({"broker": OK, "spool": OK, "target": DEGRADED}, DEGRADED),
        ({"broker": OK, "spool": OK, "target": DOWN, "device:a": OK}, DEGRADED),
        ({"broker": OK, "spool": DEGRADED, "target": OK}, DEGRADED),
        ({"broker": OK, "spool": DOWN, "target": OK, "device:a": OK}, DOWN),
        ({"broker": DOWN, "spool": OK, "device:a": OK, "device:b": DOWN}, DEGRADED),
        ({"broker": DOWN, "spool": OK, "device:a": DEGRADED}, DEGRADED),
        ({"broker": DOWN, "spool": OK, "device:a": DOWN, "device:b": DOWN}, DOWN),
        ({"broker": DOWN, "spool": OK}, DOWN),
        ({"broker": OK, "device:a": DOWN, "device:b": DOWN}, DEGRADED),
        ({"broker": DEGRADED, "device:a": DOWN}, DEGRADED),
    ],
)
def test_the_whole_is_judged_by_whether_readings_come_in_and_are_kept(
    levels: dict[str, Level], expected: Level
) -> None:
    assert report([hop(name, level) for name, level in levels.items()])["status"] is expected


def test_the_worst_hop_says_why() -> None:
    told = report([hop("broker", DEGRADED), hop("spool", OK), hop("target", DOWN), hop("device:a", DOWN)])
    assert told["reason"] == "target: target hurts"
    assert report([hop("broker", OK), hop("target", DEGRADED)])["reason"] == "target: target hurts"
    assert report([hop("broker", OK)])["reason"] is None
    assert report([])["reason"] is None


def test_a_report_has_every_hop_in_order_and_is_json() -> None:
    hops = [broker(), spool(), target(), device_hop("shellypro3em-3ce90e6ff1a0", health_of())]
    told = json.loads(json.dumps(report(hops)))
    assert [each["name"] for each in told["hops"]] == ["broker", "spool", "target", "device:shellypro3em-3ce90e6ff1a0"]
    assert all(set(each) == {"name", "level", "reason", "details"} for each in told["hops"])
    assert told["hops"][0]["details"] == {"version": "5", "session_present": True, "counts": {"oversized": 2}}
