"""What the control daemon is told: all it needs, and no secret that it does not."""

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shelly_app import files
from shelly_app.control import files as control_files
from shelly_app.control.settings import Settings, load, settings_of
from shelly_app.options import (
    Boards,
    BrokerMode,
    Database,
    DatabaseMode,
    Login,
    Mqtt,
    Options,
    Role,
    Tls,
    TlsMode,
)
from shelly_app.places import NOBODY_ELSE, Layout, Places
from shelly_app.secret_store import SecretStore
from shelly_app.setup import BrokerAccess, Home, Setup

LOGINS = (Login(username="anna"), Login(username="meter", password="hunter2", publish=("a/#",)))
OURS = BrokerAccess(internal=True, host="127.0.0.1", port=1883, username="shelly-exporter", password="x")
FOREIGN = replace(OURS, internal=False, host="core-mosquitto")


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Everything on, with a Supervisor."""
    places = Places(data=tmp_path / "data", run=tmp_path / "run")
    return Setup(
        options=Options(mqtt=Mqtt(logins=LOGINS, devices=("shellypro3-3ce90e6f0001",))),
        secrets=SecretStore(places.secrets).load(("shellypro3-3ce90e6f0001",)),
        layout=Layout(places=places, accounts=NOBODY_ELSE),
        home=Home(supervised=True, hostname="a0d7b954-shelly-pro"),
        broker=OURS,
    )


def of(setup: Setup, options: Options) -> Settings:
    return settings_of(replace(setup, options=options))


def test_what_is_written_is_what_is_read(setup: Setup) -> None:
    files.write(control_files(setup))
    path = setup.layout.places.control
    assert load(path) == settings_of(setup)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (setup.layout.places.data / "control").is_dir()


def test_the_daemon_may_read_and_remember(setup: Setup) -> None:
    with_users = replace(setup, layout=Layout(places=setup.layout.places))
    assert {file.owner for file in control_files(with_users).values()} == {"shelly-control"}
    assert {path.parent for path in control_files(with_users)} == {
        setup.layout.places.run / "control",
        setup.layout.places.data / "control",
    }


def test_only_its_own_secrets(setup: Setup) -> None:
    text = "".join(file.text for file in control_files(setup).values())
    shown = {name for name in type(setup.secrets).__slots__ if name != "devices" and _secret(setup, name) in text}
    assert shown == {"homeassistant_password", "apps_password", "alert_token"}
    assert "hunter2" not in text
    assert not any(password in text for password in setup.secrets.devices.values())
    assert not any(_secret(setup, name) in repr(settings_of(setup)) for name in shown)


def _secret(setup: Setup, name: str) -> str:
    value = getattr(setup.secrets, name)
    return "not there yet" if value is None else str(value)


def test_only_users_of_home_assistant_are_asked_for(setup: Setup) -> None:
    assert settings_of(setup).logins == ("anna",)
    assert settings_of(replace(setup, home=Home(supervised=False))).logins == ()
    assert settings_of(replace(setup, broker=FOREIGN)).logins == ()


def test_without_our_broker_its_passwords_are_not_there(setup: Setup) -> None:
    settings = settings_of(replace(setup, broker=FOREIGN))
    assert (settings.broker, settings.homeassistant_password, settings.apps_password) == (False, "", "")
    assert "broker" not in settings.services


def test_the_role(setup: Setup) -> None:
    assert of(setup, Options(boards=Boards(role=Role.EDITOR))).role == "Editor"


@pytest.mark.parametrize(
    ("options", "home", "expected"),
    [
        (
            Options(),
            Home(supervised=True),
            {"broker": 1883, "gateway": 8099, "exporter": 9433, "influxdb": 8086, "grafana": 3000},
        ),
        (
            Options(database=Database(mode=DatabaseMode.EXTERNAL), boards=Boards(enabled=False)),
            Home(supervised=False),
            {"broker": 1883, "gateway": 8099, "exporter": 9433},
        ),
        (
            Options(database=Database(mode=DatabaseMode.OFF)),
            Home(supervised=False, certificate=("a", "b")),
            {"broker": 1883, "gateway": 8443},
        ),
    ],
)
def test_what_runs(options: Options, home: Home, expected: dict[str, int], setup: Setup) -> None:
    assert settings_of(replace(setup, options=options, home=home)).services == expected


@pytest.mark.parametrize(
    ("options", "broker", "expected"),
    [
        (
            Options(mqtt=Mqtt(tls=Tls(mode=TlsMode.GENERATED), devices=("a-b",))),
            OURS,
            {"mqtt_port": 1883, "mqtts_port": 8883, "devices": ["a-b"], "database": "internal", "alerts": True},
        ),
        (
            Options(mqtt=Mqtt(mode=BrokerMode.AUTO, tls=Tls(mode=TlsMode.GENERATED))),
            FOREIGN,
            {"broker": False, "mqtt_port": None, "mqtts_port": None},
        ),
        (
            Options(database=Database(mode=DatabaseMode.OFF)),
            OURS,
            {"database": "off", "boards": False, "alerts": False, "mqtts_port": None},
        ),
    ],
)
def test_what_the_integration_is_told(
    options: Options, broker: BrokerAccess, expected: dict[str, Any], setup: Setup
) -> None:
    offer = settings_of(replace(setup, options=options, broker=broker)).offer
    assert offer["host"] == "a0d7b954-shelly-pro"
    assert {key: offer[key] for key in expected} == expected
