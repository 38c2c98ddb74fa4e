"""What goes into a bug report, and what never does."""

import json
from typing import Any

import pytest
from homeassistant.components.diagnostics import REDACTED
from homeassistant.const import CONF_HOST, CONF_PASSWORD
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import get_diagnostics_for_config_entry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.shelly_pro.diagnostics import async_get_config_entry_diagnostics
from custom_components.shelly_pro.shelly_core import Transport, WrongReading
from tests.integration.entries import set_up
from tests.integration.fixture_device import FixtureDevice
from tests.integration.pretence import GONE, WORKS, pretend

MARKS = ("MARK", "1.23456", "192.0.2.", "2001:db8:", "02:00:5e", "127.0.0.1")


@pytest.fixture
def secretive(device: FixtureDevice) -> FixtureDevice:
    """A device with a mark in everything that is nobody's business."""
    device.protect("MARK-password")
    config, status = device.config, device.status
    config["mqtt"] |= {
        "server": "MARK-broker:1883",
        "user": "MARK-user",
        "client_id": "MARK-client",
        "topic_prefix": f"house/meter{device.mac}/em",
    }
    config["cloud"]["server"] = "MARK-cloud"
    config["ws"]["server"] = "MARK-socket"
    config["sys"]["location"] = {"tz": "Europe/Sofia", "lat": 1.23456, "lon": 1.23456}
    config["sys"]["sntp"]["server"] = "MARK-time"
    config["sys"]["debug"]["udp"]["addr"] = "MARK-debug"
    config["sys"]["rpc_udp"]["dst_addr"] = "MARK-udp"
    config["wifi"]["sta"] |= {"ssid": "MARK-sta", "pass": "MARK-pass", "ip": "192.0.2.9", "gw": "192.0.2.1"}
    config["wifi"]["sta1"] |= {"ssid": "MARK-sta1", "identity": "MARK-identity", "nameserver": "192.0.2.2"}
    config["bthomedevice:200"] = {"addr": "02:00:5e:10:00:09", "key": "MARK-key", "token": "MARK-token"}
    config["script:1"] = {"note": f"talks to {device.mac.upper()} at 2001:db8::7 or [192.0.2.3]:80 since 14:00:05"}
    status["wifi"] |= {"sta_ip": "192.0.2.53", "ssid": "MARK-sta", "sta_ip6": ["2001:db8::53"]}
    status["eth"] |= {"ip": "192.0.2.52", "ip6": ["2001:db8::52"]}
    return device


async def test_nothing_is_given_away(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
    secretive: FixtureDevice,
    entry: MockConfigEntry,
) -> None:
    await set_up(hass, entry, **{CONF_PASSWORD: "MARK-password"})
    wrong = WrongReading(component="wifi", field="rssi", reason="wrong type", value="['MARK-sta']", for_s=1.0, times=1)
    pretend(
        entry,
        monkeypatch,
        reason="MARK-broker:1883 at 192.0.2.1 does not know mark-user",
        links={Transport.MQTT: GONE, Transport.HTTP: WORKS},
        wrong=(wrong,),
        rejects={"out of range": 3},
        drops={"overtaken": 2},
    )
    told = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    text = json.dumps(told)
    assert [mark for mark in (*MARKS, secretive.mac, entry.title) if mark.lower() in text.lower()] == []
    assert text.count(REDACTED) > 30
    # What helps to find the fault is still there.
    assert "Europe/Sofia" in text
    assert "14:00:05" in text


async def test_what_is_told(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, secretive: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry, **{CONF_PASSWORD: "MARK-password"})
    number = WrongReading(
        component="em:0", field="a_voltage", reason="out of range", value="-9.5e+20", for_s=1.0, times=1
    )
    pretend(entry, monkeypatch, wrong=(number,), rejects={"out of range": 3}, drops={"overtaken": 2})
    told: dict[str, Any] = json.loads(json.dumps(await async_get_config_entry_diagnostics(hass, entry)))
    assert set(told) == {"version", "entry", "device", "config", "status", "health"}
    assert told["entry"]["state"] == "loaded"
    assert told["entry"]["data"][CONF_HOST] == REDACTED
    assert told["device"]["id"] == f"shellypro3em-{REDACTED}"
    assert told["device"]["firmware"] == secretive.info["ver"]
    assert told["device"]["firmware_id"] == secretive.info["fw_id"]
    assert told["config"]["mqtt"]["topic_prefix"] == f"house/meter{REDACTED}/em"
    assert told["config"]["em:0"] == secretive.config["em:0"]
    assert told["status"]["em:0"] == secretive.status["em:0"]
    health = told["health"]
    assert health["links"]["http"]["round_trip_s"] == 0.025
    assert health["rejects"] == {"out of range": 3}
    assert health["drops"] == {"overtaken": 2}
    assert health["wrong"][0]["value"] == "-9.5e+20"


async def test_device_that_is_not_set_up(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.online = False
    await set_up(hass, entry)
    told: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert set(told) == {"version", "entry"}
    assert told["entry"]["state"] == "setup_retry"
    assert "does not answer" in told["entry"]["reason"]
    assert "127.0.0.1" not in json.dumps(told)
