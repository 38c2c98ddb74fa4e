"""MQTT is offered where it makes sense, shown before it is done, and can fail without harm."""

import asyncio
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp.test_utils import TestServer
from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro import config_flow, flow_mqtt
from custom_components.shelly_pro.broker import Broker, Tls
from custom_components.shelly_pro.const import CONF_TOPIC_PREFIX, DOMAIN
from custom_components.shelly_pro.provisioning import Plan, ProvisioningError
from custom_components.shelly_pro.shelly_core import LinkError
from tests.integration.fixture_device import FixtureDevice

SUGGESTED = Broker(
    host="192.0.2.10", port=8883, username="homeassistant", password=None, tls=Tls.VERIFIED, ca="a certificate"
)
LOGIN = {"host": "192.0.2.10", "port": 8883, "username": "meter", "password": "words", "tls": "verified"}


@pytest.fixture(autouse=True)
def _home_assistant_has_mqtt(hass: HomeAssistant) -> None:
    MockConfigEntry(domain="mqtt", data={"broker": "192.0.2.10"}).add_to_hass(hass)


class Provisioning:
    """Stands for what is done to the device: waits for `go`, and raises `error` if there is one."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.error: Exception | None = None
        self.plans: list[Plan] = []

    async def __call__(self, _hass: HomeAssistant, _client: object, plan: Plan) -> None:
        self.plans.append(plan)
        await self.go.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def provisioning(monkeypatch: pytest.MonkeyPatch) -> Provisioning:
    """What is done to the device, and what is suggested for it."""
    found = Provisioning()

    async def suggest(_hass: HomeAssistant, _host: str) -> Broker:
        return SUGGESTED

    monkeypatch.setattr(flow_mqtt, "async_provision", found)
    monkeypatch.setattr(flow_mqtt, "async_suggest_broker", suggest)
    return found


async def add(hass: HomeAssistant, server: TestServer) -> ConfigFlowResult:
    with patch.object(config_flow, "async_scan_mqtt", return_value=[]):
        flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await go_on(hass, flow, host="127.0.0.1", port=server.port, protect=False)


async def go_on(hass: HomeAssistant, flow: ConfigFlowResult, **data: Any) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_configure(flow["flow_id"], data or None)


def schema_of(flow: ConfigFlowResult) -> dict[Any, Any]:
    schema = flow["data_schema"]
    assert schema is not None
    fields: dict[Any, Any] = schema.schema
    return fields


async def preview(hass: HomeAssistant, server: TestServer, **login: Any) -> ConfigFlowResult:
    flow = await go_on(hass, await add(hass, server), next_step_id="mqtt_broker")
    assert flow["step_id"] == "mqtt_broker"
    return await go_on(hass, flow, **{**LOGIN, **login})


async def test_http_only_is_a_choice(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    flow = await add(hass, server)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "offer")
    created = await go_on(hass, flow, next_step_id="http_only")
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert created["data"][CONF_TOPIC_PREFIX] is None


@pytest.mark.parametrize("heard", [True, False])
async def test_a_device_on_our_broker_needs_nothing(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer, heard: bool
) -> None:
    device.enable_mqtt()
    with patch.object(flow_mqtt, "async_answers_over_mqtt", return_value=heard):
        flow = await add(hass, server)
    assert flow["type"] is (FlowResultType.CREATE_ENTRY if heard else FlowResultType.MENU)


async def test_what_is_suggested(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer, provisioning: Provisioning
) -> None:
    flow = await go_on(hass, await add(hass, server), next_step_id="mqtt_broker")
    suggested = {f"{field}": (field.description or {}).get("suggested_value") for field in schema_of(flow)}
    assert suggested == {
        "host": "192.0.2.10",
        "port": 8883,
        "username": device.info["id"],
        "password": None,
        "tls": "verified",
    }


@pytest.mark.parametrize(("tls", "ca"), [("verified", "a certificate"), ("none", None)])
async def test_set_up(
    hass: HomeAssistant,
    device: FixtureDevice,
    server: TestServer,
    provisioning: Provisioning,
    tls: str,
    ca: str | None,
) -> None:
    flow = await preview(hass, server, tls=tls)
    assert flow["step_id"] == "mqtt_preview"
    assert "| server | - | 192.0.2.10:8883 |" in (flow["description_placeholders"] or {})["changes"]
    assert provisioning.plans == [], "nothing is done before it was shown"
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {})
    assert (flow["type"], flow["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "mqtt_provision")
    flow = await go_on(hass, flow)
    assert flow["type"] is FlowResultType.SHOW_PROGRESS
    provisioning.go.set()
    await hass.async_block_till_done()
    created = await go_on(hass, flow)
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert created["data"][CONF_TOPIC_PREFIX] == device.config["mqtt"]["topic_prefix"]
    (plan,) = provisioning.plans
    assert (plan.ca, plan.config["pass"]) == (ca, "words")


@pytest.mark.parametrize("error", [ProvisioningError("provisioning_gone"), LinkError("HTTP: no connection")])
async def test_failed_and_done_without(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer, provisioning: Provisioning, error: Exception
) -> None:
    provisioning.error = error
    provisioning.go.set()
    flow = await hass.config_entries.flow.async_configure((await preview(hass, server))["flow_id"], {})
    await hass.async_block_till_done()
    flow = await go_on(hass, flow)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "mqtt_failed")
    assert (flow["description_placeholders"] or {})["error"]
    flow = await go_on(hass, flow, next_step_id="mqtt_broker")
    assert flow["step_id"] == "mqtt_broker"
    flow = await go_on(hass, flow, **LOGIN)
    provisioning.error = None
    await hass.config_entries.flow.async_configure(flow["flow_id"], {})
    await hass.async_block_till_done()
    created = await go_on(hass, flow)
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert created["data"][CONF_TOPIC_PREFIX] == device.config["mqtt"]["topic_prefix"]


async def test_a_dialog_that_is_closed_stops_it(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer, provisioning: Provisioning
) -> None:
    flow = await hass.config_entries.flow.async_configure((await preview(hass, server))["flow_id"], {})
    await asyncio.sleep(0.1)
    hass.config_entries.flow.async_abort(flow["flow_id"])
    await hass.async_block_till_done()
    assert len(provisioning.plans) == 1
    assert hass.config_entries.async_entries(DOMAIN) == []


async def test_a_broker_that_the_device_would_not_find(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer, provisioning: Provisioning
) -> None:
    with patch.object(flow_mqtt.MqttSteps, "_is_known", return_value=False):
        flow = await preview(hass, server, host="homeassistant.local")
    assert (flow["step_id"], flow["errors"]) == ("mqtt_broker", {"host": "unknown_to_device"})
    flow = await go_on(hass, flow, **LOGIN)
    assert flow["step_id"] == "mqtt_preview"


async def test_without_a_suggestion(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer, provisioning: Provisioning
) -> None:
    with patch.object(flow_mqtt, "async_suggest_broker", return_value=None):
        flow = await preview(hass, server)
    assert flow["step_id"] == "mqtt_preview"


async def test_what_would_be_lost_is_said(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer, provisioning: Provisioning
) -> None:
    device.config["mqtt"]["user"] = "old"
    flow = await preview(hass, server)
    assert flow["step_id"] == "mqtt_preview_lost"
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {})
    assert flow["type"] is FlowResultType.SHOW_PROGRESS
    provisioning.go.set()
    await hass.async_block_till_done()
    await go_on(hass, flow)
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1
