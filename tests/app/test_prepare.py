"""From options to files, and what the servers say to them."""

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from shelly_app import handouts, prepare
from shelly_app.broker.certificates import client_paths
from shelly_app.options import BrokerMode, DatabaseMode, TlsMode
from shelly_app.places import NOBODY_ELSE, Layout, Places, Ports
from shelly_app.services.service import load
from shelly_exporter.settings.source import load as load_exporter
from tests.app.pairwise import FACTORS, combinations, document, rows
from tests.stack import REPOSITORY
from tests.stack.processes import Process, free_port
from tests.stack.server import Server, program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelly_app.options import Options

ROWS = rows(FACTORS)
SECRET_FILES = 0o077


def layout_in(directory: Path) -> Layout:
    """Return a layout below `directory`, on free ports, for whoever runs the tests."""
    places = Places(
        data=directory / "data",
        config=directory / "config",
        ssl=directory / "ssl",
        run=directory / "run",
        boards=REPOSITORY / "addon" / "grafana" / "boards",
        auth_plugin=None,
    )
    names = ("mqtt", "mqtts", "gateway", "https", "influxdb", "grafana", "exporter", "control")
    ports = Ports(**{name: free_port() for name in names})
    return Layout(places=places, ports=ports, accounts=NOBODY_ELSE, host="127.0.0.1")


def prepared(directory: Path, options: dict[str, Any]) -> Layout:
    """Prepare the app without Supervisor; the options are in the person's file."""
    layout = layout_in(directory)
    layout.places.config.mkdir(parents=True)
    (layout.places.config / "options.yaml").write_text(yaml.safe_dump(options))
    assert prepare.main({}, layout) == 0
    return layout


async def ended_well(name: str, argv: Sequence[str | Path], log: Path) -> None:
    async with Process(name, argv, log=log) as process:
        assert await process.ended() == 0, process.tail()


