"""A device that is how a test wants it to be, for what takes minutes or cannot be brought about."""

from dataclasses import replace
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.shelly_pro.shelly_core import BreakerState, ClockHealth, Health, Level, LinkHealth, Transport

WORKS = LinkHealth(
    delivers=True,
    breaker=BreakerState.CLOSED,
    reason=None,
    failures_in_a_row=0,
    open_for_s=None,
    heard_ago_s=1.5,
    round_trip_s=0.025,
    round_trip_worst_s=0.25,
    answers=12,
    failures=1,
)
GONE = replace(WORKS, delivers=False, breaker=BreakerState.OPEN, reason="no answer", heard_ago_s=None)
RIGHT = ClockHealth(wrong=False, synced=True, offset_s=0.125, steps=0)


def pretend(entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Health:
    """Let the device of a loaded entry be well on HTTP, but for the changes, and tell whoever watches it."""
    client = entry.runtime_data.client
    well = {
        "level": Level.OK,
        "reason": None,
        "active": Transport.HTTP,
        "broker": None,
        "links": {Transport.HTTP: WORKS},
        "clock": RIGHT,
        "wrong": (),
    }
    health: Health = replace(type(client).health(client), **(well | changes))
    monkeypatch.setattr(client, "health", lambda: health)
    for watcher in tuple(client._watchers):
        watcher()
    return health


async def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: int) -> None:
    """Let time pass in the steps in which issues are looked after."""
    for _ in range(0, seconds, 30):
        freezer.tick(30)
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
