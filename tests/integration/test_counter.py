"""A counter across a restart of Home Assistant: what it showed before is not forgotten."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State
from pytest_homeassistant_custom_component.common import MockConfigEntry, mock_restore_cache_with_extra_data

from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

ENERGY = "sensor.switchboard_total_energy"


def shown_before(hass: HomeAssistant, value: Any, unit: str | None = "Wh") -> None:
    extra = {"native_value": value, "native_unit_of_measurement": unit}
    mock_restore_cache_with_extra_data(hass, [(State(ENERGY, "0"), extra)])


def energy_wh(hass: HomeAssistant) -> float:
    return round(float(state_of(hass, ENERGY)) * 1000, 2)


@pytest.mark.parametrize("more", [0.01, 8.0])
async def test_a_small_step_back_is_not_shown(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    notify: Callable[..., Awaitable[None]],
    more: float,
) -> None:
    counter = mqtt_device.status["emdata:0"]["total_act"]
    shown_before(hass, counter + more)
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert energy_wh(hass) == round(counter + more, 2)
    await notify({"emdata:0": {"total_act": round(counter + more / 2, 3)}})
    assert energy_wh(hass) == round(counter + more, 2)
    # Once it is past that, it counts on as it is.
    await notify({"emdata:0": {"total_act": counter + 9}}, ts=1764000005.0)
    assert energy_wh(hass) == round(counter + 9, 2)


@pytest.mark.parametrize("before", [None, "a text", 0.0, 1e9])
async def test_anything_else_shows_what_the_device_says(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, before: Any
) -> None:
    """A counter that fell by more than a tenth has begun anew."""
    shown_before(hass, before)
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert energy_wh(hass) == mqtt_device.status["emdata:0"]["total_act"]


@pytest.mark.parametrize("unit", ["kWh", None])
async def test_a_value_in_another_unit_says_nothing(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, unit: str | None
) -> None:
    counter = mqtt_device.status["emdata:0"]["total_act"]
    shown_before(hass, counter + 5, unit)
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert energy_wh(hass) == counter


async def test_a_counter_that_is_not_told_is_unknown_and_still_does_not_step_back(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Callable[..., Awaitable[None]]
) -> None:
    counter = mqtt_device.status["emdata:0"]["total_act"]
    mqtt_device.status["emdata:0"]["total_act"] = None
    shown_before(hass, counter + 5)
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert state_of(hass, ENERGY) == STATE_UNKNOWN
    await notify({"emdata:0": {"total_act": counter}})
    assert energy_wh(hass) == round(counter + 5, 2)
