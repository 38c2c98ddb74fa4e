"""Every text that the code refers to exists, and every text is used."""

import json
import re
from pathlib import Path

from custom_components.shelly_pro.binary_sensor import HOPS
from custom_components.shelly_pro.health_sensors import HEALTH_SENSORS

INTEGRATION = Path(__file__).resolve().parents[2] / "custom_components" / "shelly_pro"
TEXTS = json.loads((INTEGRATION / "translations" / "en.json").read_text())
CODE = "\n".join(path.read_text() for path in INTEGRATION.glob("*.py"))
FLOW = (INTEGRATION / "config_flow.py").read_text()


def test_exceptions() -> None:
    raised = set(re.findall(r'translation_domain=DOMAIN,\s*translation_key="(\w+)"', CODE))
    assert raised == set(TEXTS["exceptions"])


def test_flow_steps() -> None:
    assert set(re.findall(r'step_id="(\w+)"', FLOW)) == set(TEXTS["config"]["step"])


def test_flow_errors() -> None:
    assert set(re.findall(r'return "(\w+)"', FLOW)) == set(TEXTS["config"]["error"])


def test_flow_fields_are_explained() -> None:
    for step, texts in TEXTS["config"]["step"].items():
        assert set(texts.get("data", {})) == set(texts.get("data_description", {})), step


def test_devices() -> None:
    named = set(re.findall(r'translation_key="(phase)"', CODE)) | {"relay", "meter"}
    assert named == set(TEXTS["device"])


def test_sensors() -> None:
    named = set(re.findall(r'name="(\w+)"', (INTEGRATION / "sensor.py").read_text()))
    health = {f"{description.translation_key}" for description in HEALTH_SENSORS}
    assert named | health == set(TEXTS["entity"]["sensor"])


def test_binary_sensors() -> None:
    assert {f"{description.translation_key}" for description in HOPS} == set(TEXTS["entity"]["binary_sensor"])


def test_options_of_enumerations() -> None:
    for description in HEALTH_SENSORS:
        if description.options is not None:
            assert set(description.options) == set(TEXTS["entity"]["sensor"][description.translation_key]["state"])


def test_texts_hold_no_addresses_of_pages() -> None:
    assert "://" not in json.dumps(TEXTS)
