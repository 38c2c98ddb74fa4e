"""Where a device is to connect: somewhere that it can find."""

from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components import network
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro.broker import Broker, Tls, async_suggest_broker, is_known_to_devices


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("192.168.1.5", True),
        ("fd00::5", True),
        ("broker.lan", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound to it
        ("localhost", False),
        ("core-mosquitto", False),
        ("homeassistant.local", False),
        ("homeassistant.local.", False),
        ("core-mosquitto.local.hass.io", False),
        ("localhost.localdomain", False),
        ("fe80::1", False),
    ],
)
def test_hosts_that_a_device_finds(host: str, known: bool) -> None:
    assert is_known_to_devices(host) is known


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"broker": "192.168.1.5", "port": 1883, "username": "ha"}, ("192.168.1.5:1883", "ha", Tls.NONE, None)),
        ({"broker": "core-mosquitto", "port": 1883}, ("192.168.1.2:1883", None, Tls.NONE, None)),
        ({"broker": "b.lan", "port": 8883, "certificate": "auto"}, ("b.lan:8883", None, Tls.VERIFIED, None)),
        ({"broker": "b.lan", "port": 8883, "certificate": "PEM"}, ("b.lan:8883", None, Tls.VERIFIED, "PEM")),
        (
            {"broker": "b.lan", "port": 8883, "certificate": "PEM", "tls_insecure": True},
            ("b.lan:8883", None, Tls.UNVERIFIED, None),
        ),
        (
            {"broker": "b.lan", "port": 443, "certificate": "auto", "transport": "websockets"},
            ("b.lan:8883", None, Tls.VERIFIED, None),
        ),
        ({"broker": "b.lan", "port": 9001, "transport": "websockets"}, ("b.lan:1883", None, Tls.NONE, None)),
    ],
)
async def test_what_home_assistant_suggests(hass: HomeAssistant, data: dict[str, Any], expected: Any) -> None:
    MockConfigEntry(domain="mqtt", data={**data, "password": "Home Assistant's own"}).add_to_hass(hass)
    with patch.object(network, "async_get_source_ip", return_value="192.168.1.2"):
        found = await async_suggest_broker(hass, "192.168.1.50")
    assert found is not None
    assert (found.server, found.username, found.tls, found.ca) == expected
    assert found.password is None


@pytest.mark.parametrize(("device", "target"), [("192.168.1.50", "192.168.1.50"), ("meter.lan", "8.8.8.8")])
async def test_our_own_address_towards_the_device(hass: HomeAssistant, device: str, target: str) -> None:
    MockConfigEntry(domain="mqtt", data={"broker": "localhost"}).add_to_hass(hass)
    with patch.object(network, "async_get_source_ip", return_value="fd00::2") as asked:
        found = await async_suggest_broker(hass, device)
    assert asked.call_args.kwargs["target_ip"] == target
    assert found is not None
    assert found.server == "[fd00::2]:1883"


async def test_computer_without_an_address(hass: HomeAssistant) -> None:
    MockConfigEntry(domain="mqtt", data={"broker": "core-mosquitto"}).add_to_hass(hass)
    with patch.object(network, "async_get_source_ip", side_effect=HomeAssistantError):
        found = await async_suggest_broker(hass, "192.168.1.50")
    assert found is not None
    assert found.host == ""


async def test_without_mqtt_nothing_is_suggested(hass: HomeAssistant) -> None:
    assert await async_suggest_broker(hass, "192.168.1.50") is None


def test_the_password_is_never_written() -> None:
    broker = Broker(host="b.lan", port=1883, username="meter", password="secret words", ca="secret PEM")
    assert "secret" not in repr(broker)
