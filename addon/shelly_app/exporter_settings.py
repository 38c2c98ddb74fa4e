"""What the exporter is told, in the format of its own file of settings (exporter.example.yaml)."""

from collections.abc import Mapping

import yaml

from .database.settings import ORGANISATION, READINGS, ROLLUPS
from .files import File, Files
from .options import DatabaseMode
from .setup import Setup

_NAME = "shelly-exporter"
"""Its client id at the broker, which names its session there; ACLs and boards know it by this name, too."""

type _Section = Mapping[str, str | int | bool | None]


def files(setup: Setup) -> Files:
    """Return the file; nothing when readings are not stored."""
    if setup.options.database.mode is DatabaseMode.OFF:
        return {}
    sections = {name: _given(section) for name, section in _sections(setup).items()}
    document = {"time_zone": setup.time_zone, "instance": _NAME, **sections}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
    return {setup.layout.places.exporter: File(text=text, owner=setup.layout.accounts.exporter)}


def command(setup: Setup) -> tuple[str, ...]:
    """Return how the exporter is started; it stays in the foreground."""
    return ("shelly-exporter", "--config", str(setup.layout.places.exporter), "run")


def _sections(setup: Setup) -> Mapping[str, _Section]:
    broker, places = setup.broker, setup.layout.places
    return {
        "mqtt": {
            "host": broker.host,
            "port": broker.port,
            "username": broker.username,
            "password": broker.password,
            "client_id": _NAME,
            "tls": broker.tls,
        },
        "devices": {"password": setup.options.device_password},
        "influxdb": _internal(setup) if _is_internal(setup) else _external(setup),
        # Many a home runs from an SD card, which does not like to be written to fifty times a second.
        "spool": {"directory": str(places.exporter_data), "commit_ms": 200},
        "web": {"host": "127.0.0.1", "port": setup.layout.ports.exporter},
        "log": {"level": setup.options.log_level},
    }


def _is_internal(setup: Setup) -> bool:
    return setup.options.database.mode is DatabaseMode.INTERNAL


def _internal(setup: Setup) -> _Section:
    """Return our own InfluxDB, in which `database` makes the buckets: the exporter's token may write only."""
    return {
        "kind": "influxdb2",
        "url": f"http://127.0.0.1:{setup.layout.ports.influxdb}",
        "organisation": ORGANISATION,
        "token_file": str(setup.layout.places.writer_token),
        "bucket": READINGS,
        "rollup_bucket": ROLLUPS,
        "create": False,
        **_retention(setup),
    }


def _external(setup: Setup) -> _Section:
    database = setup.options.database
    return {
        "kind": database.kind,
        "url": database.url,
        "organisation": database.organisation,
        "token": database.token,
        "username": database.username,
        "password": database.password,
        "bucket": database.bucket,
        "rollup_bucket": database.rollup_bucket,
        **_retention(setup),
    }


def _retention(setup: Setup) -> _Section:
    database = setup.options.database
    return {"retention_days": database.retention_days, "rollup_retention_days": database.rollup_retention_days}


def _given(section: _Section) -> _Section:
    """Return what has a value, as plain values of YAML."""
    return {key: str(value) if isinstance(value, str) else value for key, value in section.items() if value is not None}
