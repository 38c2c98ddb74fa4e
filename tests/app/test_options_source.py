"""Where options come from: Supervisor's file, a file of the person's, variables and files with secrets."""

import json
from typing import TYPE_CHECKING

import pytest

from shelly_app.options import BrokerMode, DatabaseMode, LogLevel, Options, OptionsError, Role, TlsMode, read
from shelly_app.options.environment import ELSEWHERE, FILES, ONLY_IN_FILE, VARIABLES
from shelly_app.options.schema import KEYS, SECRETS
from shelly_app.places import Places
from tests.repository.sources import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SUPERVISED = {"SUPERVISOR_TOKEN": "t"}
SECRET = "hunter2"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for folder in ("data", "config"):
        (tmp_path / folder).mkdir()
    return Places(data=tmp_path / "data", config=tmp_path / "config")


def problems(places: Places, environ: dict[str, str]) -> list[str]:
    with pytest.raises(OptionsError) as caught:
        read(places, environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def test_with_supervisor_its_file_counts_alone(places: Places) -> None:
    (places.data / "options.json").write_text(json.dumps({"mqtt": {"mode": "internal"}, "log_level": "debug"}))
    (places.config / "options.yaml").write_text("log_level: error\n")
    options = read(places, {**SUPERVISED, "APP_LOG_LEVEL": "warning", "APP_LOG_LEVL": "x"})
    assert (options.log_level, options.mqtt.mode) == (LogLevel.DEBUG, BrokerMode.INTERNAL)


def test_with_supervisor_problems_name_no_variables(places: Places) -> None:
    (places.data / "options.json").write_text('{"mqtt": {"port": 0}}')
    assert problems(places, SUPERVISED) == ["mqtt.port: 0 is no port: give a whole number from 1 to 65535"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"{", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[]", "holds no options"),
    ],
)
def test_a_broken_file_of_supervisor(places: Places, content: bytes | None, said: str) -> None:
    path = places.data / "options.json"
    if content is not None:
        path.write_bytes(content)
    remedy = "save the configuration of the app once more, and start it again"
    assert problems(places, SUPERVISED) == [f"{path}: {said}: {remedy}"]


def test_without_anything_there_are_defaults(places: Places) -> None:
    assert read(places, {}) == Options()
    (places.config / "options.yaml").write_text("# nothing yet\n")
    assert read(places, {"SUPERVISOR_TOKEN": ""}) == Options()


def test_variables_win_over_the_file(places: Places) -> None:
    (places.config / "options.yaml").write_text(
        "log_level: error\nmqtt:\n  mode: internal\n  tls: {mode: off}\n  devices: [shellypro3-3ce90e6f0001]\n"
        "  logins:\n  - username: lab\n    password: 0123\n    publish: [lab/#]\nboards:\nalerts: {enabled: no}\n"
    )
    options = read(
        places,
        {
            "APP_MQTT_TLS_MODE": "generated",
            "APP_MQTT_DEVICES": " shellypro3em-3ce90e6ff1a0, shellypro3em-3ce90e6f0002,",
            "APP_DATABASE_RETENTION_DAYS": "30",
            "APP_BOARDS_ROLE": "editor",
            "APP_BOARDS_PRICE_PER_KWH": "0.25",
            "APP_LOG_LEVEL": "",
            "APP_HTTPS_CERTFILE": "fullchain.pem",
            "APP_ADDRESSES": "broker.example",
            "APP_NAME": "of another program",
            "PATH": "/usr/bin",
        },
    )
    assert (options.log_level, options.mqtt.mode, options.mqtt.tls.mode) == (
        LogLevel.ERROR,
        BrokerMode.INTERNAL,
        TlsMode.GENERATED,
    )
    assert options.mqtt.devices == ("shellypro3em-3ce90e6ff1a0", "shellypro3em-3ce90e6f0002")
    assert options.mqtt.logins[0].password == "0123"
    assert options.database.retention_days == 30
    assert (options.boards.role, options.boards.price_per_kwh) == (Role.EDITOR, 0.25)
    assert options.alerts.enabled is False


def test_problems_name_the_variable_too(places: Places) -> None:
    assert problems(places, {"APP_MQTT_MODE": "external", "APP_MQTT_PORT": "x"}) == [
        "mqtt.port (APP_MQTT_PORT): 'x' is no port: give a whole number from 1 to 65535",
        "mqtt.host (APP_MQTT_HOST): is not given: give the address of your broker, or set mqtt.mode to auto",
    ]
    (places.config / "options.yaml").write_text("mqtt: {logins: [{username: addons, publish: ['#']}]}\n")
    assert problems(places, {}) == ["mqtt.logins: addons is a login of the app itself: give another name"]


