"""Adding a device: every path, and the way back from every error."""

from ipaddress import ip_address
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp.test_utils import TestServer
from homeassistant.config_entries import SOURCE_HASSIO, SOURCE_USER, SOURCE_ZEROCONF, ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.hassio import HassioServiceInfo
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro import config_flow
from custom_components.shelly_pro.config_flow import BY_ADDRESS, CONF_PROTECT, split_address
from custom_components.shelly_pro.const import CONF_PROTECTED, CONF_TOPIC_PREFIX, DOMAIN
from custom_components.shelly_pro.flow_discovery import Found
from tests.integration.fixture_device import FixtureDevice

PASSWORD = "correct horse"


async def open_flow(hass: HomeAssistant, server: TestServer, **address: Any) -> ConfigFlowResult:
    """Enter an address in the first step."""
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "address")
    data = {CONF_HOST: "127.0.0.1", CONF_PORT: server.port, CONF_PROTECT: False, **address}
    return await hass.config_entries.flow.async_configure(flow["flow_id"], data)


def announcement(device: FixtureDevice, server: TestServer) -> ZeroconfServiceInfo:
    """What the device tells the network."""
    return ZeroconfServiceInfo(
        ip_address=ip_address("127.0.0.1"),
        ip_addresses=[ip_address("127.0.0.1")],
        port=server.port,
        hostname=f"{device.info['id']}.local.",
        type="_shelly._tcp.local.",
        name=f"{device.info['id']}._shelly._tcp.local.",
        properties={"gen": "2", "app": device.info["app"], "ver": device.info["ver"]},
    )


async def discover(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_ZEROCONF}, data=announcement(device, server)
    )


async def submit(hass: HomeAssistant, flow: ConfigFlowResult, **data: Any) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_configure(flow["flow_id"], data)


async def test_by_address(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    device.info["name"] = "Main meter"
    created = await open_flow(hass, server, host=" 127.0.0.1 ")

    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert created["title"] == "Main meter"
    assert created["data"] == {CONF_HOST: "127.0.0.1", CONF_PORT: server.port, CONF_TOPIC_PREFIX: None}
    assert created["result"].unique_id == device.mac


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.168.1.50", ("192.168.1.50", 80)),
        (" 192.168.1.50 ", ("192.168.1.50", 80)),
        ("http://192.168.1.50/", ("192.168.1.50", 80)),
        ("http://192.168.1.50:8081/#/device", ("192.168.1.50", 8081)),
        ("192.168.1.50:8081", ("192.168.1.50", 8081)),
        ("meter.lan", ("meter.lan", 80)),
        ("fd00::50", ("fd00::50", 80)),
        ("http://[fd00::50]:8081", ("fd00::50", 8081)),
        ("http://[", ("http://[", 80)),
        ("", ("", 80)),
    ],
)
def test_address_as_people_paste_it(text: str, address: tuple[str, int]) -> None:
    assert split_address(text, 80) == address


