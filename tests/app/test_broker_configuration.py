"""What Mosquitto is told, and who may read it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from shelly_app.broker import command, files
from shelly_app.files import File
from shelly_app.options import Login, LogLevel, Mqtt, Options, Tls, TlsMode
from shelly_app.places import Accounts, Layout
from shelly_app.setup import Setup
from tests.stack.app_broker import broker_setup

ANNA = Login(username="anna", subscribe=("house/#",))
LAMPS = Login(username="lamps", password="lamps do not read", publish=("house/#",))


def rendered(setup: Setup) -> dict[str, File]:
    return {path.name: file for path, file in files(setup).items()}


def lines(setup: Setup) -> list[str]:
    return rendered(setup)["mosquitto.conf"].text.splitlines()


def with_tls(folder: Path, tls: Tls) -> Setup:
    return broker_setup(folder, Options(mqtt=Mqtt(tls=tls)))


def test_another_broker_needs_nothing(tmp_path: Path) -> None:
    setup = broker_setup(tmp_path, Options(mqtt=Mqtt(tls=Tls(mode=TlsMode.GENERATED))))
    assert files(replace(setup, broker=replace(setup.broker, internal=False))) == {}


def test_command(tmp_path: Path) -> None:
    assert command(broker_setup(tmp_path, Options())) == ("mosquitto", "-c", f"{tmp_path}/run/mosquitto/mosquitto.conf")


def test_what_never_changes(tmp_path: Path) -> None:
    setup = broker_setup(tmp_path, Options())
    assert set(lines(setup)) >= {
        "allow_anonymous false",
        f"password_file {tmp_path}/run/mosquitto/passwords",
        f"acl_file {tmp_path}/run/mosquitto/acl",
        f"listener {setup.layout.ports.mqtt} 127.0.0.1",
        "persistence true",
        f"persistence_location {tmp_path}/data/mosquitto/",
        "persistent_client_expiration 14d",
        "log_dest stderr",
    }


def test_queues_hold_a_week_of_a_meter_and_have_an_end(tmp_path: Path) -> None:
    settings = dict(line.split(" ", 1) for line in lines(broker_setup(tmp_path, Options())))
    week = 7 * 24 * 3600
    assert week < int(settings["max_queued_messages"]) < 2 * week
    assert week * 510 < int(settings["max_queued_bytes"]) < 512 * 1024 * 1024


def test_in_the_app_all_of_it_is_for_mosquitto_alone(tmp_path: Path) -> None:
    tls = Tls(mode=TlsMode.GENERATED, require_certificate=True)
    setup = broker_setup(tmp_path, Options(mqtt=Mqtt(tls=tls, logins=(LAMPS,))))
    setup = replace(setup, layout=Layout(places=setup.layout.places))
    read = {path.name: file for path, file in files(setup).items() if path.parent.name == "mosquitto"}
    assert set(read) == {"mosquitto.conf", "passwords", "acl", "server.pem", "server.key", "clients.pem"}
    assert {(file.owner, file.mode) for file in read.values()} == {("mosquitto", 0o600)}
    kept = {path.name: file for path, file in files(setup).items() if path.parent.name == "certificates"}
    assert set(kept) == {"ca.pem", "ca.key", "server.pem", "server.key", "client.pem", "client.key"}
    assert {(file.owner, file.mode) for file in kept.values()} == {(None, 0o600)}
    everything = "".join(file.text for file in read.values())
    assert not any(secret in everything for secret in ("lamps do not read", setup.secrets.homeassistant_password))


@pytest.mark.parametrize(
    ("account", "user_id", "expected"),
    [(None, 0, ["user root"]), (None, 1000, []), ("mosquitto", 0, []), ("mosquitto", 1000, [])],
)
def test_who_it_becomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: str | None, user_id: int, expected: list[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user_id)
    setup = broker_setup(tmp_path, Options())
    setup = replace(setup, layout=replace(setup.layout, accounts=Accounts(mosquitto=account)))
    assert [line for line in lines(setup) if line.startswith("user ")] == expected


@pytest.mark.parametrize(
    ("level", "types"),
    [
        (LogLevel.DEBUG, ["all"]),
        (LogLevel.INFO, ["error", "warning", "notice"]),
        (LogLevel.WARNING, ["error", "warning"]),
        (LogLevel.ERROR, ["error"]),
    ],
)
def test_how_much_it_says(tmp_path: Path, level: LogLevel, types: list[str]) -> None:
    said = lines(broker_setup(tmp_path, Options(log_level=level)))
    assert [line.removeprefix("log_type ") for line in said if line.startswith("log_type ")] == types


@pytest.mark.parametrize(
    ("logins", "plugin", "supervised", "asks"),
    [
        ((ANNA, LAMPS), Path("/plugin.so"), True, True),
        ((LAMPS,), Path("/plugin.so"), True, False),
        ((ANNA,), None, True, False),
        ((ANNA,), Path("/plugin.so"), False, False),
    ],
    ids=["asks", "nobody to ask for", "no plug-in", "nobody to ask"],
)
def test_the_plugin(
    tmp_path: Path, logins: tuple[Login, ...], plugin: Path | None, supervised: bool, asks: bool
) -> None:
    setup = broker_setup(tmp_path, Options(mqtt=Mqtt(logins=logins)), plugin=plugin, supervised=supervised)
    expected = [
        "plugin /plugin.so",
        f"plugin_opt_socket {tmp_path}/run/control/logins.sock",
        "plugin_opt_user anna",
    ]
    assert [line for line in lines(setup) if line.startswith("plugin")] == (expected if asks else [])
    assert "anna:" not in rendered(setup)["passwords"].text


def test_encryption_is_beside_the_plain_port(tmp_path: Path) -> None:
    setup = with_tls(tmp_path, Tls(mode=TlsMode.GENERATED))
    said = lines(setup)
    first, second = (line for line in said if line.startswith("listener "))
    assert first == f"listener {setup.layout.ports.mqtt} 127.0.0.1"
    assert second == f"listener {setup.layout.ports.mqtts} 127.0.0.1"
    assert said[said.index(second) :][1:3] == [
        f"certfile {tmp_path}/run/mosquitto/server.pem",
        f"keyfile {tmp_path}/run/mosquitto/server.key",
    ]
    assert not any(line.startswith(("cafile", "require_certificate")) for line in said)
    assert set(lines(with_tls(tmp_path, Tls(mode=TlsMode.GENERATED, require_certificate=True)))) >= {
        f"cafile {tmp_path}/run/mosquitto/clients.pem",
        "require_certificate true",
    }
