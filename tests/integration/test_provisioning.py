"""MQTT on a device: what would change, and that everything is put back when it does not work."""

import json
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp.test_utils import TestServer
from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message

from custom_components.shelly_pro import provisioning
from custom_components.shelly_pro.broker import Tls
from custom_components.shelly_pro.flow_device import http_client
from custom_components.shelly_pro.provisioning import (
    Change,
    ProvisioningError,
    as_rows,
    async_answers_over_mqtt,
    async_provision,
)
from custom_components.shelly_pro.shelly_core import Client
from tests.integration.fixture_device import FixtureDevice
from tests.integration.provisioning_stage import CA, Restarting, plan_for, written


@pytest.fixture
def device(fixture_name: str) -> Restarting:
    return Restarting(fixture_name)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioning, "TURN_S", 0.01)


@pytest.fixture
async def client(hass: HomeAssistant, server: TestServer) -> AsyncIterator[Client]:
    found = http_client(hass, {"host": "127.0.0.1", "port": server.port}, "test")
    await found.connect()
    yield found
    await found.close()


def answering(device: FixtureDevice, hass: HomeAssistant) -> Any:
    """Let the device answer over Home Assistant's broker."""

    async def publish(_hass: HomeAssistant, topic: str, payload: str, **_kwargs: Any) -> None:
        request = json.loads(payload)
        if topic == f"{device.topic_prefix}/rpc":
            async_fire_mqtt_message(hass, f"{request['src']}/rpc", "no JSON")
            async_fire_mqtt_message(hass, f"{request['src']}/rpc", json.dumps({"result": {"mac": "another"}}))
            async_fire_mqtt_message(hass, f"{request['src']}/rpc", json.dumps(device.answer(request)))

    return patch.object(mqtt, "async_publish", publish)


async def test_what_would_change(client: Client) -> None:
    plan = plan_for(client)
    assert plan.changes == (
        Change("enable", "off", "on"),
        Change("server", "-", "192.0.2.10:1883"),
        Change("user", "-", "meter"),
        Change("pass", "-", "••••••"),
    )
    assert plan.config == {"enable": True, "server": "192.0.2.10:1883", "user": "meter", "pass": "new words"}
    assert (plan.needed, plan.irrecoverable, plan.ca) == (True, False, None)


async def test_what_is_right_already_stays(device: Restarting, client: Client) -> None:
    device.config["mqtt"] |= {"enable": True, "server": "192.0.2.10:1883", "user": "meter", "rpc_ntf": False}
    await client.connect()
    plan = plan_for(client, password=None)
    assert plan.config == {"rpc_ntf": True}
    device.config["mqtt"]["rpc_ntf"] = True
    await client.connect()
    assert not plan_for(client, password=None).needed


@pytest.mark.parametrize(
    ("tls", "ca", "ssl_ca"),
    [
        (Tls.NONE, CA, None),
        (Tls.UNVERIFIED, CA, "*"),
        (Tls.VERIFIED, None, "ca.pem"),
        (Tls.VERIFIED, CA, "user_ca.pem"),
    ],
)
async def test_encryption(client: Client, tls: Tls, ca: str | None, ssl_ca: str | None) -> None:
    plan = plan_for(client, tls=tls, ca=ca)
    assert plan.config.get("ssl_ca") == ssl_ca
    assert plan.ca == (ca if ssl_ca == "user_ca.pem" else None)


@pytest.mark.parametrize(
    ("known", "kept"), [("cellar/meter", True), ("", False), ("a+b", False), ("$SYS", False), ("x" * 301, False)]
)
async def test_the_prefix_is_kept_if_mqtt_allows_it(device: Restarting, client: Client, known: str, kept: bool) -> None:
    device.config["mqtt"]["topic_prefix"] = known
    await client.connect()
    plan = plan_for(client)
    assert plan.prefix == (known if kept else device.info["id"])
    assert ("topic_prefix" in plan.config) is not kept


@pytest.mark.parametrize(
    ("before", "changes", "lost"),
    [
        ({"user": "old"}, {}, True),
        ({"user": "old"}, {"username": "old", "password": None}, False),
        ({"ssl_ca": "user_ca.pem"}, {"tls": Tls.VERIFIED, "ca": CA}, True),
        ({"ssl_ca": "user_ca.pem"}, {}, False),
    ],
)
async def test_what_cannot_be_put_back(
    device: Restarting, client: Client, before: dict[str, Any], changes: dict[str, Any], lost: bool
) -> None:
    device.config["mqtt"] |= before
    await client.connect()
    assert plan_for(client, **changes).irrecoverable is lost


