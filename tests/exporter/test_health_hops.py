"""The hops of a report: broker, spool, store, devices."""

import json

from shelly_core import Level, Transport
from shelly_exporter.health import FULL, LATE_S, PATIENCE_S, device_hop
from tests.exporter.healths import health_of, link_of, wrong_reading
from tests.exporter.hops import NOW, broker, spool, target

OK, DEGRADED, DOWN = Level.OK, Level.DEGRADED, Level.DOWN


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
