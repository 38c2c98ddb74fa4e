"""What becomes an issue in the repairs, when, and when it is gone again."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import MqttMockHAClient

from custom_components.shelly_pro.const import DOMAIN
from custom_components.shelly_pro.issues import CONDITIONS, as_offset, broker_gone, mqtt_refused, mqtt_silent
from custom_components.shelly_pro.shelly_core import ClockHealth, Transport, WrongReading
from tests.integration.entries import set_up
from tests.integration.fixture_device import FixtureDevice
from tests.integration.pretence import GONE, RIGHT, WORKS, pass_time, pretend

INTEGRATION = Path(__file__).resolve().parents[2] / "custom_components" / "shelly_pro"
TEXTS = json.loads((INTEGRATION / "translations" / "en.json").read_text())["issues"]
ON_HTTP = {"broker": True, "links": {Transport.MQTT: GONE, Transport.HTTP: WORKS}}
WRONG = WrongReading(component="em:0", field="a_voltage", reason="out of range", value="9999.5", for_s=300.0, times=60)


@pytest.fixture
def fixture_name() -> str:
    """A meter whose firmware is known for nothing."""
    return "shellypro3em-1.7.5"


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Our issues by translation key, each with all the words that its text needs."""
    found = {
        issue.translation_key: issue for (domain, _), issue in ir.async_get(hass).issues.items() if domain == DOMAIN
    }
    for key, issue in found.items():
        texts = TEXTS[key]
        step = texts.get("fix_flow", {"step": {"broker": texts}})["step"]["broker"]
        assert issue.is_fixable is ("fix_flow" in texts)
        for text in (texts["title"], step["description"]):
            text.format(**(issue.translation_placeholders or {}))
    return {f"{key}": issue for key, issue in found.items()}


@pytest.mark.parametrize(
    ("key", "connected", "changes", "after_s"),
    [
        ("broker_gone", True, {"broker": False}, 180),
        ("mqtt_silent", True, ON_HTTP, 300),
        ("mqtt_refused", False, ON_HTTP, 180),
        ("clock_wrong", True, {"clock": replace(RIGHT, wrong=True, offset_s=-7000.0)}, 120),
    ],
)
async def test_issue_comes_after_its_time_and_goes(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    device: FixtureDevice,
    entry: MockConfigEntry,
    key: str,
    connected: bool,
    changes: dict[str, Any],
    after_s: int,
) -> None:
    device.status["mqtt"]["connected"] = connected
    await set_up(hass, entry)
    pretend(entry, monkeypatch)

    pretend(entry, monkeypatch, **changes)
    await pass_time(hass, freezer, after_s - 30)
    assert issues(hass) == {}
    await pass_time(hass, freezer, 30)
    assert list(issues(hass)) == [key]

    pretend(entry, monkeypatch)
    assert issues(hass) == {}

    pretend(entry, monkeypatch, **changes)
    await pass_time(hass, freezer, after_s)
    assert list(issues(hass)) == [key]
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert issues(hass) == {}


