"""Secrets in files of their own."""

from pathlib import Path

import pytest

from shelly_exporter.settings import Devices, SettingsError, Target
from shelly_exporter.settings.source import load
from tests.exporter.settings_variables import problems, settings


def test_a_secret_in_a_file_of_its_own(secret: Path) -> None:
    found = settings(SHELLY_MQTT_USERNAME="a", SHELLY_MQTT_PASSWORD_FILE=str(secret))
    assert found.mqtt.password == "hunter2"


def test_passwords_of_devices_in_a_file(secret: Path) -> None:
    secret.write_text("a=with,comma\r\n\nB=with=sign\n")
    found = settings(SHELLY_DEVICES_PASSWORDS_FILE=str(secret))
    assert found.devices == Devices(passwords={"a": "with,comma", "b": "with=sign"})


def test_a_variable_replaces_the_secret_of_the_file_and_its_file(secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "exporter.yaml"
    path.write_text("influxdb: {organisation: home, token_file: nowhere}")
    assert load(path, {"SHELLY_INFLUXDB_TOKEN": "t"}).target == Target(organisation="home", token="t")
    path.write_text("influxdb: {organisation: home, token: t}")
    assert load(path, {"SHELLY_INFLUXDB_TOKEN_FILE": str(secret)}).target.token == "hunter2"
    path.write_text("influxdb: {organisation: home, token_file: secret}")
    assert load(path, {}).target.token == "hunter2"


def test_a_secret_given_twice_in_one_place(secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "exporter.yaml"
    path.write_text(f"influxdb: {{token: hunter3, token_file: {secret}}}")
    said = (
        "influxdb.token_file (SHELLY_INFLUXDB_TOKEN_FILE): is given together with "
        "influxdb.token (SHELLY_INFLUXDB_TOKEN): take one of them away"
    )
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    assert caught.value.problems == (said,)
    assert problems(SHELLY_INFLUXDB_TOKEN="hunter3", SHELLY_INFLUXDB_TOKEN_FILE=str(secret)) == [said]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "this file is empty: write the secret into it"),
        (b"\n", "this file is empty: write the secret into it"),
        (b"hunter2\nhunter3\n", "this file has 2 lines: write the secret alone into it"),
        (b"\xff\xfe", "this file holds no text in UTF-8: write the secret into it as text"),
    ],
)
def test_a_file_that_holds_no_secret(secret: Path, content: bytes, said: str) -> None:
    secret.write_bytes(content)
    assert problems(SHELLY_DEVICES_PASSWORD_FILE=str(secret)) == [
        f"devices.password_file (SHELLY_DEVICES_PASSWORD_FILE): {said}"
    ]


def test_a_secret_given_in_place_of_its_file_is_not_shown(tmp_path: Path) -> None:
    name = "devices.password_file (SHELLY_DEVICES_PASSWORD_FILE)"
    assert problems(SHELLY_DEVICES_PASSWORD_FILE="hunter2") == [
        f"{name}: there is no such file: give the path of a file with the secret in it"
    ]
    assert problems(SHELLY_DEVICES_PASSWORD_FILE=str(tmp_path)) == [
        f"{name}: this file cannot be read (Is a directory): give the exporter's user the right to"
    ]
    assert "hunter2" not in str(problems(SHELLY_DEVICES_PASSWORD_FILE="~hunter2/x"))
    assert "hunter2" not in str(problems(SHELLY_DEVICES_PASSWORD_FILE="hunter2" * 100))
