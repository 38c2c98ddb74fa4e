"""The core's health of made-up devices."""

from collections.abc import Mapping
from typing import Any

from shelly_core import BreakerState, ClockHealth, Health, Level, LinkHealth, State, Transport, WrongReading


def link_of(*, delivers: bool | None = True, reason: str | None = None) -> LinkHealth:
    """A link that was heard 0.5 s ago."""
    return LinkHealth(
        delivers=delivers,
        breaker=BreakerState.OPEN if delivers is False else BreakerState.CLOSED,
        reason=reason,
        failures_in_a_row=0,
        open_for_s=None,
        heard_ago_s=0.5,
        round_trip_s=0.02,
        round_trip_worst_s=0.03,
        answers=7,
        failures=1,
    )


def health_of(
    level: Level = Level.OK,
    reason: str | None = None,
    *,
    links: Mapping[Transport, LinkHealth] | None = None,
    **others: Any,
) -> Health:
    """A device that is well on MQTT, but for what is said."""
    known: dict[str, Any] = {
        "level": level,
        "reason": reason,
        "state": State.ON_MQTT,
        "state_for_s": 60.0,
        "active": Transport.MQTT,
        "broker": True,
        "links": {Transport.MQTT: link_of()} if links is None else links,
        "clock": ClockHealth(wrong=False, synced=True, offset_s=0.25, steps=0),
        "data_age_s": 0.5,
        "last_reading_ts": 1790000000.0,
        "readings": 42,
        "drops": {"retained": 1},
        "rejects": {"out of range": 2},
        "wrong": (),
        "switchovers": 3,
        "password_refused": False,
    }
    return Health(**known | others)


def wrong_reading(component: str, field: str | None) -> WrongReading:
    """A field that has been impossible for five minutes."""
    return WrongReading(component=component, field=field, reason="out of range", value="9e9", for_s=300.0, times=300)
