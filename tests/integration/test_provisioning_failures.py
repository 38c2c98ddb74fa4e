"""What goes wrong while MQTT is set up on a device, and that it has its old settings afterwards."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp.test_utils import TestServer
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.typing import MqttMockHAClient

from custom_components.shelly_pro import provisioning
from custom_components.shelly_pro.broker import Tls
from custom_components.shelly_pro.flow_device import http_client
from custom_components.shelly_pro.provisioning import Change, ProvisioningError, async_provision, async_text_of
from custom_components.shelly_pro.shelly_core import AuthError, Client, LinkTimeoutError
from tests.integration.provisioning_stage import CA, Restarting, last_password, plan_for, written


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


async def come_back(device: Restarting) -> None:
    """Let the device be away for a while after its restart."""
    await device.gone.wait()
    await asyncio.sleep(0.1)
    device.stays_away, device.online = False, True


@pytest.mark.parametrize("times", [1, 2])
async def test_cancelled_while_it_restarts(
    hass: HomeAssistant,
    device: Restarting,
    client: Client,
    broker: None,
    caplog: pytest.LogCaptureFixture,
    times: int,
) -> None:
    """The device cannot be reached just then: it is waited for, whatever else is cancelled."""
    before, device.stays_away = deepcopy(device.config["mqtt"]), True
    task = asyncio.create_task(async_provision(hass, client, plan_for(client, tls=Tls.VERIFIED, ca=CA)))
    back = asyncio.create_task(come_back(device))
    await device.gone.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.02)
    await back
    with pytest.raises(asyncio.CancelledError):
        await task
    assert device.config["mqtt"] == before
    assert device.ca is None
    assert written(device)[-3:] == ["Mqtt.SetConfig", "Shelly.PutUserCA", "Shelly.Reboot"]
    assert "it was cancelled. Its settings are as before" in caplog.text


async def test_cancelled_while_it_is_put_back(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None
) -> None:
    before, call, begun = deepcopy(device.config["mqtt"]), client.call, asyncio.Event()

    async def watched(method: str, params: Mapping[str, Any] | None = None) -> Any:
        if method == "Mqtt.SetConfig" and params is not None and params["config"]["enable"] is False:
            begun.set()
            await asyncio.sleep(0.05)
        return await call(method, params)

    with patch.object(client, "call", watched):
        task = asyncio.create_task(async_provision(hass, client, plan_for(client), seen_s=0.05))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert device.config["mqtt"] == before


async def test_slow_to_come_back(hass: HomeAssistant, device: Restarting, client: Client, broker: None) -> None:
    before, device.stays_away = deepcopy(device.config["mqtt"]), True
    back = asyncio.create_task(come_back(device))
    with pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan_for(client), seen_s=0.05, restarted_s=2.0)
    await back
    assert error.value.translation_key == "provisioning_not_connected"
    assert device.config["mqtt"] == before


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({}, "provisioning_interrupted_lost"),
        ({"username": "old", "password": None}, "provisioning_interrupted"),
        ({"username": "old", "host": "203.0.113.9"}, "provisioning_interrupted_lost"),
    ],
)
async def test_answer_that_does_not_come(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None, changes: dict[str, Any], key: str
) -> None:
    """Whether the settings were taken shows in them; of a password nobody can tell."""
    device.config["mqtt"] |= {"enable": True, "server": "203.0.113.9:1883", "user": "old"}
    await client.connect()
    before, call, lost = deepcopy(device.config["mqtt"]), client.call, list[str]()

    async def flaky(method: str, params: Mapping[str, Any] | None = None) -> Any:
        answer = await call(method, params)
        if method == "Mqtt.SetConfig" and not lost:
            lost.append(method)
            raise LinkTimeoutError("no answer")
        return answer

    with patch.object(client, "call", flaky), pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan_for(client, **changes))
    assert error.value.translation_key == key
    assert device.config["mqtt"] == before
    if key.endswith("_lost"):
        assert last_password(device) is None


async def test_password_refused_meanwhile(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None
) -> None:
    call = client.call

    async def closed(method: str, params: Mapping[str, Any] | None = None) -> Any:
        if method == "Shelly.Reboot":
            raise AuthError("the device wants a password")
        return await call(method, params)

    with patch.object(client, "call", closed), pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan_for(client))
    assert error.value.translation_key == "provisioning_not_put_back"


async def test_settings_changed_since_they_were_shown(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None
) -> None:
    plan = plan_for(client)
    device.config["mqtt"] |= {"enable": True, "server": "203.0.113.9:1883"}
    with pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan)
    assert error.value.translation_key == "provisioning_changed"
    assert written(device) == []


async def test_home_assistant_is_not_on_its_broker(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None, mqtt_mock: MqttMockHAClient
) -> None:
    mqtt_mock.connected = False
    with pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan_for(client))
    assert error.value.translation_key == "provisioning_no_broker"
    assert written(device) == []


async def test_unreachable(hass: HomeAssistant, device: Restarting, client: Client, broker: None) -> None:
    plan, device.online = plan_for(client), False
    with pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan)
    assert error.value.translation_key == "provisioning_interrupted"


@pytest.mark.parametrize(("component", "kept"), [("mqtt", True), ("ws", True), (None, False)])
async def test_authority_that_the_device_uses_already(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None, component: str | None, kept: bool
) -> None:
    """The old one cannot be put back, and without any the device's other connection would fail, too."""
    if component is not None:
        device.config[component]["ssl_ca"] = "user_ca.pem"
    await client.connect()
    plan = plan_for(client, tls=Tls.VERIFIED, ca=CA)
    assert (plan.ca_replaced, plan.irrecoverable) == (kept, kept)
    with pytest.raises(ProvisioningError) as error:
        await async_provision(hass, client, plan, seen_s=0.05)
    assert error.value.translation_key == f"provisioning_not_connected{'_lost' if kept else ''}"
    assert (device.ca is not None) is kept


async def test_authority_that_is_not_kept_whole(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None
) -> None:
    call = client.call

    async def short(method: str, params: Mapping[str, Any] | None = None) -> Any:
        answer = await call(method, params)
        return {"len": 7} if method == "Shelly.PutUserCA" else answer

    with patch.object(client, "call", short), pytest.raises(ProvisioningError, match="provisioning_refused"):
        await async_provision(hass, client, plan_for(client, tls=Tls.VERIFIED, ca=CA))
    assert device.ca is None


async def test_passwords_stay_where_they_belong(
    hass: HomeAssistant, device: Restarting, client: Client, broker: None
) -> None:
    """Ours does not go to the broker of before, the one of before not to ours, and neither to a log."""
    device.config["mqtt"] |= {"enable": True, "server": "203.0.113.9:1883", "user": "old"}
    await client.connect()
    assert plan_for(client, password=None).config["pass"] is None
    assert Change("pass", "••••••", "-") in plan_for(client, password=None).changes
    plan = plan_for(client)
    assert "new words" not in repr(plan)
    with pytest.raises(ProvisioningError):
        await async_provision(hass, client, plan, seen_s=0.05)
    assert last_password(device) is None


async def test_what_means_the_same_is_no_change(device: Restarting, client: Client) -> None:
    device.config["mqtt"] |= {"enable": True, "server": "192.0.2.10", "user": "meter"}
    del device.config["mqtt"]["enable_rpc"]
    await client.connect()
    assert not plan_for(client, password=None).needed


async def test_text_while_no_device_is_set_up(hass: HomeAssistant) -> None:
    error = ProvisioningError("provisioning_refused", error="it says no")
    assert "did not take the settings: it says no." in await async_text_of(hass, error)
