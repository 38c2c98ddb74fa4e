"""Firmware is offered, installed with its progress, and the device is started anew."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import time
from unittest.mock import patch

import pytest
from homeassistant.components.update.const import ATTR_IN_PROGRESS, ATTR_UPDATE_PERCENTAGE
from homeassistant.const import ATTR_ENTITY_ID, STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.shelly_pro.firmware import INSTALLED_WITHIN
from custom_components.shelly_pro.shelly_core import Client, RpcError
from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

type Notify = Callable[..., Awaitable[None]]

FIRMWARE, BETA = "update.switchboard_firmware", "update.switchboard_beta_firmware"


@pytest.fixture(autouse=True)
def _offers(device: FixtureDevice, all_enabled: None) -> None:
    device.answers["Shelly.Update"] = None
    device.answers["Shelly.Reboot"] = None


def progress(hass: HomeAssistant) -> tuple[bool, int | None]:
    state = hass.states.get(FIRMWARE)
    assert state is not None
    return state.attributes[ATTR_IN_PROGRESS], state.attributes[ATTR_UPDATE_PERCENTAGE]


async def install(hass: HomeAssistant, entity_id: str = FIRMWARE) -> None:
    await hass.services.async_call("update", "install", {ATTR_ENTITY_ID: entity_id}, blocking=True)


async def test_offered(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    state = hass.states.get(FIRMWARE)
    assert state is not None
    assert (state.state, state.attributes["installed_version"], state.attributes["latest_version"]) == (
        STATE_ON,
        "1.7.5",
        "2.0.1",
    )
    assert state_of(hass, BETA) == STATE_OFF


@pytest.mark.parametrize(
    ("installed", "offered", "state"),
    [
        ("2.0.0", "2.0.0-beta2", STATE_OFF),
        ("1.7.5", "2.0.0-beta2", STATE_ON),
        ("0.14.2-pro3em400prod0", "1.0.0", STATE_ON),
        ("1.10.0", "1.9.0", STATE_OFF),
        ("1.0.0", "1.0.0-next%", STATE_OFF),
    ],
)
async def test_versions_are_compared_as_numbers(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, installed: str, offered: str, state: str
) -> None:
    device.info["ver"] = installed
    device.status["sys"]["available_updates"] = {"beta": {"version": offered}}
    await set_up(hass, entry)
    assert state_of(hass, BETA) == state


async def test_installed_with_progress(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify, happen: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await happen("sys", "ota_progress", ts=time(), progress_percent=5)
    assert progress(hass) == (False, None), "nobody has asked for it here"
    await install(hass)
    assert ("Shelly.Update", {"stage": "stable"}) in mqtt_device.calls
    assert progress(hass) == (True, None)
    now = time()
    await happen("sys", "ota_progress", ts=now + 1, progress_percent=40)
    assert progress(hass) == (True, 40)
    await happen("sys", "ota_progress", ts=now + 2, progress_percent="half")
    assert progress(hass) == (True, None)
    await happen("sys", "ota_success", ts=now + 3)
    assert progress(hass) == (True, None)
    mqtt_device.info["ver"] = "2.0.1"
    mqtt_device.status["sys"]["available_updates"] = {}
    await notify({"sys": {"uptime": 3, "available_updates": {}}})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (progress(hass), state_of(hass, FIRMWARE)) == ((False, None), STATE_OFF)


async def test_the_device_says_that_it_failed(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    happen: Notify,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await install(hass)
    await happen("sys", "ota_error", ts=time(), msg="Download failed")
    assert progress(hass) == (False, None)
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "Switchboard could not install firmware 2.0.1: Download failed" in said


async def test_nothing_is_heard_of_it(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    await set_up(hass, entry)
    await install(hass)
    async_fire_time_changed(hass, dt_util.utcnow() + INSTALLED_WITHIN + timedelta(seconds=1))
    await hass.async_block_till_done()
    assert progress(hass) == (False, None)
    assert "still has firmware 1.7.5 10 minutes after" in caplog.text


async def test_the_device_refuses(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    device.refused.add("Shelly.Update")
    with pytest.raises(HomeAssistantError, match="refused"):
        await install(hass)
    assert progress(hass) == (False, None)


async def test_it_installs_already(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    error = RpcError(-106, "Already in progress", "Shelly.Update")
    with patch.object(Client, "call", side_effect=error):
        await install(hass)
    assert progress(hass) == (True, None)


async def test_nothing_to_install(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    device.status["sys"]["available_updates"] = {}
    await set_up(hass, entry)
    with pytest.raises(HomeAssistantError):
        await install(hass)
    assert "Shelly.Update" not in [method for method, _ in device.calls]


async def test_restart(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    button = "button.switchboard_restart"
    await hass.services.async_call("button", "press", {ATTR_ENTITY_ID: button}, blocking=True)
    assert ("Shelly.Reboot", {"delay_ms": 1000}) in device.calls
