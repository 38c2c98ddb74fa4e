from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shelly_core import Level, Transport
from shelly_exporter.metrics import FAILURES, PREFIX, RESULTS, Metrics, Snapshot
from tests.exporter.healths import health_of, link_of

NOW = 1790000000.0

type Labels = dict[str, str]


def samples(metrics: Metrics) -> dict[str, list[tuple[Labels, float]]]:
    """Return what a scrape shows, by name without the prefix."""
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix(PREFIX), []).append((sample.labels, sample.value))
    return found


def metrics_of(snapshot: Snapshot | Callable[[], Snapshot]) -> Metrics:
    return Metrics(snapshot if callable(snapshot) else lambda: snapshot, wall=lambda: NOW)


def test_everything_is_prefixed_and_explained() -> None:
    families = list(text_string_to_metric_families(metrics_of(Snapshot()).text().decode()))
    assert len(families) > 10
    assert all(family.name.startswith(PREFIX) for family in families)
    assert all(family.documentation for family in families)


def test_counts_are_totals_of_the_snapshot() -> None:
    snapshot = Snapshot(
        messages={"taken": 90, "foreign": 3},
        points={"em": 80, "switch": 10},
        rejects={"out of range": 4},
        drops={"retained": 5},
    )
    told = samples(metrics_of(snapshot))
    messages = {labels["result"]: value for labels, value in told["messages_total"]}
    assert messages == {"taken": 90, "retained": 0, "foreign": 3, "oversized": 0, "malformed": 0}
    assert set(messages) == set(RESULTS)
    assert told["points_total"] == [({"measurement": "em"}, 80), ({"measurement": "switch"}, 10)]
    assert told["rejects_total"] == [({"reason": "out of range"}, 4)]
    assert told["drops_total"] == [({"reason": "retained"}, 5)]


def test_the_spool_is_looked_at_when_asked() -> None:
    depth = {"raw": 0}
    asked = metrics_of(
        lambda: Snapshot(
            spool_bytes=depth,
            spool_oldest={"raw": NOW - 90, "counters": None, "early": NOW + 5},
            spool_lost={("raw", "quota"): 7, ("raw", "disk full"): 1},
        )
    )
    depth["raw"] = 4096
    told = samples(asked)
    assert told["spool_bytes"] == [({"stream": "raw"}, 4096)]
    assert told["spool_age_seconds"] == [({"stream": "raw"}, 90), ({"stream": "counters"}, 0), ({"stream": "early"}, 0)]
    assert told["spool_lost_lines_total"] == [
        ({"stream": "raw", "reason": "quota"}, 7),
        ({"stream": "raw", "reason": "disk full"}, 1),
    ]
    depth["raw"] = 0
    assert samples(asked)["spool_bytes"] == [({"stream": "raw"}, 0)]


def test_the_broker() -> None:
    told = samples(metrics_of(Snapshot()))
    assert told["broker_connected"] == [({}, 0)]
    assert "broker_dropped_total" not in told
    told = samples(metrics_of(Snapshot(broker_connected=True, broker_dropped=0)))
    assert told["broker_connected"] == [({}, 1)]
    assert told["broker_dropped_total"] == [({}, 0)]


def test_devices_and_their_links() -> None:
    links = {Transport.MQTT: link_of(delivers=False), Transport.HTTP: link_of(delivers=True)}
    odd = 'odd"\\\nname'
    devices = {
        "a": health_of(Level.DEGRADED, "MQTT is silent", links=links),
        "b": health_of(Level.DOWN, "gone", links={Transport.MQTT: link_of(delivers=None)}),
        odd: health_of(),
    }
    told = samples(metrics_of(Snapshot(devices=devices)))
    assert told["devices"] == [({}, 3)]
    assert told["device_up"] == [({"device": "a"}, 1), ({"device": "b"}, 0), ({"device": odd}, 1)]
    assert told["device_link"] == [
        ({"device": "a", "link": "mqtt"}, 0),
        ({"device": "a", "link": "http"}, 1),
        ({"device": odd, "link": "mqtt"}, 1),
    ]


def test_commits_and_writes_are_timed() -> None:
    metrics = metrics_of(Snapshot())
    metrics.committed(0.003)
    metrics.committed(0.3)
    metrics.written("raw", 5000, 0.04)
    metrics.written("raw", 10, 0.01)
    metrics.written("counters", 1, 60.0)
    told = samples(metrics)
    assert told["commit_seconds_count"] == [({}, 2)]
    assert told["commit_seconds_sum"][0][1] == pytest.approx(0.303)
    assert ({"le": "0.005"}, 1) in told["commit_seconds_bucket"]
    assert told["write_seconds_count"] == [({}, 3)]
    assert ({"le": "30.0"}, 2) in told["write_seconds_bucket"]
    assert told["written_lines_total"] == [({"stream": "raw"}, 5010), ({"stream": "counters"}, 1)]


def test_failures_and_dead_letters_are_counted_by_kind() -> None:
    metrics = metrics_of(Snapshot())
    metrics.failed("denied")
    metrics.failed("denied")
    metrics.rejected("type conflict", 3)
    metrics.rejected("type conflict", 1)
    told = samples(metrics)
    failures = {labels["kind"]: value for labels, value in told["write_failures_total"]}
    assert failures == dict.fromkeys(FAILURES, 0) | {"denied": 2}
    assert told["dead_letters_total"] == [({"reason": "type conflict"}, 4)]


def test_two_exporters_in_one_process_do_not_share() -> None:
    one, other = metrics_of(Snapshot()), metrics_of(Snapshot())
    one.committed(0.1)
    assert samples(other)["commit_seconds_count"] == [({}, 0)]