def test_secrets_may_be_in_files(places: Places, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f" {SECRET} \n")
    options = read(places, {"APP_DATABASE_TOKEN_FILE": str(tmp_path / "token"), "APP_DATABASE_MODE": "off"})
    assert (options.database.token, options.database.mode) == (f" {SECRET} ", DatabaseMode.OFF)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file: give the path of a file with the secret in it"),
        (b"", "this file has 0 lines: write the secret alone into it, in one line"),
        (b"\n", "this file has 1 lines: write the secret alone into it, in one line"),
        (b"hunter2\nmore\n", "this file has 2 lines: write the secret alone into it, in one line"),
        (b"hunter2\xff", "this file holds no text in UTF-8: write the secret into it as text"),
    ],
)
def test_a_file_without_a_secret(places: Places, tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / SECRET
    if content is not None:
        path.write_bytes(content)
    assert problems(places, {"APP_MQTT_PASSWORD_FILE": str(path)}) == [f"APP_MQTT_PASSWORD_FILE: {said}"]


@pytest.mark.parametrize(("path", "why"), [("/", "Is a directory"), ("a\0b", "no path")])
def test_a_secret_in_what_is_no_file(places: Places, path: str, why: str) -> None:
    assert problems(places, {"APP_MQTT_PASSWORD_FILE": path}) == [
        f"APP_MQTT_PASSWORD_FILE: this file cannot be read ({why}): give the path of a file with the secret in it"
    ]


def test_a_secret_is_given_once(places: Places) -> None:
    environ = {"APP_DEVICE_PASSWORD": SECRET, "APP_DEVICE_PASSWORD_FILE": "/dev/null"}
    assert problems(places, environ) == [
        "APP_DEVICE_PASSWORD_FILE: is given together with APP_DEVICE_PASSWORD: take one of them away"
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("APP_MQTT_MOD", "is no option: did you mean APP_MQTT_MODE?"),
        ("APP_HTTPS_CERTIFILE", "is no option: did you mean APP_HTTPS_CERTFILE?"),
        ("APP_DATABASE_PASSWORT_FILE", "is no option: did you mean APP_DATABASE_PASSWORD_FILE?"),
        ("APP_MQTT_LOGINS", "does not fit into a variable: write it into options.yaml"),
        (
            "APP_BOARDS_X",
            (
                "is no option: there are APP_BOARDS_ENABLED, APP_BOARDS_ROLE, APP_BOARDS_PRICE_PER_KWH, "
                "APP_BOARDS_EXPORT_PRICE_PER_KWH"
            ),
        ),
    ],
)
def test_a_variable_that_is_no_option(places: Places, name: str, said: str) -> None:
    assert problems(places, {name: SECRET}) == [f"{name}: {said}"]


def test_the_example_can_be_used_with_all_its_lines(places: Places) -> None:
    lines = (ROOT / "addon" / ".env.example").read_text().splitlines()
    pairs = [line.removeprefix("#").split("=", 1) for line in lines if line.startswith(("APP_", "#APP_"))]
    given = {name: value or "to be entered" for name, value in pairs}
    assert given
    assert [name for name in given if name not in {*VARIABLES, *FILES, *ELSEWHERE}] == []
    options = read(places, given)
    assert (options.mqtt.mode, options.database.mode) == (BrokerMode.EXTERNAL, DatabaseMode.EXTERNAL)
    assert len(options.mqtt.devices) == 2


def test_every_option_has_a_variable() -> None:
    assert set(VARIABLES.values()) | ONLY_IN_FILE == set(KEYS)
    assert set(FILES.values()) == set(SECRETS)
    assert len({*VARIABLES, *FILES, *ELSEWHERE}) == len(VARIABLES) + len(FILES) + len(ELSEWHERE)


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        (
            b"mqtt:\n  password: 'hunter2\n",
            ", line 3",
            "is no YAML: check the indentation, and put values with special signs in quotes",
        ),
        (
            b"mqtt:\n  password: *hunter2\n",
            ", line 2",
            "is no YAML: check the indentation, and put values with special signs in quotes",
        ),
        (b"hunter2\xff", "", "is no text in UTF-8: save it as UTF-8"),
        (b"password: hunter2\x07", "", "is no text in UTF-8: save it as UTF-8"),
        (b"hunter2", "", "holds no options: write sections such as mqtt: with options below"),
        (b"- hunter2", "", "holds no options: write sections such as mqtt: with options below"),
    ],
)
def test_a_broken_file_of_the_person_is_not_shown(places: Places, content: bytes, where: str, said: str) -> None:
    path = places.config / "options.yaml"
    path.write_bytes(content)
    assert problems(places, {}) == [f"{path}{where}: {said}"]


def test_a_folder_in_place_of_the_file(places: Places) -> None:
    path = places.config / "options.yaml"
    path.mkdir()
    assert problems(places, {}) == [f"{path}: cannot be read (Is a directory): let it be a file that root can read"]


def test_a_file_that_contains_itself(places: Places) -> None:
    (places.config / "options.yaml").write_text("mqtt: &a\n  tls: *a\n")
    (problem,) = problems(places, {})
    assert "options.yaml, line 1: is no YAML" in problem
