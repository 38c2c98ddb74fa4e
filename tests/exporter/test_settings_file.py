"""The YAML file: what is taken from it, and who may read it."""

from pathlib import Path

import pytest

from shelly_exporter.settings.source import load
from tests.exporter.settings_files import Write, settings


def test_sections_and_lists(write: Write) -> None:
    found = settings(
        write("""
time_zone: Europe/Berlin
mqtt:
  host: broker.lan
  port: 1884
  prefixes: [+, house/+]
devices:
  include:
    - shellypro3em-*
  passwords: {ShellyPro3-A: 0123, b: "yes"}
  addresses:
    b: 10.0.0.7:80
""")
    )
    assert str(found.time_zone) == "Europe/Berlin"
    assert (found.mqtt.host, found.mqtt.port, found.mqtt.prefixes) == ("broker.lan", 1884, ("+", "house/+"))
    assert found.devices.include == ("shellypro3em-*",)
    assert found.devices.passwords == {"shellypro3-a": "0123", "b": "yes"}
    assert found.devices.addresses == {"b": "10.0.0.7:80"}


@pytest.mark.parametrize("password", ["0123", "yes", "1e3", "2026-13-45", "0o9", "!secret", "null-und-nichtig"])
def test_a_password_is_the_text_that_stands_there(write: Write, password: str) -> None:
    quoted = f'"{password}"' if password.startswith("!") else password
    found = settings(write(f"mqtt:\n  username: off\n  password: {quoted}\n"))
    assert (found.mqtt.username, found.mqtt.password) == ("off", password)


def test_a_quoted_null_is_a_text(write: Write) -> None:
    assert settings(write('mqtt: {username: "null"}')).mqtt.username == "null"


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "~", "mqtt:\nweb: {}\n", 'mqtt: {host: null, port: , client_id: ""}\ninstance: ""']
)
def test_what_is_empty_has_its_default(write: Write, text: str) -> None:
    assert settings(write(text)) == load(None, {})


def test_variables_win_over_the_file(write: Write) -> None:
    path = write("mqtt: {host: from-file, port: 1884}")
    found = settings(path, SHELLY_MQTT_HOST="from-variable", SHELLY_MQTT_PORT="", SHELLY_CONFIG="/other")
    assert (found.mqtt.host, found.mqtt.port) == ("from-variable", 1884)
    assert not [warning for warning in found.warnings if "SHELLY_CONFIG" in warning]


def test_paths_are_relative_to_the_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    found = settings(write("mqtt: {tls_ca: ca.pem}\nspool: {directory: spool}"))
    assert found.mqtt.tls is not None
    assert found.mqtt.tls.ca == tmp_path / "ca.pem"
    assert found.spool.directory == tmp_path / "spool"


def test_whole_paths_and_homes_stay(write: Write) -> None:
    assert settings(write("spool: {directory: /data}")).spool.directory == Path("/data")
    assert settings(write("spool: {directory: ~/spool}")).spool.directory == Path.home() / "spool"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("mqtt: {username: a, password: hunter2}", "mqtt.password"),
        ("devices: {passwords: {a: hunter2}}", "devices.passwords"),
        ("cluster: {group: a, redis_url: 'redis://:hunter2@redis'}", "cluster.redis_url"),
    ],
)
def test_a_secret_that_everybody_can_read_is_worth_a_warning(write: Write, text: str, key: str) -> None:
    path = write(text)
    assert not [warning for warning in settings(path).warnings if "chmod" in warning]
    path.chmod(0o644)
    (warning,) = [warning for warning in settings(path).warnings if "chmod" in warning]
    assert warning.startswith(f"{key} (SHELLY_{key.replace('.', '_').upper()}): stands in {path}, which everybody")
    assert f"chmod o-r {path}" in warning
    assert f"{key}_file" in warning
    assert "hunter2" not in warning


@pytest.mark.parametrize("text", ["mqtt: {host: a}", "cluster: {group: a, redis_url: 'redis://redis'}"])
def test_a_file_without_secrets_may_be_read(write: Write, text: str) -> None:
    path = write(text)
    path.chmod(0o644)
    assert not [warning for warning in settings(path).warnings if "chmod" in warning]
