"""What the exporter is told: its own loader takes it, whatever is set."""

import itertools
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shelly_app import exporter_settings
from shelly_app.files import write
from shelly_app.options import Database, DatabaseKind, DatabaseMode, LogLevel, Options
from shelly_app.places import Accounts
from shelly_app.setup import BrokerAccess, Setup
from shelly_exporter.__main__ import _parser
from shelly_exporter.settings import Kind, Settings, Tls
from shelly_exporter.settings import LogLevel as ExporterLevel
from shelly_exporter.settings.source import load
from tests.app.database_stage import setup_in

AWKWARD = ["null", "~", "0123", "yes", "a: b # c", "'\"", "ünï☃", " x", "-", "$HOME", "%s", "{}", "a,b", "1e3"]
"""Passwords that YAML, or a text with commas, might take for something else."""


def external(**more: Any) -> Database:
    return Database(mode=DatabaseMode.EXTERNAL, url="http://192.168.1.9:8086", **more)


def loaded(setup: Setup) -> Settings:
    """Return what the exporter takes from the file, which is written as `prepare` writes it."""
    write(exporter_settings.files(setup))
    if setup.options.database.mode is DatabaseMode.INTERNAL:
        setup.layout.places.writer_token.write_text("the writer's")
    return load(setup.layout.places.exporter, {})


def test_our_own_influxdb(tmp_path: Path) -> None:
    setup = setup_in(tmp_path, Options(database=Database(retention_days=30, rollup_retention_days=400)), port=8186)
    settings = loaded(setup)
    target = settings.target
    assert (target.kind, target.url, target.organisation) == (Kind.INFLUXDB2, "http://127.0.0.1:8186", "home")
    assert (target.bucket, target.rollup_bucket) == ("shelly", "shelly_rollups")
    assert (target.token, target.create) == ("the writer's", False)
    assert (target.retention_days, target.rollup_retention_days) == (30, 400)
    assert settings.warnings == ()


def test_the_rest(tmp_path: Path) -> None:
    settings = loaded(setup_in(tmp_path, Options(device_password="of the devices")))
    mqtt = settings.mqtt
    assert (mqtt.host, mqtt.port, mqtt.client_id, mqtt.tls) == ("127.0.0.1", 1883, "shelly-exporter", None)
    assert (mqtt.username, mqtt.password) == ("shelly-exporter", "the broker's")
    assert settings.devices.password == "of the devices"
    assert settings.spool.directory == tmp_path / "data" / "exporter"
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 9433)
    assert settings.time_zone.key == "Europe/Berlin"
    assert settings.instance == "shelly-exporter"


@pytest.mark.parametrize("level", LogLevel)
def test_log_level(tmp_path: Path, level: LogLevel) -> None:
    assert loaded(setup_in(tmp_path, Options(log_level=level))).log.level is ExporterLevel(level.value)


def test_a_time_zone_that_is_set_wins(tmp_path: Path) -> None:
    assert loaded(setup_in(tmp_path, Options(time_zone="America/New_York"))).time_zone.key == "America/New_York"


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (
            external(kind=DatabaseKind.INFLUXDB1, bucket="a", rollup_bucket="b", username="me", password="it"),
            {"kind": Kind.INFLUXDB1, "bucket": "a", "rollup_bucket": "b", "username": "me", "password": "it"},
        ),
        (external(kind=DatabaseKind.INFLUXDB1), {"kind": Kind.INFLUXDB1, "username": None, "password": None}),
        (
            external(organisation="o", token="t"),
            {"kind": Kind.INFLUXDB2, "organisation": "o", "token": "t", "username": None},
        ),
        (external(kind=DatabaseKind.INFLUXDB3, token="t"), {"kind": Kind.INFLUXDB3, "token": "t"}),
    ],
    ids=["InfluxDB 1", "InfluxDB 1 without login", "InfluxDB 2", "InfluxDB 3"],
)
def test_another_database(tmp_path: Path, database: Database, expected: dict[str, Any]) -> None:
    database = replace(database, retention_days=45, reader_token="of Grafana alone")
    target = loaded(setup_in(tmp_path, Options(database=database))).target
    assert {key: getattr(target, key) for key in expected} == expected
    assert (target.url, target.create, target.retention_days) == ("http://192.168.1.9:8086", True, 45)
    assert "of Grafana alone" not in (tmp_path / "run" / "exporter" / "exporter.yaml").read_text()


def test_another_broker(tmp_path: Path) -> None:
    broker = BrokerAccess(internal=False, host="mqtt.lan", port=8884, username=None, password=None, tls=True)
    mqtt = loaded(setup_in(tmp_path, broker=broker)).mqtt
    assert (mqtt.host, mqtt.port, mqtt.username, mqtt.password) == ("mqtt.lan", 8884, None, None)
    assert mqtt.tls == Tls()


@pytest.mark.parametrize("secret", AWKWARD)
def test_awkward_passwords(tmp_path: Path, secret: str) -> None:
    broker = BrokerAccess(internal=False, host="mqtt.lan", port=1883, username="me", password=secret)
    database = external(kind=DatabaseKind.INFLUXDB1, username=secret.strip(), password=secret)
    settings = loaded(setup_in(tmp_path, Options(device_password=secret, database=database), broker=broker))
    assert (settings.mqtt.password, settings.devices.password, settings.target.password) == (secret,) * 3


@pytest.mark.parametrize(
    ("kind", "login", "tls", "zone"),
    itertools.product(DatabaseKind, ("token", "username"), (True, False), (None, "Asia/Kolkata")),
)
def test_every_combination_is_taken(
    tmp_path: Path, kind: DatabaseKind, login: str, tls: bool, zone: str | None
) -> None:
    access: dict[str, Any] = {"token": "t"} if login == "token" else {"username": "me", "password": "it"}
    broker = BrokerAccess(internal=False, host="mqtt.lan", port=1, username="me", password=None, tls=tls)
    options = Options(time_zone=zone, database=external(kind=kind, organisation="o", **access))
    settings = loaded(setup_in(tmp_path, options, broker=broker))
    assert (settings.target.kind.value, settings.mqtt.tls is not None) == (kind.value, tls)
    assert settings.warnings == ()


def test_nothing_is_stored(tmp_path: Path) -> None:
    assert exporter_settings.files(setup_in(tmp_path, Options(database=Database(mode=DatabaseMode.OFF)))) == {}


def test_only_the_exporter_may_read_it(tmp_path: Path) -> None:
    setup = setup_in(tmp_path)
    loaded(setup)
    assert stat.S_IMODE(setup.layout.places.exporter.stat().st_mode) == 0o600
    (file,) = exporter_settings.files(replace(setup, layout=replace(setup.layout, accounts=Accounts()))).values()
    assert file.owner == "shelly-exporter"


def test_command(tmp_path: Path) -> None:
    setup = setup_in(tmp_path)
    program, *arguments = exporter_settings.command(setup)
    assert program == "shelly-exporter"
    parsed = _parser({}).parse_args(arguments)
    assert (parsed.config, parsed.command) == (setup.layout.places.exporter, "run")
