"""How the device itself is: its network, its memory, and since when it runs."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

type Notify = Callable[..., Awaitable[None]]

SIGNAL = "sensor.switchboard_signal_strength"


@pytest.mark.usefixtures("all_enabled")
async def test_what_the_device_tells_of_itself(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert state_of(hass, SIGNAL) == "-58"
    assert state_of(hass, "sensor.switchboard_wi_fi_network") == "Workshop"
    assert state_of(hass, "sensor.switchboard_wi_fi_address") == "192.0.2.53"
    assert state_of(hass, "sensor.switchboard_ethernet_address") == "192.0.2.52"
    assert float(state_of(hass, "sensor.switchboard_free_memory")) == device.status["sys"]["ram_free"] / 1000
    since = datetime.fromisoformat(state_of(hass, "sensor.switchboard_running_since"))
    ago = timedelta(seconds=device.status["sys"]["uptime"])
    assert abs(dt_util.utcnow() - since - ago) < timedelta(seconds=60)


@pytest.mark.usefixtures("all_enabled")
async def test_what_is_or_is_not(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert state_of(hass, "binary_sensor.switchboard_restart_required") == STATE_OFF
    await notify({"sys": {"restart_required": True}, "cloud": {"connected": True}})
    assert state_of(hass, "binary_sensor.switchboard_restart_required") == STATE_ON
    assert state_of(hass, "binary_sensor.switchboard_shelly_cloud") == STATE_ON


@pytest.mark.parametrize(
    ("wifi", "disabled"),
    [({}, None), ({"sta_ip": None, "status": "disconnected", "rssi": 0}, er.RegistryEntryDisabler.INTEGRATION)],
)
async def test_the_signal_is_of_interest_where_it_is_used(
    hass: HomeAssistant,
    device: FixtureDevice,
    entry: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    wifi: dict[str, object],
    disabled: er.RegistryEntryDisabler | None,
) -> None:
    device.status["wifi"] |= wifi
    await set_up(hass, entry)
    entity = entity_registry.async_get(SIGNAL)
    assert entity is not None
    assert entity.disabled_by is disabled


@pytest.mark.usefixtures("all_enabled")
async def test_no_signal_is_not_zero(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    device.status["wifi"] |= {"sta_ip": None, "status": "disconnected", "rssi": 0}
    await set_up(hass, entry)
    assert state_of(hass, SIGNAL) == STATE_UNKNOWN


@pytest.mark.usefixtures("all_enabled")
async def test_what_a_device_does_not_tell(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    del device.status["sys"]["uptime"]
    del device.status["eth"]
    await set_up(hass, entry)
    assert state_of(hass, "sensor.switchboard_running_since") == STATE_UNKNOWN
    assert hass.states.get("sensor.switchboard_ethernet_address") is None
