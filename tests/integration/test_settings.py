"""The settings of the device are followed, whoever changes them."""

from collections.abc import Awaitable, Callable
from time import time

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro.const import CONF_TOPIC_PREFIX, DOMAIN
from custom_components.shelly_pro.coordinator import ShellyProCoordinator
from custom_components.shelly_pro.settings import mqtt_topic_prefix
from custom_components.shelly_pro.shelly_core import Event
from tests.integration.entries import answered, set_up
from tests.integration.fixture_device import FixtureDevice

type Notify = Callable[..., Awaitable[None]]


@pytest.fixture
def fixture_name() -> str:
    return "shellypro3-1.4.4"


@pytest.fixture
async def coordinator(hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry) -> ShellyProCoordinator:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    found: ShellyProCoordinator = entry.runtime_data
    return found


def config_reads(device: FixtureDevice) -> int:
    return [method for method, _ in device.calls].count("Shelly.GetConfig")


async def test_setting_changes_the_device_and_tells_who_watches(
    coordinator: ShellyProCoordinator, device: FixtureDevice
) -> None:
    seen: list[float] = []
    settings = coordinator.settings
    stop = settings.async_watch("switch:0", lambda: seen.append(settings.of("switch:0")["auto_off_delay"]))
    settings.async_watch("switch:1", lambda: pytest.fail("another component"))
    await settings.async_set("switch:0", {"auto_off_delay": 90.0})
    assert ("Switch.SetConfig", {"id": 0, "config": {"auto_off_delay": 90.0}}) in device.calls
    assert seen == [90.0]
    stop()
    await settings.async_set("switch:0", {"auto_off_delay": 95.0})
    assert seen == [90.0]
    await settings.async_set("sys", {"device": {"eco_mode": True}})
    assert device.calls[-3] == ("Sys.SetConfig", {"config": {"device": {"eco_mode": True}}})


async def test_refused(coordinator: ShellyProCoordinator, device: FixtureDevice) -> None:
    device.refused.add("Switch.SetConfig")
    with pytest.raises(HomeAssistantError, match="Invalid argument"):
        await coordinator.settings.async_set("switch:0", {"auto_off_delay": -1})


async def test_no_component_has_no_settings(coordinator: ShellyProCoordinator) -> None:
    assert coordinator.settings.of("switch:9") == {}


async def test_a_revision_that_the_device_tells_is_read(
    hass: HomeAssistant, coordinator: ShellyProCoordinator, device: FixtureDevice, notify: Notify
) -> None:
    device.set_config("switch:0", {"auto_on": True})
    before = config_reads(device)
    await notify({"sys": {"cfg_rev": device.status["sys"]["cfg_rev"]}})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert coordinator.settings.of("switch:0")["auto_on"] is True
    await notify({"sys": {"ram_free": 5}}, ts=1764000001.0)
    assert config_reads(device) == before + 1


async def test_an_event_is_enough(coordinator: ShellyProCoordinator, device: FixtureDevice, happen: Notify) -> None:
    device.set_config("switch:0", {"auto_on": True})
    await happen("switch:0", "config_changed", ts=time())
    assert coordinator.settings.of("switch:0")["auto_on"] is True


async def test_other_firmware_after_a_restart(
    hass: HomeAssistant,
    coordinator: ShellyProCoordinator,
    device: FixtureDevice,
    device_registry: dr.DeviceRegistry,
    notify: Notify,
) -> None:
    device.info["ver"] = "1.7.5"
    await notify({"sys": {"uptime": 3}})
    await hass.async_block_till_done(wait_background_tasks=True)
    entry_id = coordinator.config_entry.entry_id
    found = device_registry.async_get_device_by_identifier((DOMAIN, device.mac), config_entry_id=entry_id)
    assert found is not None
    assert found.sw_version == "1.7.5"


@pytest.mark.parametrize(
    ("key", "config"),
    [("input:0", {"type": "button"}), ("switch:1", {"name": "Heater"}), ("mqtt", {"enable": False})],
)
async def test_another_shape_reloads_the_entry(
    hass: HomeAssistant,
    coordinator: ShellyProCoordinator,
    entry: MockConfigEntry,
    key: str,
    config: dict[str, object],
) -> None:
    await coordinator.settings.async_set(key, config)
    await answered(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data is not coordinator
    assert entry.data[CONF_TOPIC_PREFIX] == mqtt_topic_prefix(coordinator.device)


async def test_what_cannot_be_read_is_read_with_the_next_status(
    hass: HomeAssistant, coordinator: ShellyProCoordinator, device: FixtureDevice, notify: Notify
) -> None:
    device.set_config("switch:0", {"auto_on": True})
    device.refused.add("Shelly.GetConfig")
    await notify({"sys": {"cfg_rev": device.status["sys"]["cfg_rev"]}})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert coordinator.settings.of("switch:0")["auto_on"] is False
    device.refused.clear()
    await notify({"sys": {"ram_free": 5}}, ts=1764000001.0)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert coordinator.settings.of("switch:0")["auto_on"] is True


async def test_events_reach_who_watches_their_component(
    coordinator: ShellyProCoordinator, device: FixtureDevice, happen: Notify
) -> None:
    seen: list[Event] = []
    stop = coordinator.async_watch_events("input:0", seen.append)
    now = time()
    await happen("input:0", "single_push", ts=now)
    await happen("input:1", "single_push", ts=now)
    stop()
    await happen("input:0", "double_push", ts=now + 1)
    assert [event.event for event in seen] == ["single_push"]
