"""What is wired to the inputs: switches have a state, at push-buttons things happen."""

from collections.abc import Awaitable, Callable
from time import time

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

type Notify = Callable[..., Awaitable[None]]

SWITCH, BUTTON = "binary_sensor.switchboard_input_2", "event.switchboard_input_3"
FRONT = "event.switchboard_button_on_the_device"


@pytest.fixture
def fixture_name() -> str:
    return "shellypro3-1.4.4"


async def test_a_switch_has_a_state(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert state_of(hass, SWITCH) == STATE_ON
    await notify({"input:1": {"id": 1, "state": False}})
    assert state_of(hass, SWITCH) == STATE_OFF
    await notify({"input:1": {"id": 1, "state": None}}, ts=1764000001.0)
    assert state_of(hass, SWITCH) == STATE_UNKNOWN


async def test_a_push_is_an_event(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, happen: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert state_of(hass, BUTTON) == STATE_UNKNOWN
    now = time()
    await happen("input:2", "double_push", ts=now)
    state = hass.states.get(BUTTON)
    assert state is not None
    assert state.attributes["event_type"] == "double_push"
    await happen("input:2", "something_new", ts=now + 1)
    assert hass.states.get(BUTTON) == state
    await happen("input:2", "double_push", ts=now)
    assert hass.states.get(BUTTON) == state, "a repeated event is no second push"
    await happen("input:2", "long_push", ts=now - 3600)
    assert hass.states.get(BUTTON) == state, "an old event is no push"


@pytest.mark.usefixtures("all_enabled")
async def test_the_button_of_the_device(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, happen: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await happen("sys", "sys_btn_push", ts=time())
    state = hass.states.get(FRONT)
    assert state is not None
    assert state.attributes["event_type"] == "sys_btn_push"
    await happen("sys", "ota_begin", ts=time())
    assert hass.states.get(FRONT) == state


async def test_another_type_makes_another_entity(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    await set_up(hass, entry)
    await entry.runtime_data.settings.async_set("input:1", {"type": "button"})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "event.switchboard_input_2") == STATE_UNKNOWN
    assert entity_registry.async_get(SWITCH) is None
    device.set_config("input:1", {"type": "switch"})


async def test_an_input_that_is_not_in_use_begins_disabled(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    device.config["input:1"]["enable"] = False
    await set_up(hass, entry)
    entity = entity_registry.async_get(SWITCH)
    assert entity is not None
    assert entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION


async def test_without_its_component_there_is_no_state(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await notify({"input:1": None})
    assert state_of(hass, SWITCH) == STATE_UNAVAILABLE
