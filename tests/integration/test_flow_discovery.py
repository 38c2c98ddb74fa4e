"""Devices that can be added are found on the broker and on the network, and nothing else is."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message

from custom_components.shelly_pro.flow_discovery import Found, address_of, async_scan_mqtt, found_on_network
from tests.integration.fixture_device import FixtureDevice

type Scan = Callable[..., Awaitable[list[Found]]]


@pytest.fixture
def scan(hass: HomeAssistant, broker: None) -> Scan:
    """Look at a broker that has kept some topics, with devices by their prefixes that answer."""

    async def scan(kept: dict[str, str], answers: dict[str, Any]) -> list[Found]:
        async def publish(_hass: HomeAssistant, topic: str, payload: str, **_kwargs: Any) -> None:
            request, prefix = json.loads(payload), topic.removesuffix("/rpc")
            answer = answers.get(prefix)
            if isinstance(answer, FixtureDevice):
                answer = json.dumps(answer.answer(request))
            if answer is not None:
                async_fire_mqtt_message(hass, f"{request['src']}/rpc", answer)

        with patch.object(mqtt, "async_publish", publish):
            looking = hass.async_create_task(async_scan_mqtt(hass, 1.0))
            await asyncio.sleep(0.1)
            for topic, payload in kept.items():
                async_fire_mqtt_message(hass, topic, payload, retain=True)
            return await looking

    return scan


async def test_a_device_on_the_broker(device: FixtureDevice, scan: Scan) -> None:
    found = await scan({"cellar/meter/online": "true", "cellar/meter/events/rpc": "{}"}, {"cellar/meter": device})
    assert found == [Found(mac=device.mac, name=device.info["name"], host="192.0.2.52")]
    assert [method for method, _ in device.calls] == ["Shelly.GetDeviceInfo", "Shelly.GetStatus"]


async def test_a_device_that_says_to_be_offline_may_be_there(device: FixtureDevice, scan: Scan) -> None:
    device.info["name"] = None
    (found,) = await scan({"meter/online": "false"}, {"meter": device})
    assert found.name == device.info["id"]


async def test_an_answer_that_is_no_device_info(device: FixtureDevice, scan: Scan) -> None:
    del device.info["mac"]
    assert await scan({"meter/online": "true"}, {"meter": device}) == []


@pytest.mark.parametrize(
    "answer", [None, "", "[]", "{}", '{"id": 5}', '{"id": {}, "result": 5}', '{"id": 12, "result": {}}']
)
async def test_what_makes_no_sense_is_nothing(scan: Scan, answer: str | None) -> None:
    assert await scan({"other/online": "true"}, {"other": answer}) == []


async def test_other_kinds_of_devices_are_left_out(device: FixtureDevice, scan: Scan) -> None:
    plug = FixtureDevice("shellypro3-1.4.4")
    plug.info |= {"model": "SNPL-00112EU", "app": "PlusPlugS"}
    found = await scan({"meter/online": "true", "plug/online": "true"}, {"meter": device, "plug": plug})
    assert [each.mac for each in found] == [device.mac]


async def test_without_mqtt_there_is_nothing_to_look_at(hass: HomeAssistant) -> None:
    with patch.object(mqtt, "async_subscribe", side_effect=HomeAssistantError):
        assert await async_scan_mqtt(hass) == []


@pytest.mark.parametrize(
    ("status", "host"),
    [
        ({"eth": {"ip": "192.0.2.1"}, "wifi": {"sta_ip": "192.0.2.2"}}, "192.0.2.1"),
        ({"eth": {"ip": None}, "wifi": {"sta_ip": "192.0.2.2"}}, "192.0.2.2"),
        ({"eth": 5}, None),
        ({}, None),
    ],
)
def test_the_address_that_a_device_tells(status: dict[str, Any], host: str | None) -> None:
    assert address_of(status) == host


def test_discoveries_that_wait_for_a_person() -> None:
    told = {"name": "Meter", "host": "192.0.2.7", "port": "8080"}
    flows: list[Any] = [
        {"context": {"unique_id": "a1", "title_placeholders": told}},
        {"context": {"unique_id": "a2"}},
        {"context": {"title_placeholders": told}},
    ]
    (found,) = found_on_network(flows)
    assert (found.mac, found.host, found.port, found.label) == ("a1", "192.0.2.7", 8080, "Meter (192.0.2.7)")
    assert Found(mac="a3", name="Relays", host=None).label == "Relays"
