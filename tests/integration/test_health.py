"""What an uptime monitor and Prometheus read."""

import json
import re
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntryDisabler
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.shelly_pro.const import DOMAIN
from custom_components.shelly_pro.shelly_core import Level, Transport, WrongReading
from tests.integration.entries import set_up
from tests.integration.fixture_device import FixtureDevice
from tests.integration.pretence import GONE, WORKS, pretend

HEALTH, METRICS = "/api/shelly_pro/health", "/api/shelly_pro/metrics"
MANIFEST = Path(__file__).resolve().parents[2] / "custom_components" / "shelly_pro" / "manifest.json"
BOTH = {Transport.MQTT: GONE, Transport.HTTP: WORKS}

type Labels = frozenset[tuple[str, str]]
type Families = dict[str, tuple[str, dict[Labels, float]]]


def parse(text: str) -> Families:
    """Read metrics as strictly as the format is written down; a family is its kind and its samples."""
    families: Families = {}
    helped = ""
    for line in text.removesuffix("\n").split("\n"):
        if found := re.fullmatch(r"# HELP ([a-z_]+) (\S.*)", line):
            helped = found[1]
            assert helped not in families
        elif found := re.fullmatch(r"# TYPE ([a-z_]+) (gauge|counter)", line):
            assert found[1] == helped
            assert (found[2] == "counter") is helped.endswith("_total")
            families[helped] = found[2], {}
        else:
            found = re.fullmatch(r"([a-z_]+)\{((?:[a-z]+=\"(?:[^\"\\]|\\[\\n\"])*\",?)+)\} (\S+)", line)
            assert found is not None, line
            assert found[1] == helped
            pairs = re.findall(r"([a-z]+)=\"((?:[^\"\\]|\\.)*)\"", found[2])
            assert ",".join(f'{name}="{value}"' for name, value in pairs) == found[2]
            labels = frozenset((name, unescape(value)) for name, value in pairs)
            samples = families[helped][1]
            assert labels not in samples
            samples[labels] = float(found[3])
    assert all(samples for _, samples in families.values())
    return families


def unescape(value: str) -> str:
    """Undo the escapes of a label's value."""
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), value)


async def read_health(hass_client: ClientSessionGenerator) -> tuple[int, dict[str, Any]]:
    response = await (await hass_client()).get(HEALTH)
    return response.status, await response.json()


async def read_metrics(hass_client: ClientSessionGenerator) -> Families:
    response = await (await hass_client()).get(METRICS)
    assert response.status == HTTPStatus.OK
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = await response.text()
    assert text.endswith("\n") or not text
    return parse(text) if text else {}


