"""One road fails, and the other carries the device; what is wrong is told, and nothing else."""

import time

import pytest
from homeassistant.components import mqtt
from homeassistant.components.homeassistant import SERVICE_UPDATE_ENTITY
from homeassistant.components.mqtt.const import MQTT_PROCESSED_SUBSCRIPTIONS
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import (
    ATTR_ENTITY_ID,
    EVENT_HOMEASSISTANT_STOP,
    SERVICE_TURN_ON,
    STATE_ON,
    STATE_UNAVAILABLE,
    Platform,
)
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import MqttMockHAClient

from custom_components.shelly_pro.const import DOMAIN
from custom_components.shelly_pro.mqtt_link import SPREAD_S
from custom_components.shelly_pro.shelly_core import Level, LinkClosedError, Transport
from tests.integration.conftest import PassTime
from tests.integration.entries import active_link, answered, set_up, state_of
from tests.integration.fixture_device import FixtureDevice

FREQUENCY = "sensor.switchboard_phase_a_frequency"
RELAY = "switch.switchboard_relay_1"
CYCLES = 20


def lose_broker(hass: HomeAssistant, mqtt_mock: MqttMockHAClient) -> None:
    mqtt_mock.connected = False
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, False)


def find_broker(hass: HomeAssistant, mqtt_mock: MqttMockHAClient, entry: MockConfigEntry) -> None:
    mqtt_mock.connected = True
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, True)
    topic = f"homeassistant-{entry.entry_id.lower()}/rpc"
    async_dispatcher_send(hass, MQTT_PROCESSED_SUBSCRIPTIONS, [(topic, 0)])


async def test_broker_that_goes_and_comes_back(
    hass: HomeAssistant,
    pass_time: PassTime,
    mqtt_device: FixtureDevice,
    mqtt_mock: MqttMockHAClient,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert active_link(entry) is Transport.MQTT

    lose_broker(hass, mqtt_mock)
    mqtt_device.status["em:0"]["a_freq"] = 49.25
    await pass_time(SPREAD_S)
    assert active_link(entry) is Transport.HTTP
    await pass_time(1.0)
    assert state_of(hass, FREQUENCY) == "49.25"

    find_broker(hass, mqtt_mock, entry)
    await answered(hass)
    assert active_link(entry) is Transport.HTTP
    await pass_time(6)
    assert active_link(entry) is Transport.MQTT
    assert "Switchboard is unavailable" not in caplog.text


@pytest.mark.usefixtures("hasty")
async def test_meter_that_falls_silent_on_mqtt(
    hass: HomeAssistant, pass_time: PassTime, mqtt_device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    mqtt_device.on_broker = False
    mqtt_device.status["em:0"]["a_freq"] = 49.25
    await pass_time(15)
    assert active_link(entry) is Transport.MQTT
    await pass_time(6)
    assert active_link(entry) is Transport.HTTP
    assert state_of(hass, FREQUENCY) == "49.25"
    assert entry.runtime_data.client.health().level is Level.DEGRADED


@pytest.mark.usefixtures("hasty")
async def test_both_roads_fail_and_one_comes_back(
    hass: HomeAssistant,
    pass_time: PassTime,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    mqtt_device.online = False
    for _ in range(6):
        await pass_time(10)
    assert active_link(entry) is None
    assert state_of(hass, FREQUENCY) == STATE_UNAVAILABLE
    assert state_of(hass, "sensor.switchboard_active_link") == "none"
    (said,) = [record.getMessage() for record in caplog.records if "is unavailable" in record.getMessage()]
    assert "MQTT: no answer" in said
    assert "HTTP: HTTP status 503" in said

    mqtt_device.online = True
    await pass_time(60)
    await pass_time(6)
    assert state_of(hass, FREQUENCY) == str(mqtt_device.status["em:0"]["a_freq"])
    assert caplog.text.count("Switchboard is back over") == 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fixture_name", ["shellypro3-1.4.4"])
async def test_relay_whose_mqtt_hangs_is_switched_over_http(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry
) -> None:
    mqtt_device.status["switch:0"]["output"] = False
    mqtt_device.config["switch:0"]["name"] = None
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    mqtt_device.on_broker = False
    await hass.services.async_call(Platform.SWITCH, SERVICE_TURN_ON, {ATTR_ENTITY_ID: RELAY}, blocking=True)
    assert state_of(hass, RELAY) == STATE_ON
    assert [method for method, _ in mqtt_device.calls].count("Switch.Set") == 1


async def test_update_by_hand_does_not_revive_what_is_gone(
    hass: HomeAssistant,
    pass_time: PassTime,
    device: FixtureDevice,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await async_setup_component(hass, HOMEASSISTANT_DOMAIN, {})
    await set_up(hass, entry)

    async def update() -> None:
        target = {ATTR_ENTITY_ID: FREQUENCY}
        await hass.services.async_call(HOMEASSISTANT_DOMAIN, SERVICE_UPDATE_ENTITY, target, blocking=True)
        await hass.async_block_till_done()

    await update()
    assert state_of(hass, FREQUENCY) == str(device.status["em:0"]["a_freq"])
    device.online = False
    for _ in range(5):
        await pass_time(6)
    await update()
    assert state_of(hass, FREQUENCY) == STATE_UNAVAILABLE
    await pass_time(60)
    assert state_of(hass, FREQUENCY) == STATE_UNAVAILABLE
    ours = [record for record in caplog.records if record.name == "custom_components.shelly_pro"]
    said = [record.getMessage() for record in ours if record.levelname in {"WARNING", "ERROR"}]
    assert len([text for text in said if "Switchboard" in text]) == 1


async def test_wrong_password_on_the_road_that_stands_by(
    hass: HomeAssistant, pass_time: PassTime, mqtt_device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    mqtt_device.protect("new password")
    await pass_time(61)
    await pass_time(61)
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]
    assert active_link(entry) is Transport.MQTT
    assert state_of(hass, FREQUENCY) == str(mqtt_device.status["em:0"]["a_freq"])
    assert entry.runtime_data.client.health().password_refused


async def test_mqtt_on_the_device_only_is_no_fault(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.enable_mqtt()
    device.status["sys"]["unixtime"] = int(time.time())
    await set_up(hass, entry, topic_prefix=device.topic_prefix)
    health = entry.runtime_data.client.health()
    assert (active_link(entry), health.level, health.broker) == (Transport.HTTP, Level.OK, None)
    assert health.links.keys() == {Transport.HTTP}


async def test_when_home_assistant_stops_the_device_is_let_go(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done(wait_background_tasks=True)
    with pytest.raises(LinkClosedError):
        await entry.runtime_data.client.call("Shelly.GetStatus")


async def test_set_up_and_unloaded_again_and_again_leaves_nothing(
    hass: HomeAssistant, mqtt_device: FixtureDevice, mqtt_mock: MqttMockHAClient, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert await hass.config_entries.async_unload(entry.entry_id)
    before = listeners(hass)
    for _ in range(CYCLES):
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        assert active_link(entry) is Transport.MQTT
        assert await hass.config_entries.async_unload(entry.entry_id)
    assert {name: count for name, count in listeners(hass).items() if count > before.get(name, 0)} == {}
    assert not mqtt_mock.is_active_subscription(f"{mqtt_device.topic_prefix}/events/rpc")


def listeners(hass: HomeAssistant) -> dict[str, int]:
    """How many listen to each event and dispatcher signal."""
    signals = {f"{signal}": len(targets) for signal, targets in hass.data["dispatcher"].items()}
    return {f"{event}": count for event, count in hass.bus.async_listeners().items()} | signals
