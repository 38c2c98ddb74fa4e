"""Every sensor of every device."""

from collections.abc import Awaitable, Callable

from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FIXTURES, FixtureDevice

DEVICES = sorted(folder.name for folder in FIXTURES.iterdir() if folder.is_dir())


async def test_unknown_is_not_zero(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    notify: Callable[..., Awaitable[None]],
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await notify({"em:0": {"a_voltage": None, "b_voltage": 0.0}})
    assert state_of(hass, "sensor.switchboard_phase_a_voltage") == STATE_UNKNOWN
    assert state_of(hass, "sensor.switchboard_phase_b_voltage") == "0.0"


async def test_component_that_vanishes_is_unavailable(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    del mqtt_device.status["temperature:0"]
    await entry.runtime_data.client.call("Shelly.GetStatus")
    await hass.async_block_till_done()
    assert state_of(hass, "sensor.switchboard_temperature") == STATE_UNAVAILABLE
    assert state_of(hass, "sensor.switchboard_total_power") != STATE_UNAVAILABLE