async def test_rows_of_a_table(client: Client) -> None:
    plan = plan_for(client, username="a|b\nc")
    assert as_rows(plan).splitlines()[2] == "| user | - | a\\|b c |"


async def test_it_works(hass: HomeAssistant, device: Restarting, client: Client, broker: None) -> None:
    with answering(device, hass):
        await async_provision(hass, client, plan_for(client, tls=Tls.VERIFIED, ca=CA))
    told = device.config["mqtt"]
    assert (told["enable"], told["server"], told["user"], told["ssl_ca"]) == (
        *(True, "192.0.2.10:1883"),
        *("meter", "user_ca.pem"),
    )
    assert device.ca == CA
    assert "Shelly.Reboot" in [method for method, _ in device.calls]


@pytest.mark.parametrize(
    ("connected", "key"), [(True, "provisioning_elsewhere"), (False, "provisioning_not_connected")]
)
@pytest.mark.parametrize("user", [None, "old"])
async def test_not_seen_is_put_back(
    hass: HomeAssistant,
    device: Restarting,
    client: Client,
    broker: None,
    connected: bool,
    key: str,
    user: str | None,
) -> None:
    device.config["mqtt"]["user"] = user
    await client.connect()
    before = deepcopy(device.config["mqtt"])
    device.answers["Mqtt.GetStatus"] = {"connected": connected}
    plan = plan_for(client, tls=Tls.VERIFIED, ca=CA)
    with pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan, seen_s=0.05)
    assert error.value.translation_key == (key if user is None else f"{key}_lost")
    assert device.config["mqtt"] == before
    assert device.ca is None
    passwords = [params["config"].get("pass", "-") for method, params in device.calls if method == "Mqtt.SetConfig"]
    assert passwords == ["new words", None], "ours is not left for the broker that it goes back to"


@pytest.mark.parametrize(
    ("method", "key"),
    [("Shelly.PutUserCA", "provisioning_not_put_back"), ("Mqtt.SetConfig", "provisioning_refused")],
)
async def test_refused(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None, method: str, key: str
) -> None:
    """Without its certificate authority the device is as before; taking that away again may be refused as well."""
    device.config["mqtt"]["user"] = "old"
    await client.connect()
    plan = plan_for(client, tls=Tls.VERIFIED, ca=CA)
    before = deepcopy(device.config["mqtt"])
    device.refused.add(method)
    with pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan)
    assert error.value.translation_key == key
    assert device.config["mqtt"] == before
    assert method == "Shelly.PutUserCA" or written(device).count("Mqtt.SetConfig") == 1, "its old password is kept"


async def test_no_restart_is_needed(hass: HomeAssistant, device: Restarting, client: Client, broker: None) -> None:
    with patch.object(device, "set_config", return_value={"restart_required": False}), answering(device, hass):
        await async_provision(hass, client, plan_for(client))
    assert "Shelly.Reboot" not in [method for method, _ in device.calls]


async def test_it_does_not_come_back(hass: HomeAssistant, device: Restarting, client: Client, broker: None) -> None:
    device.stays_away = True
    with pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan_for(client), restarted_s=0.2)
    assert error.value.translation_key == "provisioning_not_put_back"


async def test_settings_that_do_not_come_back(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None
) -> None:
    plan = plan_for(client)
    device.answers["Mqtt.GetStatus"] = {"connected": False}
    take = device.set_config

    def once(key: str, config: Mapping[str, Any]) -> dict[str, Any]:
        return take(key, config) if config["enable"] else {"restart_required": False}

    with patch.object(device, "set_config", once), pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan, seen_s=0.05)
    assert error.value.translation_key == "provisioning_not_put_back"


async def test_answers_over_mqtt(hass: HomeAssistant, device: Restarting, broker: None) -> None:
    with answering(device, hass):
        assert await async_answers_over_mqtt(hass, device.topic_prefix, device.info["mac"], 1.0)
        assert not await async_answers_over_mqtt(hass, device.topic_prefix, "AABBCCDDEEFF", 0.05)
        assert not await async_answers_over_mqtt(hass, "elsewhere", device.info["mac"], 0.05)
    with patch.object(mqtt, "async_subscribe", side_effect=HomeAssistantError):
        assert not await async_answers_over_mqtt(hass, device.topic_prefix, device.info["mac"], 1.0)
