"""The example names every key, with its default."""

from pathlib import Path

import pytest
import yaml

import shelly_exporter
from shelly_exporter.settings import Settings
from shelly_exporter.settings.file import read_file
from shelly_exporter.settings.schema import ALL_KEYS
from shelly_exporter.settings.source import load

EXAMPLE = Path(shelly_exporter.__path__[0]) / "exporter.example.yaml"

# Their defaults depend on other settings or on the system; the example says how.
DEPENDENT = {"mqtt.port", "mqtt.client_id", "mqtt.tls", "influxdb.gzip", "time_zone", "instance"}
# Their default is that there is none.
NONE = {
    "mqtt.username",
    "mqtt.password",
    "mqtt.tls_ca",
    "mqtt.tls_certificate",
    "mqtt.tls_key",
    "devices.password",
    "influxdb.organisation",
    "influxdb.token",
    "influxdb.username",
    "influxdb.password",
    "cluster.group",
    "cluster.redis_url",
}


def written() -> list[str]:
    """Every key that stands in the example, in its order."""
    content = yaml.safe_load(EXAMPLE.read_text())
    return [
        f"{section}.{key}" if isinstance(value, dict) else section
        for section, value in content.items()
        for key in (value if isinstance(value, dict) else (section,))
    ]


def test_it_names_every_key_once() -> None:
    assert sorted(written()) == sorted(ALL_KEYS)


def test_what_it_gives_is_the_default() -> None:
    assert load(EXAMPLE, {}) == load(None, {})
    found = load(EXAMPLE, {})
    assert found == Settings(time_zone=found.time_zone)


def test_it_gives_every_default_there_is() -> None:
    empty = set(written()) - set(read_file(EXAMPLE))
    assert empty == DEPENDENT | NONE | {key for key in ALL_KEYS if key.endswith("_file")}


@pytest.mark.parametrize("key", sorted(NONE))
def test_a_key_without_a_default_has_none(key: str) -> None:
    section, _, name = key.replace("influxdb", "target").partition(".")
    part = getattr(load(None, {}), section)
    assert (part.tls if name.startswith("tls_") else getattr(part, name)) is None


def test_it_is_explained_in_lines_that_fit_a_screen() -> None:
    lines = EXAMPLE.read_text().splitlines()
    assert max(map(len, lines)) <= 120
    assert sum(line.lstrip().startswith("#") for line in lines) > len(ALL_KEYS) / 2
