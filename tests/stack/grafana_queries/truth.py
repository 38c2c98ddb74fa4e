"""What boards must show: worked out of what the simulated devices told and of their ledgers, not out of the store."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.stack.grafana_queries.story import MINUTE_S, Story

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.stack.fleet import SimulatedDevice
    from tests.stack.grafana_queries.time_range import TimeRange

NOTIFICATIONS = frozenset({"NotifyStatus", "NotifyFullStatus"})
BLURRED_S = 120.0
"""How far the time of an answer may be from when it was asked for: the exporter sees a second in a millisecond."""

type Points = dict[int, Any]
"""Values by time in milliseconds."""


def told(story: Story, device: SimulatedDevice, key: str, field: str) -> Points:
    """Return what a device told of itself, by its own stamp."""
    return {
        round(row["ts"] * 1000): row["params"][key][field]
        for row in story.told[device.id]
        if row["kind"] in NOTIFICATIONS and field in row["params"].get(key, {})
    }


def blurred(story: Story, device: SimulatedDevice) -> list[tuple[float, float]]:
    """Return the times around answers to questions, whose values are in the store as well, but at a time of ours."""
    asked = [row["at"] for row in story.told[device.id] if row["kind"] not in NOTIFICATIONS | {"NotifyEvent"}]
    return [((at - BLURRED_S) * 1000, (at + BLURRED_S) * 1000) for at in asked]


def by_bucket(points: Points, time: TimeRange, bucket_ms: int) -> dict[int, list[Any]]:
    """Return the values of each bucket, of those in a range."""
    buckets: dict[int, list[Any]] = defaultdict(list)
    for at, value in points.items():
        if time.from_ms <= at <= time.to_ms:
            buckets[at // bucket_ms * bucket_ms].append(value)
    return dict(buckets)


def energy_kwh(story: Story, devices: Iterable[SimulatedDevice], begin: float, end: float) -> tuple[float, float]:
    """Return what truly was drawn and fed in, by all phases, from a minute to another."""
    rows = [
        row
        for device in devices
        for row in story.ledgers[device.id]["energy"]
        if begin <= row["minute"] and row["minute"] + MINUTE_S <= end
    ]
    return sum(row["act_wh"] for row in rows) / 1000, sum(row["ret_wh"] for row in rows) / 1000


def switched(story: Story, relay: int) -> list[tuple[float, bool]]:
    """Return when a relay was switched, and to what; before, it was off."""
    edges = story.ledgers[story.relays.id]["edges"]
    return [(edge["ts"], edge["on"]) for edge in edges if edge["kind"] == "switch" and edge["id"] == relay]


def is_on(story: Story, relay: int, moment: float) -> bool:
    """Tell whether a relay was on."""
    return next((on for at, on in reversed(switched(story, relay)) if at <= moment), False)


def on_hours(story: Story, relay: int, begin: float, end: float) -> float:
    """Return how long a relay was on from one time to another."""
    edges = [(begin, is_on(story, relay, begin))]
    edges += [(at, on) for at, on in switched(story, relay) if begin < at < end]
    ends = [at for at, _ in edges[1:]] + [end]
    return sum(until - since for (since, on), until in zip(edges, ends, strict=True) if on) / 3600
