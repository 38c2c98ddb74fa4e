"""How every hop on the way from the devices to the store is, and from that how the exporter is as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from shelly_core import Health, Level, LinkHealth

__all__ = [
    "BROKER",
    "DEVICE",
    "SPOOL",
    "TARGET",
    "Hop",
    "Level",
    "broker_hop",
    "device_hop",
    "report",
    "spool_hop",
    "target_hop",
]

BROKER: Final = "broker"
SPOOL: Final = "spool"
TARGET: Final = "target"
DEVICE: Final = "device:"
"""What the name of a device's hop begins with; its id follows."""

SEVERITY: Final = (Level.OK, Level.DEGRADED, Level.DOWN)

FULL: Final = 0.9
"""The share of the spool's quota from which on its end is near."""
LATE_S: Final = 300.0
"""Readings that wait for so long do so for no ordinary reason."""
PATIENCE_S: Final = 60.0
"""A store that takes nothing for so long is down; before, it may just be starting."""


class Hop(NamedTuple):
    """One hop; `reason` is what is wrong with it, `None` if nothing is. `details` are plain data, fit for JSON."""

    name: str
    level: Level
    reason: str | None
    details: Mapping[str, Any]


def report(hops: Sequence[Hop]) -> dict[str, Any]:
    """Return the status of all hops together, with the worst hop's reason, and each hop.

    It is down if the spool takes nothing, or if nothing comes in: neither from the broker nor from any device.
    """
    worst = max(hops, key=lambda hop: SEVERITY.index(hop.level), default=None)
    status = Level.OK if worst is None else min(worst.level, Level.DEGRADED, key=SEVERITY.index)
    if _useless(hops):
        status = Level.DOWN
    well = worst is None or worst.level is Level.OK
    return {
        "status": status,
        "reason": None if well or worst is None else f"{worst.name}: {worst.reason}",
        "hops": [
            {"name": name, "level": level, "reason": why, "details": dict(more)} for name, level, why, more in hops
        ],
    }


def broker_hop(
    *, connected: bool, reason: str | None, version: str | None, session_present: bool, counts: Mapping[str, int]
) -> Hop:
    """Judge the connection to the broker; a connected one with a `reason` lacks a subscription."""
    level = Level.DOWN if not connected else Level.OK if reason is None else Level.DEGRADED
    told = "not connected yet" if not connected and reason is None else reason
    details = {"version": version, "session_present": session_present, "counts": dict(counts)}
    return Hop(BROKER, level, told, details)


def spool_hop(
    *,
    depth_bytes: Mapping[str, int],
    max_bytes: int,
    oldest: float | None,
    now: float,
    problem: str | None,
    lost: Mapping[str, int],
) -> Hop:
    """Judge the spool; `oldest`, `now` are Unix seconds, `problem` is why it takes nothing, `lost` lines by reason."""
    used = sum(depth_bytes.values()) / max_bytes
    age_s = None if oldest is None else max(0.0, now - oldest)
    details = {"bytes": dict(depth_bytes), "max_bytes": max_bytes, "oldest_age_s": age_s, "lost_lines": dict(lost)}
    if problem is not None:
        return Hop(SPOOL, Level.DOWN, problem, details)
    if used >= FULL:
        told = f"it is {used:.0%} full: at 100% the oldest readings are given up"
        return Hop(SPOOL, Level.DEGRADED, told, details)
    if age_s is not None and age_s >= LATE_S:
        return Hop(SPOOL, Level.DEGRADED, f"readings have been waiting for {age_s / 60:.0f} min", details)
    return Hop(SPOOL, Level.OK, None, details)


def target_hop(
    *,
    last_success_at: float | None,
    failing_since: float | None,
    reason: str | None,
    in_flight: int,
    now: float,
    complaints: Sequence[str] = (),
) -> Hop:
    """Judge the store; times are Unix seconds, `in_flight` lines under way, `complaints` what could not be set up."""
    failing_s = None if failing_since is None else now - failing_since
    details = {
        "last_success_ago_s": None if last_success_at is None else now - last_success_at,
        "failing_s": failing_s,
        "in_flight": in_flight,
        "complaints": [*complaints],
    }
    if failing_s is None:
        complaint = next(iter(complaints), None)
        return Hop(TARGET, Level.OK if complaint is None else Level.DEGRADED, complaint, details)
    level = Level.DEGRADED if failing_s < PATIENCE_S else Level.DOWN
    return Hop(TARGET, level, "it takes no points" if reason is None else reason, details)


def device_hop(device: str, health: Health) -> Hop:
    """Take over what the core says of the device with this id."""
    details = {
        "state": health.state,
        "active": health.active,
        "data_age_s": health.data_age_s,
        "last_reading_ts": health.last_reading_ts,
        "readings": health.readings,
        "links": {str(transport): _link(link) for transport, link in health.links.items()},
        "clock": {"wrong": health.clock.wrong, "offset_s": health.clock.offset_s},
        "rejects": dict(health.rejects),
        "drops": dict(health.drops),
        "wrong": [f"{wrong.component} {wrong.field or ''}".strip() for wrong in health.wrong],
        "switchovers": health.switchovers,
        "password_refused": health.password_refused,
    }
    return Hop(f"{DEVICE}{device}", health.level, health.reason, details)


def _link(link: LinkHealth) -> dict[str, Any]:
    return {
        "delivers": link.delivers,
        "reason": link.reason,
        "heard_ago_s": link.heard_ago_s,
        "round_trip_s": link.round_trip_s,
        "failures": link.failures,
    }


def _useless(hops: Iterable[Hop]) -> bool:
    """Tell whether no reading can come in or none can be kept."""
    down = {hop.name: hop.level is Level.DOWN for hop in hops}
    devices = [is_down for name, is_down in down.items() if name.startswith(DEVICE)]
    return down.get(SPOOL, False) or (down.get(BROKER, False) and all(devices))
