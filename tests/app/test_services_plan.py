"""Which services run under which options, and as whom."""

from dataclasses import replace
from pathlib import Path

import pytest

from shelly_app import services
from shelly_app.options import Boards, Database, DatabaseKind, DatabaseMode, Options
from shelly_app.places import Layout, Places
from shelly_app.secret_store import SecretStore
from shelly_app.services.plan import plan
from shelly_app.services.service import Service, load
from shelly_app.setup import BrokerAccess, Home, Setup

ALL = {"control", "database", "exporter", "gateway", "grafana", "influxdb", "mosquitto"}
EXTERNAL = Database(mode=DatabaseMode.EXTERNAL, kind=DatabaseKind.INFLUXDB1, url="http://db:8086")


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """As after a first installation, with all that is there."""
    places = Places(data=tmp_path / "data", config=tmp_path / "config", run=tmp_path / "run", ssl=tmp_path / "ssl")
    return Setup(
        options=Options(),
        secrets=SecretStore(places.secrets).load(),
        layout=Layout(places=places),
        home=Home(supervised=True, time_zone="Europe/Berlin"),
        broker=BrokerAccess(internal=True, host="127.0.0.1", port=1883, username="shelly-exporter", password="p"),
    )


def planned(setup: Setup) -> dict[str, Service]:
    return {service.name: service for service in plan(setup)}


def enabled(setup: Setup) -> set[str]:
    return {service.name for service in plan(setup) if service.enabled}


def test_each_service_of_the_image_is_planned(setup: Setup) -> None:
    assert set(planned(setup)) == ALL
    assert enabled(setup) == ALL


@pytest.mark.parametrize(
    ("options", "off"),
    [
        (Options(database=EXTERNAL), {"influxdb", "database"}),
        (Options(database=Database(mode=DatabaseMode.OFF)), {"influxdb", "database", "grafana", "exporter"}),
        (Options(boards=Boards(enabled=False)), {"grafana"}),
    ],
    ids=["external database", "no database", "no boards"],
)
def test_what_is_not_needed_is_off(setup: Setup, options: Options, off: set[str]) -> None:
    assert enabled(replace(setup, options=options)) == ALL - off


def test_another_broker_in_place_of_ours(setup: Setup) -> None:
    foreign = replace(setup.broker, internal=False, host="core-mosquitto")
    assert enabled(replace(setup, broker=foreign)) == ALL - {"mosquitto"}


def test_only_control_gets_the_token_of_supervisor(setup: Setup) -> None:
    assert {name for name, service in planned(setup).items() if service.keeps} == {"control"}
    assert planned(setup)["control"].keeps == ("SUPERVISOR_TOKEN",)


def test_everybody_knows_the_time_zone(setup: Setup) -> None:
    assert {service.environment["TZ"] for service in plan(setup)} == {"Europe/Berlin"}


def test_only_what_hands_secrets_to_others_runs_as_root(setup: Setup) -> None:
    users = [service.user for service in plan(setup)]
    assert {service.name for service in plan(setup) if service.user is None} == {"database"}
    assert len(set(users)) == len(users), "each has a user of its own"


def test_history_is_waited_for_by_those_that_need_its_tokens_only(setup: Setup) -> None:
    places = setup.layout.places
    waiting = {name: service.waits_for for name, service in planned(setup).items() if service.waits_for}
    assert waiting == {"exporter": (places.writer_token,), "grafana": (places.grafana / "token",)}
    external = replace(setup, options=Options(database=EXTERNAL))
    assert not any(service.waits_for for service in plan(external))


@pytest.mark.parametrize(
    ("home", "port"),
    [
        (Home(supervised=True), 8099),
        (Home(supervised=False), 8099),
        (Home(supervised=False, certificate=("cert.pem", "key.pem")), 8443),
    ],
    ids=["supervised", "alone", "alone with a certificate"],
)
def test_the_gateway_is_ready_when_its_port_is_open(setup: Setup, home: Home, port: int) -> None:
    assert planned(replace(setup, home=home))["gateway"].ready == port


def test_mosquitto_reaches_the_socket_of_control(setup: Setup) -> None:
    folders = {folder.path: folder.mode for folder in planned(setup)["control"].folders}
    assert folders[setup.layout.places.control_socket.parent] == 0o711


def test_all_other_folders_are_closed_and_none_is_shared(setup: Setup) -> None:
    folders = [(folder.path, folder.mode) for service in plan(setup) for folder in service.folders]
    assert {mode for path, mode in folders if path != setup.layout.places.control_socket.parent} == {0o700}
    assert len(dict(folders)) == len(folders)


def test_the_plan_is_written_without_secrets(setup: Setup) -> None:
    ((path, file),) = services.files(setup).items()
    assert (path, file.mode) == (setup.layout.places.services, 0o600)
    secrets = [getattr(setup.secrets, name) for name in setup.secrets.__slots__]
    assert not [value for value in secrets if isinstance(value, str) and value in file.text]
    path.parent.mkdir()
    path.write_text(file.text)
    assert load(path) == planned(setup)
