"""The example of environment variables can be loaded, and the README names no setting that does not exist."""

import re
from pathlib import Path

import pytest
import yaml

import shelly_exporter
from shelly_exporter.settings import Kind
from shelly_exporter.settings.schema import ALL_KEYS, SECTIONS, VARIABLES
from shelly_exporter.settings.source import load

FOLDER = Path(shelly_exporter.__path__[0])
EXAMPLE = FOLDER / "exporter.env.example"
README = (FOLDER / "README.md").read_text()


def variables(text: str) -> dict[str, str]:
    """What `docker run --env-file` makes of it: comments are whole lines, values are taken as they stand."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def commented_out() -> list[str]:
    """The names of variables that wait for somebody to take the # away."""
    return re.findall(r"^#(SHELLY_\w+)=", EXAMPLE.read_text(), re.MULTILINE)


def test_it_can_be_loaded_as_it_is() -> None:
    found = load(None, variables(EXAMPLE.read_text()))
    assert (found.mqtt.host, found.mqtt.username, found.mqtt.password) == (
        "192.168.1.2",
        "shelly-exporter",
        "change-me",
    )
    assert (found.target.kind, found.target.url) == (Kind.INFLUXDB2, "http://192.168.1.3:8086")
    assert (found.target.organisation, found.target.token) == ("home", "change-me")
    assert found.time_zone.key == "Europe/Berlin"
    assert found.web.host == "127.0.0.1"
    assert found.warnings == ()


def test_what_is_commented_out_are_settings_too() -> None:
    assert len(commented_out()) > 3
    assert set(commented_out()) <= VARIABLES.keys()


def test_influxdb_1_can_be_had_by_moving_the_comments() -> None:
    text = re.sub(r"^(SHELLY_INFLUXDB_(?:ORGANISATION|TOKEN)=)", r"#\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    text = re.sub(r"^#(SHELLY_INFLUXDB_(?:USERNAME|PASSWORD)=)", r"\1", text, flags=re.MULTILINE)
    found = load(None, variables(text) | {"SHELLY_INFLUXDB_KIND": "influxdb1"})
    assert (found.target.username, found.target.password, found.warnings) == ("shelly", "change-me", ())


def test_the_readme_names_settings_that_exist() -> None:
    keys = set(re.findall(rf"`((?:{'|'.join(SECTIONS)})\.\w+)`", README))
    assert len(keys) > 5
    assert keys <= {*ALL_KEYS}
    assert {*re.findall(r"SHELLY_\w+", README)} <= VARIABLES.keys()


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.+?)```", README, re.DOTALL))
def test_the_readmes_settings_can_be_loaded(block: str, tmp_path: Path) -> None:
    if "services" in yaml.safe_load(block):
        return  # Compose's
    path = tmp_path / "exporter.yaml"
    path.write_text(block)
    path.chmod(0o600)
    load(path, {})
