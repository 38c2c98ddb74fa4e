import json
from typing import Any

import pytest

from shelly_core import Level, Transport
from shelly_exporter.health import (
    FULL,
    LATE_S,
    PATIENCE_S,
    Hop,
    broker_hop,
    device_hop,
    report,
    spool_hop,
    target_hop,
)
from tests.exporter.healths import health_of, link_of, wrong_reading

NOW = 1790000000.0
OK, DEGRADED, DOWN = Level.OK, Level.DEGRADED, Level.DOWN


def hop(name: str, level: Level) -> Hop:
    return Hop(name, level, None if level is OK else f"{name} hurts", {"n": 1})


def broker(**others: Any) -> Hop:
    return broker_hop(
        **{"connected": True, "reason": None, "version": "5", "session_present": True, "counts": {"oversized": 2}}
        | others
    )


def spool(**others: Any) -> Hop:
    known: dict[str, Any] = {
        "depth_bytes": {"raw": 100, "counters": 20},
        "max_bytes": 1000,
        "oldest": NOW - 2,
        "now": NOW,
    }
    return spool_hop(**known | {"problem": None, "lost": {"quota": 5}} | others)


def target(**others: Any) -> Hop:
    known: dict[str, Any] = {
        "last_success_at": NOW - 1,
        "failing_since": None,
        "reason": None,
        "in_flight": 3,
        "now": NOW,
    }
    return target_hop(**known | others)


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


def test_broker() -> None:
    assert broker()[:3] == ("broker", OK, None)
    assert broker(connected=False, reason="refused")[1:3] == (DOWN, "refused")
    assert broker(connected=False)[1:3] == (DOWN, "not connected yet")
    assert broker(reason="may not read #")[1:3] == (DEGRADED, "may not read #")


def test_spool() -> None:
    well = spool()
    assert well[:3] == ("spool", OK, None)
    assert well.details == {
        "bytes": {"raw": 100, "counters": 20},
        "max_bytes": 1000,
        "oldest_age_s": 2.0,
        "lost_lines": {"quota": 5},
    }
    assert spool(oldest=None).details["oldest_age_s"] is None
    assert spool(oldest=NOW + 5).details["oldest_age_s"] == 0.0
    assert spool(problem="the disk is full")[1:3] == (DOWN, "the disk is full")
    full = int(1000 * FULL)
    assert spool(depth_bytes={"raw": full - 1}).level is OK
    nearly = spool(depth_bytes={"raw": full - 50, "counters": 50})
    assert nearly[1:3] == (DEGRADED, "it is 90% full: at 100% the oldest readings are given up")
    assert spool(oldest=NOW - LATE_S + 1).level is OK
    assert spool(oldest=NOW - LATE_S)[1:3] == (DEGRADED, "readings have been waiting for 5 min")


def test_target() -> None:
    assert target()[:3] == ("target", OK, None)
    assert target().details == {"last_success_ago_s": 1.0, "failing_s": None, "in_flight": 3, "complaints": []}
    assert target(last_success_at=None).details["last_success_ago_s"] is None
    failing = target(failing_since=NOW - PATIENCE_S + 1, reason="no answer")
    assert failing[1:3] == (DEGRADED, "no answer")
    assert failing.details["failing_s"] == PATIENCE_S - 1
    assert target(failing_since=NOW - PATIENCE_S, reason="no answer")[1:3] == (DOWN, "no answer")
    assert target(failing_since=NOW)[1:3] == (DEGRADED, "it takes no points")
    assert target(complaints=("no mapping", "no bucket"))[1:3] == (DEGRADED, "no mapping")


def test_device() -> None:
    links = {Transport.MQTT: link_of(delivers=False, reason="no answer"), Transport.HTTP: link_of(delivers=None)}
    wrong = (wrong_reading("em:0", "a_voltage"), wrong_reading("em:0", None))
    told = device_hop("shellypro3-1", health_of(DEGRADED, "MQTT: no answer", links=links, wrong=wrong))
    assert told[:3] == ("device:shellypro3-1", DEGRADED, "MQTT: no answer")
    assert json.loads(json.dumps(told.details)) == {
        "state": "on_mqtt",
        "active": "mqtt",
        "data_age_s": 0.5,
        "last_reading_ts": NOW,
        "readings": 42,
        "links": {
            "mqtt": {
                "delivers": False,
                "reason": "no answer",
                "heard_ago_s": 0.5,
                "round_trip_s": 0.02,
                "failures": 1,
            },
            "http": {"delivers": None, "reason": None, "heard_ago_s": 0.5, "round_trip_s": 0.02, "failures": 1},
        },
        "clock": {"wrong": False, "offset_s": 0.25},
        "rejects": {"out of range": 2},
        "drops": {"retained": 1},
        "wrong": ["em:0 a_voltage", "em:0"],
        "switchovers": 3,
        "password_refused": False,
    }