async def test_device_that_is_well(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    health = pretend(entry, monkeypatch, broker=True)
    status, body = await read_health(hass_client)
    assert status == HTTPStatus.OK
    (device,) = body.pop("devices")
    assert body == {
        "status": "ok",
        "version": json.loads(MANIFEST.read_text())["version"],
        "hops": {"broker": True},
    }
    assert device["entry_id"] == entry.entry_id
    assert (device["title"], device["mac"]) == ("Switchboard", entry.unique_id)
    assert (device["status"], device["reason"], device["active"]) == ("ok", None, "http")
    assert device["links"]["http"]["round_trip_s"] == 0.025
    assert device["clock"]["offset_s"] == 0.125
    assert set(device) == {"entry_id", "title", "mac", "status"} | set(health.__slots__) - {"level"}


@pytest.mark.parametrize(
    ("level", "status"), [(Level.DEGRADED, HTTPStatus.OK), (Level.DOWN, HTTPStatus.SERVICE_UNAVAILABLE)]
)
async def test_worst_device_decides(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
    entry: MockConfigEntry,
    level: Level,
    status: HTTPStatus,
) -> None:
    other = MockConfigEntry(domain=DOMAIN, title="Boiler", unique_id=entry.unique_id, data=entry.data)
    other.add_to_hass(hass)
    await set_up(hass, entry)
    pretend(entry, monkeypatch, broker=True)
    pretend(other, monkeypatch, level=level, reason="it is so", broker=False)
    found, body = await read_health(hass_client)
    assert (found, body["status"]) == (status, level)
    assert [(device["status"], device["reason"]) for device in body["devices"]] == [("ok", None), (level, "it is so")]
    assert body["hops"] == {"broker": False}


async def test_device_that_is_not_set_up_is_down(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.online = False
    await set_up(hass, entry)
    status, body = await read_health(hass_client)
    assert (status, body["status"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "down")
    (told,) = body["devices"]
    assert set(told) == {"entry_id", "title", "mac", "status", "reason"}
    assert "does not answer" in told["reason"]
    assert body["hops"] == {"broker": None}

    families = await read_metrics(hass_client)
    assert families == {
        "shelly_pro_up": ("gauge", {frozenset({("device", "Switchboard"), ("mac", f"{entry.unique_id}")}): 0.0})
    }


async def test_refused_password_is_the_reason(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.protect("new password")
    await set_up(hass, entry, **{CONF_PASSWORD: "old password"})
    status, body = await read_health(hass_client)
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "refuses its password" in body["devices"][0]["reason"]
    assert "old password" not in json.dumps(body)


async def test_unloaded_device_is_down(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert await hass.config_entries.async_unload(entry.entry_id)
    _, body = await read_health(hass_client)
    assert [(device["status"], device["reason"]) for device in body["devices"]] == [("down", "not loaded")]


async def test_without_devices_all_is_well(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> None:
    """A device that is disabled or ignored is nobody's worry."""
    MockConfigEntry(domain=DOMAIN, disabled_by=ConfigEntryDisabler.USER).add_to_hass(hass)
    MockConfigEntry(domain=DOMAIN, source=SOURCE_IGNORE).add_to_hass(hass)
    assert await async_setup_component(hass, DOMAIN, {})
    status, body = await read_health(hass_client)
    assert (status, body["status"], body["devices"]) == (HTTPStatus.OK, "ok", [])
    assert await read_metrics(hass_client) == {}


@pytest.mark.parametrize("url", [HEALTH, METRICS])
async def test_strangers_learn_nothing(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, entry: MockConfigEntry, url: str
) -> None:
    await set_up(hass, entry)
    response = await (await hass_client_no_auth()).get(url)
    assert response.status == HTTPStatus.UNAUTHORIZED
    assert "Switchboard" not in await response.text()


async def test_metrics(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    title = 'The "big" one\\two\nlines'
    other = MockConfigEntry(domain=DOMAIN, title=title, unique_id="00005e005301", data=entry.data)
    await set_up(hass, entry)
    other.add_to_hass(hass)
    wrong = WrongReading(component="em:0", field=None, reason="wrong type", value="1", for_s=9.0, times=1)
    changes = {
        "level": Level.DEGRADED,
        "broker": False,
        "links": BOTH,
        "data_age_s": 2.5,
        "readings": 1234567,
        "drops": {"overtaken": 2, "repeated": 3},
        "rejects": {},
        "switchovers": 4,
        "wrong": (wrong,),
        "password_refused": True,
    }
    pretend(entry, monkeypatch, **changes)
    families = await read_metrics(hass_client)

    def value(name: str, **labels: str) -> float | None:
        about = {"device": "Switchboard", "mac": f"{entry.unique_id}", **labels}
        return families[f"shelly_pro_{name}"][1].get(frozenset(about.items()))

    assert families["shelly_pro_up"][1][frozenset({("device", title), ("mac", "00005e005301")})] == 0.0
    assert (value("up"), value("degraded"), value("broker_up")) == (1.0, 1.0, 0.0)
    assert (value("active_link", link="mqtt"), value("active_link", link="http")) == (0.0, 1.0)
    assert (value("link_up", link="mqtt"), value("link_up", link="http")) == (0.0, 1.0)
    assert value("link_breaker_open", link="mqtt") == 1.0
    assert (value("link_heard_age_seconds", link="mqtt"), value("link_heard_age_seconds", link="http")) == (None, 1.5)
    assert (value("round_trip_seconds", link="http"), value("round_trip_worst_seconds", link="http")) == (0.025, 0.25)
    assert (value("answers_total", link="http"), value("failures_total", link="http")) == (12.0, 1.0)
    assert (value("data_age_seconds"), value("readings_total")) == (2.5, 1234567.0)
    assert (value("clock_wrong"), value("clock_offset_seconds"), value("clock_steps_total")) == (0.0, 0.125, 0.0)
    assert (value("drops_total", reason="overtaken"), value("drops_total", reason="repeated")) == (2.0, 3.0)
    assert "shelly_pro_rejects_total" not in families
    assert (value("wrong_fields"), value("link_changes_total"), value("password_refused")) == (1.0, 4.0, 1.0)


async def test_link_that_was_not_tried_yet_is_neither_up_nor_down(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    pretend(entry, monkeypatch, links={Transport.HTTP: replace(WORKS, delivers=None)})
    assert "shelly_pro_link_up" not in await read_metrics(hass_client)
