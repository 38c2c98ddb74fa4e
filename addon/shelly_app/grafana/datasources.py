"""Where Grafana finds the readings: two buckets of one InfluxDB, asked in InfluxQL, with rights to read only."""

from collections.abc import Mapping
from typing import Any

from shelly_app.options import Database, DatabaseKind, DatabaseMode
from shelly_app.setup import Setup

READINGS = "shelly-influxdb"
"""What boards and alerts call the source of readings."""
ROLLUPS = "shelly-rollups"
"""What they call the source of hourly and daily energy."""

_PRODUCTS = {
    DatabaseKind.INFLUXDB1: "InfluxDB OSS 1.x",
    DatabaseKind.INFLUXDB2: "InfluxDB OSS 2.x",
    DatabaseKind.INFLUXDB3: "InfluxDB OSS 3.x",
}
_HEADER = ("httpHeaderName1", "httpHeaderValue1")
"""How Grafana is told a header of its own: its name, and apart from it what must stay secret."""


def document(setup: Setup) -> Mapping[str, Any]:
    """Return the file that sets up both; those that leave it are removed from Grafana."""
    database = setup.options.database
    if database.mode is DatabaseMode.INTERNAL:
        database, access = Database(url=f"http://127.0.0.1:{setup.layout.ports.influxdb}"), _own(setup)
    else:
        access = _external(database)
    return {
        "apiVersion": 1,
        "prune": True,
        "datasources": [
            _source("Shelly", READINGS, database, database.bucket, access, default=True),
            _source("Shelly rollups", ROLLUPS, database, database.rollup_bucket, access, default=False),
        ],
    }


def _source(
    name: str, uid: str, database: Database, bucket: str, access: Mapping[str, Any], *, default: bool
) -> Mapping[str, Any]:
    settings = {
        "product": _PRODUCTS[database.kind],
        "version": "InfluxQL",
        "dbName": _literal(bucket),
        "httpMode": "POST",
        "maxSeries": 1000,
        **access.get("jsonData", {}),
    }
    return {
        "name": name,
        "uid": uid,
        "orgId": 1,
        "type": "influxdb",
        "access": "proxy",
        "url": _literal(str(database.url)),
        "isDefault": default,
        "editable": False,
        **access,
        "jsonData": settings,
    }


def _own(setup: Setup) -> Mapping[str, Any]:
    """Return access to our InfluxDB. It makes the token at its very first start, so Grafana is told the file only."""
    return _token(f"$__file{{{setup.layout.places.grafana / 'token'}}}")


def _external(database: Database) -> Mapping[str, Any]:
    """Return the reader's access, if there is one; else the writer's."""
    if database.reader_token is not None:
        return _token(_literal(database.reader_token))
    if database.reader_username is not None:
        return _login(database.reader_username, database.reader_password)
    if database.token is not None:
        return _token(_literal(database.token))
    if database.username is not None:
        return _login(database.username, database.password)
    return {}


def _token(token: str) -> Mapping[str, Any]:
    name, value = _HEADER
    return {"jsonData": {name: "Authorization"}, "secureJsonData": {value: f"Token {token}"}}


def _login(username: str, password: str | None) -> Mapping[str, Any]:
    secret = {} if password is None else {"secureJsonData": {"password": _literal(password)}}
    return {"user": _literal(username), **secret}


def _literal(text: str) -> str:
    """Return `text` so that Grafana, which takes `$` for a variable, reads it as it is."""
    return text.replace("$", "$$")
