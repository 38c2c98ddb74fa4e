"""Every key of the settings: what it may be, what it is called as a variable, and what is said when it is wrong."""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from . import Kind, LogFormat, LogLevel, Protocol, devices, values
from .values import Raw, Validator, nearest

_port = values.whole("port", 1, 65535)
_days = values.whole("number of days", 0, 36500)

KEYS: Mapping[str, Validator] = {
    "mqtt.host": values.host,
    "mqtt.port": _port,
    "mqtt.username": values.text,
    "mqtt.password": values.secret,
    "mqtt.client_id": values.name,
    "mqtt.protocol": values.choice(Protocol, "version of MQTT"),
    "mqtt.tls": values.boolean,
    "mqtt.tls_ca": values.file,
    "mqtt.tls_certificate": values.file,
    "mqtt.tls_key": values.file,
    "mqtt.receive_maximum": values.whole("number of messages", 1, 65534),
    "mqtt.session_expiry_s": values.whole("number of seconds", 60, 2**32 - 1),
    "mqtt.keepalive_s": values.whole("number of seconds", 5, 3600),
    "mqtt.prefixes": devices.prefixes,
    "devices.include": devices.patterns,
    "devices.exclude": devices.patterns,
    "devices.http": values.boolean,
    "devices.password": values.secret,
    "devices.passwords": devices.passwords,
    "devices.addresses": devices.addresses,
    "influxdb.kind": values.choice(Kind, "kind of target"),
    "influxdb.url": values.url("http", "https"),
    "influxdb.organisation": values.text,
    "influxdb.bucket": values.name,
    "influxdb.rollup_bucket": values.name,
    "influxdb.token": values.secret,
    "influxdb.username": values.text,
    "influxdb.password": values.secret,
    "influxdb.retention_days": _days,
    "influxdb.rollup_retention_days": _days,
    "influxdb.create": values.boolean,
    "influxdb.batch_lines": values.whole("number of lines", 1, 50_000),
    "influxdb.batch_s": values.seconds(0.05, 60),
    "influxdb.gzip": values.boolean,
    "spool.directory": values.directory,
    "spool.max_mib": values.whole("number of MiB", 64, 2**20),
    "spool.commit_ms": values.whole("number of milliseconds", 1, 5000),
    "spool.sync": values.boolean,
    "web.host": values.host,
    "web.port": _port,
    "log.format": values.choice(LogFormat, "log format"),
    "log.level": values.choice(LogLevel, "log level"),
    "cluster.group": values.name,
    "cluster.redis_url": values.redis_url,
    "time_zone": values.zone,
    "instance": values.name,
}
SECTIONS = tuple(dict.fromkeys(key.partition(".")[0] for key in KEYS if "." in key))

SECRETS = (
    "mqtt.password",
    "devices.password",
    "devices.passwords",
    "influxdb.token",
    "influxdb.password",
    "cluster.redis_url",
)
SECRET_FILES: Mapping[str, str] = {f"{key}_file": key for key in SECRETS}
"""The keys that name a file with the secret in it, and what they stand for."""
PATHS = frozenset({"mqtt.tls_ca", "mqtt.tls_certificate", "mqtt.tls_key", "spool.directory", *SECRET_FILES})
"""What, in a file of settings, is meant relative to its folder."""
ALL_KEYS = (*KEYS, *SECRET_FILES)

_SCHEMA = vol.Schema(dict(KEYS))


def variable(key: str) -> str:
    """Return the name of the environment variable for `key`."""
    return "SHELLY_" + key.replace(".", "_").upper()


def label(key: str) -> str:
    """Return `key` as people find it in the file and in the environment."""
    return f"{key} ({variable(key)})"


VARIABLES: Mapping[str, str] = {variable(key): key for key in ALL_KEYS}


def validate(given: Mapping[str, Raw]) -> tuple[dict[str, Any], list[str]]:
    """Return what the keys `given` mean, and the problems; those keys are left out of the first."""
    try:
        return _SCHEMA(dict(given)), []
    except vol.MultipleInvalid as error:
        wrong = {str(each.path[0]): each.msg for each in error.errors}
    problems = [f"{label(key)}: {message}" if key in KEYS else unknown(key) for key, message in wrong.items()]
    return _SCHEMA({key: raw for key, raw in given.items() if key not in wrong}), problems


def unknown(key: str) -> str:
    """Return the problem with a key of the file that does not exist."""
    if key in SECTIONS:
        return f"{key}: is a section: write its keys below it, indented, such as {_keys_of(key)[0]}"
    section, _, last = key.rpartition(".")
    siblings = {each.rpartition(".")[2]: each for each in _keys_of(section)}
    if (near := nearest(last, siblings)) is not None:
        return f"{key}: is no setting: did you mean {label(siblings[near])}?"
    if not section and (near := nearest(key, SECTIONS)) is not None:
        return f"{key}: is no section: did you mean {near}?"
    if elsewhere := [each for each in ALL_KEYS if each.rpartition(".")[2] == last]:
        return f"{key}: is no setting: did you mean {' or '.join(map(label, elsewhere))}?"
    return f"{key}: is no setting: there are {', '.join([*siblings, *(() if section else SECTIONS)])}"


def unknown_variable(name: str) -> tuple[str, bool]:
    """Return what to say of a variable SHELLY_… that is none of ours, and whether it is meant for us."""
    near = nearest(name.removeprefix("SHELLY_"), (each.removeprefix("SHELLY_") for each in VARIABLES), cutoff=0.8)
    if near is not None:
        return f"{name}: is no setting: did you mean {label(VARIABLES[f'SHELLY_{near}'])}?", True
    section = name.removeprefix("SHELLY_").partition("_")[0].lower()
    if section in SECTIONS:
        return f"{name}: is no setting: there are {', '.join(map(variable, _keys_of(section)))}", True
    return f"{name}: is no setting, so it is ignored: take it away if it was meant for the exporter", False


def _keys_of(section: str) -> list[str]:
    return [key for key in ALL_KEYS if key.rpartition(".")[0] == section]