@pytest.fixture(scope="module")
def own_certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate, key and authority of a person, made by the app itself."""
    folder = tmp_path_factory.mktemp("own")
    layout = prepared(folder, {"mqtt": {"mode": "internal", "tls": {"mode": "generated"}}})
    made = layout.places.certificates
    layout.places.ssl.mkdir()
    for name, source in (("fullchain", "server.pem"), ("privkey", "server.key"), ("ca", "ca.pem")):
        (layout.places.ssl / f"{name}.pem").write_text((made / source).read_text())
    return layout.places.ssl


@pytest.mark.parametrize("number", range(len(ROWS)))
async def test_servers_take_every_combination(tmp_path: Path, number: int, own_certificates: Path) -> None:
    (tmp_path / "ssl").symlink_to(own_certificates)
    options = combinations()[number]
    layout = await asyncio.to_thread(prepared, tmp_path, document(ROWS[number]))
    services = load(layout.places.services)
    for folder in (folder for service in services.values() for folder in service.folders):
        folder.path.mkdir(parents=True, exist_ok=True)
    nginx, *arguments = services["gateway"].argv
    await ended_well("nginx", (program(nginx), *arguments, "-t"), tmp_path / "nginx.log")
    await _broker_takes(options, layout, services["mosquitto"].argv)
    _exporter_takes(options, layout)
    _grafana_files_are_whole(options, layout)


async def _broker_takes(options: Options, layout: Layout, argv: Sequence[str]) -> None:
    assert bool(argv) == (options.mqtt.mode is not BrokerMode.EXTERNAL)
    if argv:
        ports = layout.ports
        encrypted = options.mqtt.tls.mode is not TlsMode.OFF
        # The second listener is opened after the first.
        waited_for = ports.mqtts if encrypted else ports.mqtt
        mosquitto = (program(argv[0]), *argv[1:])
        async with Server("Mosquitto", layout.places.run.parent, waited_for, mosquitto) as broker:
            assert "Error" not in broker.process.tail(100)


def _exporter_takes(options: Options, layout: Layout) -> None:
    assert layout.places.exporter.exists() == (options.database.mode is not DatabaseMode.OFF)
    if options.database.mode is DatabaseMode.INTERNAL:
        layout.places.writer_token.write_text("made by InfluxDB")
    if options.database.mode is not DatabaseMode.OFF:
        assert load_exporter(layout.places.exporter, {}).target.retention_days == options.database.retention_days


def _grafana_files_are_whole(options: Options, layout: Layout) -> None:
    documents = sorted(layout.places.grafana.rglob("*.yaml"))
    boards = sorted(layout.places.grafana.rglob("*.json"))
    wanted = options.boards.enabled and options.database.mode is not DatabaseMode.OFF
    assert (len(documents) >= 4, len(boards) >= 3) == (wanted, wanted)
    assert all(yaml.safe_load(path.read_text()) for path in documents)
    assert all(json.loads(path.read_text())["schemaVersion"] == 42 for path in boards)


def test_only_the_owner_may_read_what_is_secret(tmp_path: Path) -> None:
    device = "shellypro3em-3ce90e6ff1a0"
    layout = prepared(tmp_path, {"mqtt": {"devices": [device]}, "device_password": "of the devices"})
    kept = [path.read_text() for path in layout.places.secrets.rglob("*") if path.is_file()]
    secrets = [*kept, "of the devices"]
    assert len(secrets) > 7
    found = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_mode & SECRET_FILES]
    telling = [path for path in found if any(secret in path.read_text() for secret in secrets)]
    # A person's own file of options is theirs to protect.
    assert telling == [layout.places.config / "options.yaml"]


def test_people_get_what_they_have_to_enter_elsewhere(tmp_path: Path) -> None:
    device = "shellypro3em-3ce90e6ff1a0"
    layout = prepared(tmp_path, {"mqtt": {"devices": [device], "tls": {"mode": "generated"}}})
    places = layout.places
    logins = yaml.safe_load((places.config / handouts.LOGINS).read_text())
    assert set(logins) == {device, "homeassistant"}
    assert logins[device] == (places.secrets / "devices" / device).read_text()
    assert (places.config / handouts.AUTHORITY).read_text().startswith("-----BEGIN CERTIFICATE-----")
    password = (places.config / handouts.GRAFANA_PASSWORD).read_text().strip()
    assert password == (places.secrets / "grafana_admin_password").read_text()


def test_a_certificate_that_clients_must_show_is_handed_out(tmp_path: Path) -> None:
    layout = prepared(tmp_path, {"mqtt": {"tls": {"mode": "generated", "require_certificate": True}}})
    for handed_out, made in zip(handouts.CLIENT, client_paths(layout.places), strict=True):
        path = layout.places.config / handed_out
        assert path.read_text() == made.read_text()
        assert path.stat().st_mode & SECRET_FILES == 0


def test_nobody_needs_anything_of_parts_that_are_not_there(tmp_path: Path) -> None:
    options = {"mqtt": {"mode": "external", "host": "192.0.2.1"}, "database": {"mode": "off"}}
    layout = prepared(tmp_path, options)
    assert [path.name for path in layout.places.config.iterdir()] == ["options.yaml"]


def test_secrets_stay_the_same(tmp_path: Path) -> None:
    layout = prepared(tmp_path, {"mqtt": {"devices": ["shellypro3em-3ce90e6ff1a0"]}})

    def secrets() -> dict[str, str]:
        return {path.name: path.read_text() for path in layout.places.secrets.rglob("*") if path.is_file()}

    before = secrets()
    assert prepare.main({}, layout) == 0
    assert secrets() == before


def test_what_is_wrong_is_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = layout_in(tmp_path)
    environ = {"APP_DATABASE_RETENTION_DAYS": "7", "APP_MQTT_MODE": "mine"}
    assert prepare.main(environ, layout) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert any("database.retention_days (APP_DATABASE_RETENTION_DAYS)" in line for line in said)
    assert any("mqtt.mode (APP_MQTT_MODE)" in line for line in said)
    assert not layout.places.run.exists()


def test_a_supervisor_that_does_not_answer_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shelly_app.supervisor.facts._PAUSES_S", (0.01,))
    layout = layout_in(tmp_path)
    layout.places.data.mkdir()
    (layout.places.data / "options.json").write_text("{}")
    environ = {"SUPERVISOR_TOKEN": "secret", "SUPERVISOR_URL": f"http://127.0.0.1:{free_port()}"}
    assert prepare.main(environ, layout) == 2
    said = capsys.readouterr().err
    assert "Supervisor" in said
    assert "secret" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is stopped by nothing but what cannot be written")
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = layout_in(tmp_path)
    layout.places.run.write_text("a file in the way")
    assert prepare.main({}, layout) == 2
    assert f"{layout.places.run}" in capsys.readouterr().err