async def test_reading_that_makes_no_sense(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    """How long it has been so is told with it."""
    await set_up(hass, entry)
    pretend(entry, monkeypatch, wrong=(replace(WRONG, for_s=299.0),))
    assert issues(hass) == {}
    pretend(entry, monkeypatch, wrong=(WRONG,))
    assert list(issues(hass)) == ["implausible"]
    pretend(entry, monkeypatch)
    assert issues(hass) == {}

    pretend(entry, monkeypatch, wrong=(WRONG,))
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert issues(hass) == {}


async def test_what_does_not_last_is_no_issue(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    for _ in range(3):
        pretend(entry, monkeypatch, broker=False)
        await pass_time(hass, freezer, 150)
        pretend(entry, monkeypatch)
    assert issues(hass) == {}


async def test_issue_of_a_device_names_it_and_its_entry(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    pretend(entry, monkeypatch, wrong=(WRONG, replace(WRONG, component="em1:2", field=None, reason="wrong type")))
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"implausible_{entry.entry_id}")
    assert issue is not None
    assert issue.data == {"entry_id": entry.entry_id}
    assert issue.is_fixable is False
    assert issue.translation_placeholders == {
        "device": "Switchboard",
        "readings": "em:0 a_voltage: out of range; em1:2: wrong type",
    }


async def test_issue_names_only_some_of_many_readings(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    pretend(entry, monkeypatch, wrong=(*[WRONG] * 6, replace(WRONG, for_s=299.0)))
    placeholders = issues(hass)["implausible"].translation_placeholders
    assert placeholders is not None
    assert placeholders["readings"].endswith("out of range; and 2 more")


async def test_lost_broker_is_found(
    hass: HomeAssistant, mqtt_device: FixtureDevice, mqtt_mock: MqttMockHAClient, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    coordinator = entry.runtime_data
    assert broker_gone(coordinator, coordinator.client.health()) is None
    mqtt_mock.connected = False
    lost = asyncio.Event()
    coordinator.client.watch(lost.set)
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, False)
    async with asyncio.timeout(5):
        await lost.wait()
    assert broker_gone(coordinator, coordinator.client.health()) == {}


async def test_settings_to_compare_are_named(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, mqtt_device: FixtureDevice, entry: MockConfigEntry
) -> None:
    mqtt_device.config["mqtt"]["server"] = "192.0.2.7:1883"
    mqtt_device.status["mqtt"]["connected"] = True
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    pretend(entry, monkeypatch, **ON_HTTP)
    coordinator = entry.runtime_data
    told = {"server": "192.0.2.7:1883", "topic_prefix": mqtt_device.topic_prefix}
    assert mqtt_silent(coordinator, coordinator.client.health()) == told
    assert mqtt_refused(coordinator, coordinator.client.health()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"broker": True, "active": Transport.MQTT, "links": {Transport.MQTT: WORKS, Transport.HTTP: WORKS}},
        {**ON_HTTP, "active": None},
        {**ON_HTTP, "broker": None},
        {**ON_HTTP, "links": {Transport.MQTT: replace(GONE, delivers=None), Transport.HTTP: WORKS}},
        {"clock": replace(RIGHT, wrong=True, offset_s=59.0)},
        {"clock": ClockHealth(wrong=True, synced=True, offset_s=None, steps=0)},
    ],
)
async def test_no_issue(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    device: FixtureDevice,
    entry: MockConfigEntry,
    changes: dict[str, Any],
) -> None:
    device.status["mqtt"]["connected"] = True
    await set_up(hass, entry)
    pretend(entry, monkeypatch, **changes)
    await pass_time(hass, freezer, 330)
    assert issues(hass) == {}


async def test_device_that_does_not_tell_whether_it_is_connected(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    device: FixtureDevice,
    entry: MockConfigEntry,
) -> None:
    del device.status["mqtt"]
    await set_up(hass, entry)
    pretend(entry, monkeypatch, **ON_HTTP)
    await pass_time(hass, freezer, 330)
    assert issues(hass) == {}


@pytest.mark.parametrize(
    ("clock", "told"),
    [
        (replace(RIGHT, wrong=True, offset_s=-7200.0), {"offset": "-2:00:00"}),
        (replace(RIGHT, wrong=True, offset_s=61.4), {"offset": "+0:01:01"}),
        (replace(RIGHT, wrong=True, synced=False, offset_s=-1.7e9), {}),
    ],
)
async def test_clock_in_words(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    entry: MockConfigEntry,
    clock: ClockHealth,
    told: dict[str, str],
) -> None:
    await set_up(hass, entry)
    pretend(entry, monkeypatch, clock=clock)
    await pass_time(hass, freezer, 150)
    placeholders = issues(hass)["clock_wrong" if told else "clock_unset"].translation_placeholders
    assert placeholders == {"device": "Switchboard", **told}


@pytest.mark.parametrize(("seconds", "text"), [(61.0, "+0:01:01"), (-3599.6, "-1:00:00"), (90_000.0, "+25:00:00")])
def test_an_offset_for_people_of_any_language(seconds: float, text: str) -> None:
    assert as_offset(seconds) == text


async def test_broker_gone_is_one_issue_for_all_devices(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    other = MockConfigEntry(domain=DOMAIN, title="Boiler", unique_id=entry.unique_id, data=entry.data)
    other.add_to_hass(hass)
    await set_up(hass, entry)
    for each in (entry, other):
        pretend(each, monkeypatch, broker=False)
    await pass_time(hass, freezer, 210)
    assert ir.async_get(hass).async_get_issue(DOMAIN, "broker_gone") is not None
    assert len(issues(hass)) == 1

    pretend(entry, monkeypatch)
    assert list(issues(hass)) == ["broker_gone"]
    assert await hass.config_entries.async_remove(other.entry_id)
    assert issues(hass) == {}


async def test_time_alone_heals_too(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    """Not all that changes comes with a change of the links."""
    await set_up(hass, entry)
    pretend(entry, monkeypatch, wrong=(WRONG,))
    well = replace(entry.runtime_data.client.health(), wrong=())
    monkeypatch.setattr(entry.runtime_data.client, "health", lambda: well)
    assert list(issues(hass)) == ["implausible"]
    await pass_time(hass, freezer, 30)
    assert issues(hass) == {}


@pytest.mark.parametrize(
    ("fixture_name", "firmware", "key"),
    [
        ("shellypro3-1.4.4", "1.0.6", "firmware_toggles"),
        ("shellypro3em-1.7.5", "1.3.0", "firmware_scales"),
        ("shellypro3em-1.7.5", "1.6.1", "firmware_crashes"),
    ],
)
async def test_firmware_that_does_harm(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, firmware: str, key: str
) -> None:
    device.info["ver"] = firmware
    await set_up(hass, entry)
    assert issues(hass)[key].translation_placeholders == {"device": "Switchboard", "version": firmware}

    device.info["ver"] = "2.0.1"
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert key not in issues(hass)


def test_every_issue_has_its_text_and_every_text_its_issue() -> None:
    assert {condition.key for condition in CONDITIONS} == set(TEXTS)
    for condition in CONDITIONS:
        texts = TEXTS[condition.key]
        assert set(texts) == {"title", "fix_flow" if condition.fixable else "description"}
        assert all(texts.values())
        assert "add-on" not in f"{texts}".lower()
        assert "'{" not in json.dumps(texts)
