"""Every text that the code refers to exists, and every text is used."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro import config_flow, flow_mqtt
from custom_components.shelly_pro.const import CONF_RATED_POWER
from tests.integration.entries import set_up
from tests.integration.fixture_device import FIXTURES, FixtureDevice

INTEGRATION = Path(__file__).resolve().parents[2] / "custom_components" / "shelly_pro"
TEXTS = json.loads((INTEGRATION / "translations" / "en.json").read_text())
ICONS = json.loads((INTEGRATION / "icons.json").read_text())
CODE = "\n".join(path.read_text() for path in sorted(INTEGRATION.glob("*.py")))
FLOW = "\n".join((INTEGRATION / name).read_text() for name in ("config_flow.py", "flow_mqtt.py"))
DEVICES = sorted(folder.name for folder in FIXTURES.iterdir() if folder.is_dir())
MADE = {
    **{f"input_{field}": field for field in ("type", "enable", "invert")},
    **{f"firmware_{stage}": stage for stage in ("stable", "beta")},
    **{f"{quantity}_out_of_range": quantity for quantity in ("voltage", "current", "power", "apparent_power")},
    **{f"{link}_round_trip": link for link in ("mqtt", "http")},
}
"""Keys that the code puts together, and the word in it that they come from."""
ANY_STATE = {"ct_type"}
"""Choices that are called by their own names."""


def test_exceptions() -> None:
    raised = set(re.findall(r'translation_domain=DOMAIN,\s*translation_key="(\w+)"', CODE))
    provisioning = set(re.findall(r'"(provisioning_\w+)"', CODE))
    lost = {f"{key}_lost" for key in ("provisioning_elsewhere", "provisioning_not_connected")}
    assert raised | provisioning | lost == set(TEXTS["exceptions"])


def test_flow_steps() -> None:
    told = {step for text in re.findall(r"(?<!next_)step_id=([^,]+),", FLOW) for step in re.findall(r'"(\w+)"', text)}
    progress = set(re.findall(r'progress_action="(\w+)"', FLOW))
    assert told - progress == set(TEXTS["config"]["step"])
    assert progress == set(TEXTS["config"]["progress"])
    for step in told - {"pick"}:
        assert hasattr(config_flow.ShellyProConfigFlow, f"async_step_{step}")


def test_menus() -> None:
    menus = {step: texts["menu_options"] for step, texts in TEXTS["config"]["step"].items() if "menu_options" in texts}
    told = re.findall(r'step_id="(\w+)",\s*menu_options=\[([^\]]+)\]', FLOW)
    assert {step: set(re.findall(r'"(\w+)"', options)) for step, options in told} == {
        step: set(options) for step, options in menus.items()
    }
    for options in menus.values():
        assert all(hasattr(config_flow.ShellyProConfigFlow, f"async_step_{option}") for option in options)


def test_flow_errors() -> None:
    returned = set(re.findall(r'return "(\w+)"', (INTEGRATION / "config_flow.py").read_text()))
    assert returned | {"unknown_to_device"} == set(TEXTS["config"]["error"])


@pytest.mark.parametrize("section", ["config", "options"])
def test_flow_fields_are_explained(section: str) -> None:
    for step, texts in TEXTS[section]["step"].items():
        assert set(texts.get("data", {})) == set(texts.get("data_description", {})), step


def test_flow_fields() -> None:
    for step, schema in (
        ("address", config_flow.ADDRESS_SCHEMA),
        ("confirm", config_flow.CONFIRM_SCHEMA),
        ("credentials", config_flow.PASSWORD_SCHEMA),
        ("reconfigure", config_flow.RECONFIGURE_SCHEMA),
        ("mqtt_broker", flow_mqtt.BROKER_SCHEMA),
    ):
        assert {f"{field}" for field in schema.schema} == set(TEXTS["config"]["step"][step]["data"]), step


def test_devices() -> None:
    named = set(re.findall(r'translation_key="(phase)"', CODE)) | {"relay", "meter"}
    assert named == set(TEXTS["device"])


def test_actions() -> None:
    actions = yaml.safe_load((INTEGRATION / "services.yaml").read_text())
    assert {name: set(action["fields"]) for name, action in actions.items()} == {
        name: set(texts["fields"]) for name, texts in TEXTS["services"].items()
    }
    assert set(ICONS["services"]) == set(actions)


@pytest.mark.usefixtures("all_enabled")
@pytest.mark.parametrize("fixture_name", DEVICES)
async def test_every_entity_has_its_texts(hass: HomeAssistant, entry: MockConfigEntry, device: FixtureDevice) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_RATED_POWER: {"switch:0": 2000.0}})
    device.enable_mqtt()
    await set_up(hass, entry)
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    for entity in entities:
        key, capabilities = entity.translation_key, entity.capabilities or {}
        if key is None:
            assert entity.original_device_class or entity.original_name is None, entity
            continue
        texts = TEXTS["entity"][entity.domain].get(key)
        assert texts is not None, entity
        assert "name" in texts, entity
        told = set(capabilities.get("options", ())) or set(capabilities.get("event_types", ()))
        if key not in ANY_STATE:
            states = texts.get("state") or texts.get("state_attributes", {}).get("event_type", {}).get("state", {})
            assert set(states) == told, entity
        classed = entity.original_device_class is not None and entity.domain != "event"
        assert classed or key in ICONS["entity"].get(entity.domain, {}), f"{entity.entity_id} has no icon"


def test_no_text_of_an_entity_is_left_over() -> None:
    words = set(re.findall(r'"([\w:]+)"', CODE)) | set(re.findall(r"\b(Transport\.\w+)", CODE))
    for domain, keys in TEXTS["entity"].items():
        for key in keys:
            assert key in words or MADE.get(key) in words or key in {"mqtt", "http"}, f"{domain} {key}"


def test_no_icon_is_left_over() -> None:
    for domain, keys in ICONS["entity"].items():
        assert set(keys) <= set(TEXTS["entity"][domain])


def strings(texts: dict[str, Any]) -> Iterator[str]:
    """Return every text."""
    for value in texts.values():
        if isinstance(value, dict):
            yield from strings(value)
        else:
            yield value


def test_texts_hold_no_addresses_of_pages() -> None:
    assert not [text for text in strings(TEXTS) if "://" in text]
