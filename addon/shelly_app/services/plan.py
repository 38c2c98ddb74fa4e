"""Which services run, and how: decided once, from what is set."""

from collections.abc import Mapping

from shelly_app import database, exporter_settings, gateway, grafana
from shelly_app.broker import configuration as broker
from shelly_app.files import File, Files
from shelly_app.options import DatabaseMode
from shelly_app.setup import Setup

from .service import Folder, Service, text


def files(setup: Setup) -> Files:
    """Return the file with all services."""
    return {setup.layout.places.services: File(text=text(plan(setup)))}


def plan(setup: Setup) -> tuple[Service, ...]:
    """Return all services, also those that are switched off."""
    return (
        _mosquitto(setup),
        _control(setup),
        _exporter(setup),
        _gateway(setup),
        _influxdb(setup),
        _database(setup),
        _grafana(setup),
    )


def _mosquitto(setup: Setup) -> Service:
    places = setup.layout.places
    return Service(
        name="mosquitto",
        enabled=setup.broker.internal,
        argv=broker.command(setup) if setup.broker.internal else (),
        user=setup.layout.accounts.mosquitto,
        environment=_environment(setup),
        ready=setup.layout.ports.mqtt,
        folders=(Folder(path=places.mosquitto_data),),
    )


def _control(setup: Setup) -> Service:
    return Service(
        name="control",
        enabled=True,
        argv=("shelly-app", "control"),
        user=setup.layout.accounts.control,
        environment=_environment(setup),
        keeps=("SUPERVISOR_TOKEN",),
        ready=setup.layout.ports.control,
        # Mosquitto reaches the socket in it; nobody else may list what there is.
        folders=(Folder(path=setup.layout.places.control_socket.parent, mode=0o711),),
    )


def _exporter(setup: Setup) -> Service:
    places = setup.layout.places
    enabled = setup.options.database.mode is not DatabaseMode.OFF
    return Service(
        name="exporter",
        enabled=enabled,
        argv=exporter_settings.command(setup) if enabled else (),
        user=setup.layout.accounts.exporter,
        environment=_environment(setup),
        ready=setup.layout.ports.exporter,
        waits_for=(places.writer_token,) if _has_database(setup) else (),
        folders=(Folder(path=places.exporter_data),),
    )


def _gateway(setup: Setup) -> Service:
    ports = setup.layout.ports
    https = not setup.home.supervised and setup.home.certificate is not None
    return Service(
        name="gateway",
        enabled=True,
        argv=gateway.command(setup),
        user=setup.layout.accounts.nginx,
        environment=_environment(setup),
        ready=ports.https if https else ports.gateway,
        folders=(Folder(path=setup.layout.places.nginx),),
    )


def _influxdb(setup: Setup) -> Service:
    enabled = _has_database(setup)
    data = setup.layout.places.influxdb_data
    return Service(
        name="influxdb",
        enabled=enabled,
        argv=database.command(setup) if enabled else (),
        user=setup.layout.accounts.influxdb,
        environment=_environment(setup, database.environment(setup) if enabled else {}),
        ready=setup.layout.ports.influxdb,
        folders=(Folder(path=data),),
    )


def _database(setup: Setup) -> Service:
    """Set InfluxDB up once it answers; as root, because it keeps secrets and hands them to other users."""
    return Service(
        name="database",
        enabled=_has_database(setup),
        argv=("shelly-app", "database"),
        environment=_environment(setup),
    )


def _grafana(setup: Setup) -> Service:
    places = setup.layout.places
    enabled = grafana.enabled(setup)
    return Service(
        name="grafana",
        enabled=enabled,
        argv=grafana.command(setup) if enabled else (),
        user=setup.layout.accounts.grafana,
        environment=_environment(setup),
        ready=setup.layout.ports.grafana,
        waits_for=(places.grafana / "token",) if _has_database(setup) else (),
        folders=(Folder(path=places.grafana_data),),
    )


def _has_database(setup: Setup) -> bool:
    return setup.options.database.mode is DatabaseMode.INTERNAL


def _environment(setup: Setup, more: Mapping[str, str] | None = None) -> Mapping[str, str]:
    return {"HOME": "/", "LANG": "C.UTF-8", "TZ": setup.time_zone, **(more or {})}
