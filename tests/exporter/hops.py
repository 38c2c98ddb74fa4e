"""Hops to which nothing is wrong, but for what is said."""

from typing import Any

from shelly_exporter.health import Hop, broker_hop, spool_hop, target_hop

NOW = 1790000000.0


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
