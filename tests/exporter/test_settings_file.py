"""The YAML file: what is taken from it, and what is said when it is no good."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shelly_exporter.settings import Settings, SettingsError
from shelly_exporter.settings_source import load

type Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of settings that only its owner can read."""

    def written(text: str) -> Path:
        path = tmp_path / "exporter.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return written


def settings(path: Path, **environ: str) -> Settings:
    return load(path, environ)


def problems(path: Path, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


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
    ("text", "problem"),
    [
        ("mqtt: {pasword: hunter2}", "mqtt.pasword: is no setting: did you mean mqtt.password (SHELLY_MQTT_PASSWORD)?"),
        ("influx: {token: hunter2}", "influx: is no section: did you mean influxdb?"),
        (
            "timezone: UTC",
            "timezone: is no setting: did you mean time_zone (SHELLY_TIME_ZONE)?",
        ),
        (
            "host: broker",
            "host: is no setting: did you mean mqtt.host (SHELLY_MQTT_HOST) or web.host (SHELLY_WEB_HOST)?",
        ),
        ("mqtt: {url: broker}", "mqtt.url: is no setting: did you mean influxdb.url (SHELLY_INFLUXDB_URL)?"),
        ("web: {zzz: 1}", "web.zzz: is no setting: there are host, port"),
        (
            "zzz: 1",
            "zzz: is no setting: there are time_zone, instance, mqtt, devices, influxdb, spool, web, log, cluster",
        ),
        ("mqtt: broker", "mqtt: is a section: write its keys below it, indented, such as mqtt.host"),
        ("mqtt: [broker]", "mqtt: is a section: write its keys below it, indented, such as mqtt.host"),
        (
            "mqtt: {host: {name: x}}",
            "mqtt.host (SHELLY_MQTT_HOST): a section is too much: give a single value",
        ),
        ("mqtt: {host: [a]}", "mqtt.host (SHELLY_MQTT_HOST): a list is too much: give a single value"),
        (
            "mqtt: {prefixes: []}",
            (
                "mqtt.prefixes (SHELLY_MQTT_PREFIXES): no prefix is given, so no device would be heard: "
                "give + for every prefix of one level"
            ),
        ),
        (
            "mqtt: {prefixes: [house/+, ]}\nlog: {level: [info, ~]}",
            "log.level (SHELLY_LOG_LEVEL): a list is too much: give a single value",
        ),
        (
            "mqtt: {prefixes: [~]}",
            (
                "mqtt.prefixes (SHELLY_MQTT_PREFIXES): '' is no topic prefix: "
                "give what stands before /events/rpc, such as house/+"
            ),
        ),
        (
            "devices: {include: {a: b}}",
            "devices.include (SHELLY_DEVICES_INCLUDE): a section is no list: write - before each entry",
        ),
        (
            "devices: {password: {hunter2: x}}",
            "devices.password (SHELLY_DEVICES_PASSWORD): a list or section is too much: give a single value, in quotes",
        ),
        (
            "devices: {passwords: [[hunter2]]}",
            (
                "devices.passwords (SHELLY_DEVICES_PASSWORDS): "
                "a list or section is too much: give a single value, in quotes"
            ),
        ),
        (
            "devices: {password_file: [hunter2]}",
            (
                "devices.password_file (SHELLY_DEVICES_PASSWORD_FILE): "
                "a list or section is too much: give a single value, in quotes"
            ),
        ),
    ],
)
def test_a_wrong_key_or_form_is_explained(write: Write, text: str, problem: str) -> None:
    assert problems(write(text)) == [problem]


CURE = "check the indentation, and put values with special characters in quotes"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mqtt:\n\thost: a", f"is no YAML: line 2: found character '\\t' that cannot start any token: {CURE}"),
        ("mqtt: a: b", f"is no YAML: line 1: mapping values are not allowed here: {CURE}"),
        ("a: {", f"is no YAML: line 1: expected the node content, but found '<stream end>': {CURE}"),
        ("mqtt: {password: *hunter2}", f"is no YAML: line 1: found undefined alias: {CURE}"),
        ("mqtt: {password: !hunter2!x y}", f"is no YAML: line 1: found undefined tag handle: {CURE}"),
        ("mqtt: {port: 1", f"is no YAML: line 1: expected ',' or '}}', but got '<stream end>': {CURE}"),
        ("a: &hunter2 b\nc: &hunter2 d", f"is no YAML: line 2: second occurrence: {CURE}"),
        ("a: b\n---\nc: d", f"is no YAML: line 2: but found another document: {CURE}"),
        ("just words", "holds no settings: write sections such as mqtt: with keys below"),
        ("[mqtt]", "holds no settings: write sections such as mqtt: with keys below"),
        ("web:\n  port: 1\n  port: 2", "line 3 gives port again: take one of them away"),
        ("mqtt:\nmqtt:", "line 2 gives mqtt again: take one of them away"),
        ("? [hunter2]\n: a", "line 1 has a list or section for a key: put values with special characters in quotes"),
        ("a: &b\n  c: *b", "line 1 is nested deeper than any setting: write section, key and value"),
        ('a: "\x00"', "is no text in UTF-8 (special characters are not allowed): save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_yaml(write: Write, text: str, said: str) -> None:
    (problem,) = problems(write(text))
    assert problem.startswith("--config (SHELLY_CONFIG): ")
    assert problem.endswith(said)
    assert "hunter2" not in problem


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("instance: Küche".encode("latin-1"))
    assert problems(path) == [
        f"--config (SHELLY_CONFIG): {path} is no text in UTF-8 (invalid start byte): save it as UTF-8"
    ]


def test_a_mark_of_the_byte_order_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "notepad.yaml"
    path.write_bytes(b"\xef\xbb\xbfinstance: a\r\n")
    assert settings(path).instance == "a"


READABLE = "give the path of a file that the exporter's user can read"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    said = f"there is no file {path}: correct the path, or leave it out and use variables"
    assert problems(path) == [f"--config (SHELLY_CONFIG): {said}"]
    assert problems(tmp_path) == [f"--config (SHELLY_CONFIG): {tmp_path} cannot be read (Is a directory): {READABLE}"]


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