async def test_text_that_is_no_address(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    flow = await open_flow(hass, server, host="http://[")
    assert (flow["step_id"], flow["errors"]) == ("address", {"base": "cannot_connect"})
    created = await submit(hass, flow, host=f"http://127.0.0.1:{server.port}/", port=80, protect=False)
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert (created["data"][CONF_HOST], created["data"][CONF_PORT]) == ("127.0.0.1", server.port)


async def test_device_without_name_is_called_by_model_and_mac(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer
) -> None:
    device.info["name"] = None
    created = await open_flow(hass, server)
    assert created["title"] == f"Shelly Pro 3EM {device.info['mac'][-4:]}"


async def test_topic_prefix_is_kept_when_mqtt_is_on(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer
) -> None:
    device.enable_mqtt()
    device.config["mqtt"]["topic_prefix"] = "cellar/meter"
    created = await open_flow(hass, server)
    assert created["data"][CONF_TOPIC_PREFIX] == "cellar/meter"


@pytest.mark.parametrize("switched_off", ["rpc_ntf", "enable_rpc"])
async def test_mqtt_without_what_we_need_of_it_is_not_used(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer, switched_off: str
) -> None:
    device.enable_mqtt()
    device.config["mqtt"][switched_off] = False
    created = await open_flow(hass, server)
    assert created["data"][CONF_TOPIC_PREFIX] is None


async def test_password(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    device.protect(PASSWORD)
    flow = await open_flow(hass, server)
    assert flow["step_id"] == "credentials"
    assert flow["description_placeholders"] == {"device": device.info["id"]}

    flow = await submit(hass, flow, password="wrong")
    assert (flow["step_id"], flow["errors"]) == ("credentials", {"base": "invalid_auth"})

    created = await submit(hass, flow, password=PASSWORD)
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert created["data"][CONF_PASSWORD] == PASSWORD


async def test_device_that_goes_silent_at_the_password(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer
) -> None:
    device.protect(PASSWORD)
    flow = await open_flow(hass, server)
    device.online = False
    flow = await submit(hass, flow, password=PASSWORD)
    assert flow["errors"] == {"base": "cannot_connect"}

    device.online = True
    created = await submit(hass, flow, password=PASSWORD)
    assert created["type"] is FlowResultType.CREATE_ENTRY


async def test_nothing_at_the_address(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    device.online = False
    flow = await open_flow(hass, server)
    assert (flow["step_id"], flow["errors"]) == ("address", {"base": "cannot_connect"})

    device.online = True
    created = await submit(hass, flow, host="127.0.0.1", port=server.port, protect=False)
    assert created["type"] is FlowResultType.CREATE_ENTRY


async def test_another_kind_of_shelly(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    model, app = device.info["model"], device.info["app"]
    device.info |= {"model": "SNSW-001X16EU", "app": "Plus1"}
    flow = await open_flow(hass, server)
    assert flow["errors"] == {"base": "not_supported"}

    device.info |= {"model": model, "app": app}
    created = await submit(hass, flow, host="127.0.0.1", port=server.port, protect=False)
    assert created["type"] is FlowResultType.CREATE_ENTRY


async def test_known_device_is_followed_to_its_new_address(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer
) -> None:
    entry = MockConfigEntry(domain=DOMAIN, unique_id=device.mac, data={CONF_HOST: "192.0.2.7", CONF_PORT: 80})
    entry.add_to_hass(hass)
    flow = await open_flow(hass, server)

    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert dict(entry.data) == {CONF_HOST: "127.0.0.1", CONF_PORT: server.port}


async def test_discovered(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    flow = await discover(hass, device, server)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "confirm")
    assert flow["description_placeholders"] == {"device": device.info["name"], "host": "127.0.0.1"}

    created = await submit(hass, flow)
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert created["result"].unique_id == device.mac


async def test_discovered_with_password(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    device.protect(PASSWORD)
    flow = await submit(hass, await discover(hass, device, server))
    assert flow["step_id"] == "credentials"
    created = await submit(hass, flow, password=PASSWORD)
    assert created["type"] is FlowResultType.CREATE_ENTRY


async def test_discovered_and_gone_before_the_answer(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer
) -> None:
    flow = await discover(hass, device, server)
    device.online = False
    flow = await submit(hass, flow)
    assert (flow["step_id"], flow["errors"]) == ("confirm", {"base": "cannot_connect"})

    device.online = True
    created = await submit(hass, flow)
    assert created["type"] is FlowResultType.CREATE_ENTRY


async def test_discovered_but_silent(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    device.online = False
    flow = await discover(hass, device, server)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "cannot_connect")


async def test_discovered_but_not_supported(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    device.info |= {"model": "SPSW-001XE16EU", "app": "Pro1"}
    flow = await discover(hass, device, server)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "not_supported")


async def test_rediscovery_follows_the_address(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    entry = MockConfigEntry(domain=DOMAIN, unique_id=device.mac, data={CONF_HOST: "192.0.2.7", CONF_PORT: 80})
    entry.add_to_hass(hass)
    flow = await discover(hass, device, server)

    assert flow["reason"] == "already_configured"
    assert entry.data[CONF_HOST] == "127.0.0.1"


async def test_second_announcement_joins_the_first(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer
) -> None:
    await discover(hass, device, server)
    flow = await discover(hass, device, server)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "already_in_progress")


async def test_the_app_that_announces_itself_needs_nothing(hass: HomeAssistant) -> None:
    result = await announce_app(hass)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "app_found")


async def announce_app(hass: HomeAssistant) -> ConfigFlowResult:
    told = HassioServiceInfo(config={"host": "shelly-pro"}, name="Shelly Pro", slug="shelly_pro", uuid="1234")
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_HASSIO}, data=told)


def finding(*found: Found) -> Any:
    """Let a look at the broker find devices."""
    return patch.object(config_flow, "async_scan_mqtt", return_value=list(found))


async def test_the_app_leads_to_the_devices_on_its_broker(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer
) -> None:
    with finding(Found(mac=device.mac, name="Meter", host="127.0.0.1", port=server.port or 0)):
        flow = await announce_app(hass)
    assert flow["step_id"] == "pick"
    created = await submit(hass, flow, device=device.mac)
    assert (created["type"], created["result"].unique_id) == (FlowResultType.CREATE_ENTRY, device.mac)


async def test_a_choice_of_what_was_found(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    await discover(hass, device, server)
    silent = Found(mac="00005e005301", name="Relays", host=None)
    known = Found(mac="00005e005302", name="Known", host="192.0.2.7")
    MockConfigEntry(domain=DOMAIN, unique_id=known.mac).add_to_hass(hass)
    with finding(silent, known):
        flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert flow["step_id"] == "pick"
    assert flow["data_schema"] is not None
    options = flow["data_schema"].schema["device"].config["options"]
    assert [option["value"] for option in options] == [silent.mac, device.mac, BY_ADDRESS]

    created = await submit(hass, flow, device=device.mac)
    assert (created["type"], created["result"].unique_id) == (FlowResultType.CREATE_ENTRY, device.mac)
    assert hass.config_entries.flow.async_progress() == [], "its discovery is done"


@pytest.mark.parametrize("chosen", ["00005e005301", BY_ADDRESS])
async def test_a_choice_without_an_address(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer, chosen: str
) -> None:
    with finding(Found(mac="00005e005301", name="Relays", host=None)):
        flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow = await submit(hass, flow, device=chosen)
    assert (flow["step_id"], flow["errors"]) == ("address", {})
    created = await submit(hass, flow, host="127.0.0.1", port=server.port, protect=False)
    assert created["type"] is FlowResultType.CREATE_ENTRY


async def test_a_choice_that_does_not_answer_there(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer
) -> None:
    device.online = False
    with finding(Found(mac=device.mac, name="Meter", host="127.0.0.1", port=server.port or 0)):
        flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow = await submit(hass, flow, device=device.mac)
    assert (flow["step_id"], flow["errors"]) == ("address", {"base": "cannot_connect"})
    device.online = True
    created = await submit(hass, flow, host="127.0.0.1", port=server.port, protect=False)
    assert created["type"] is FlowResultType.CREATE_ENTRY


async def test_protected_with_a_password_of_its_own(
    hass: HomeAssistant, device: FixtureDevice, server: TestServer
) -> None:
    def protect(_method: str, params: Any) -> None:
        device.ha1 = params["ha1"]
        device.info |= {"auth_en": True, "auth_domain": device.info["id"]}

    device.acts["Shelly.SetAuth"] = protect
    created = await open_flow(hass, server, protect=True)
    password = created["data"][CONF_PASSWORD]
    assert (created["data"][CONF_PROTECTED], len(password) >= 16) == (True, True)
    assert created["description_placeholders"] == {"password": password}
    assert password not in str(device.calls)
    await hass.async_block_till_done()

    await hass.config_entries.async_remove(created["result"].entry_id)
    assert device.ha1 is None, "nobody would know the password any more"


async def test_the_password_cannot_be_taken_away(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_PROTECTED: True})
    device.online = False
    await hass.config_entries.async_remove(entry.entry_id)
    assert "keeps the password that was made for it" in caplog.text


async def test_a_device_that_takes_no_password(hass: HomeAssistant, device: FixtureDevice, server: TestServer) -> None:
    device.refused.add("Shelly.SetAuth")
    flow = await open_flow(hass, server, protect=True)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "not_protected")
    flow = await submit(hass, flow, next_step_id="protect_again")
    assert flow["step_id"] == "not_protected"
    created = await submit(hass, flow, next_step_id="leave_open")
    assert created["type"] is FlowResultType.CREATE_ENTRY
    assert CONF_PASSWORD not in created["data"]
