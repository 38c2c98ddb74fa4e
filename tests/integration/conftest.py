"""Devices made of fixtures, in front of a Home Assistant that has the integration."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock, PropertyMock, patch

import pytest
from aiohttp.test_utils import TestServer
from homeassistant.components import mqtt
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_mqtt_message,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from pytest_homeassistant_custom_component.typing import MqttMockHAClient, MqttMockPahoClient
from syrupy.assertion import SnapshotAssertion

# The test plug-in has a package of the same name; importing ours first makes Home Assistant find it.
import custom_components.shelly_pro  # noqa: F401
from custom_components.shelly_pro import coordinator
from custom_components.shelly_pro.const import CONF_TOPIC_PREFIX, DOMAIN
from custom_components.shelly_pro.mqtt_link import MqttLink
from custom_components.shelly_pro.shelly_core import Client
from tests.integration.entries import answered
from tests.integration.fixture_device import FixtureDevice

type PassTime = Callable[[float], Awaitable[None]]


@pytest.fixture(autouse=True)
def _integration(enable_custom_integrations: None) -> None:
    """Let Home Assistant load custom integrations."""


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Snapshots as Home Assistant writes them, without what differs from run to run."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
def fixture_name() -> str:
    return "shellypro3em-1.7.5"


@pytest.fixture
def device(fixture_name: str) -> FixtureDevice:
    return FixtureDevice(fixture_name)


@pytest.fixture
async def server(socket_enabled: None, device: FixtureDevice) -> AsyncIterator[TestServer]:
    """The device's web server on a loopback port."""
    server = TestServer(device.application(), host="127.0.0.1")
    async with server:
        yield server


@pytest.fixture
def entry(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> MockConfigEntry:
    """A config entry as the flow makes it; `topic_prefix` is that of a device without MQTT."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Switchboard",
        unique_id=device.mac,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: server.port, CONF_TOPIC_PREFIX: None},
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def broker(
    hass: HomeAssistant, mqtt_client_mock: MqttMockPahoClient, mqtt_mock: MqttMockHAClient
) -> AsyncIterator[None]:
    """MQTT in Home Assistant, taken down again with whoever uses it."""
    yield
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        await hass.config_entries.async_unload(entry.entry_id)
    closed = Mock(fileno=Mock(return_value=-1))
    mqtt_client_mock.on_socket_close(mqtt_client_mock, None, closed)
    await hass.async_block_till_done()


@pytest.fixture
def mqtt_device(hass: HomeAssistant, device: FixtureDevice, broker: None) -> Iterator[FixtureDevice]:
    """The device on Home Assistant's MQTT: it answers what is published to it, while it is online."""
    device.enable_mqtt()

    async def publish(_hass: HomeAssistant, topic: str, payload: bytes, **_kwargs: Any) -> None:
        assert topic == f"{device.topic_prefix}/rpc"
        request = json.loads(payload)
        if device.online and device.on_broker:
            async_fire_mqtt_message(hass, f"{request['src']}/rpc", json.dumps(device.answer(request)))

    with patch.object(mqtt, "async_publish", publish):
        yield device


@pytest.fixture
def notify(hass: HomeAssistant, device: FixtureDevice) -> Callable[..., Awaitable[None]]:
    """Let the device tell a change over MQTT, and wait until Home Assistant has handled it."""

    async def send(changes: dict[str, Any], **kwargs: Any) -> None:
        frame = device.notification(changes, **kwargs)
        async_fire_mqtt_message(hass, f"{device.topic_prefix}/events/rpc", json.dumps(frame))
        await hass.async_block_till_done()

    return send


@pytest.fixture
def happen(hass: HomeAssistant, device: FixtureDevice) -> Callable[..., Awaitable[None]]:
    """Let something happen at the device that it tells over MQTT, and wait until Home Assistant has handled it."""

    async def send(component: str, event: str, **kwargs: Any) -> None:
        frame = device.event(component, event, **kwargs)
        async_fire_mqtt_message(hass, f"{device.topic_prefix}/events/rpc", json.dumps(frame))
        await hass.async_block_till_done(wait_background_tasks=True)

    return send


@pytest.fixture
def pass_time(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> PassTime:
    """Let seconds pass for the devices that are set up from now on, and wait until what is due then is done.

    The core goes by the time of the event loop, which a test cannot put forward: it gets a clock that can be.
    """
    ahead = 0.0

    def create(**kwargs: Any) -> Client:
        return Client(**kwargs | {"clock": lambda: hass.loop.time() + ahead, "chance": lambda: 0.0})

    async def pass_time(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=ahead))
        await answered(hass)

    monkeypatch.setattr(coordinator, "Client", create)
    return pass_time


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up quickly on a device that does not answer over MQTT."""
    monkeypatch.setattr(MqttLink, "timeout_s", 0.05)
    monkeypatch.setattr(coordinator, "POLICY", replace(coordinator.POLICY, mqtt_answer_s=0.05, command_s=0.05))


@pytest.fixture
def all_enabled() -> Iterator[None]:
    """Enable every entity, also those that are not by default."""
    with patch.object(Entity, "entity_registry_enabled_default", new_callable=PropertyMock, return_value=True):
        yield
