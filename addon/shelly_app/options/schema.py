"""Every option: what it may be, how it is called, and what is said when it is wrong."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import voluptuous as vol

from . import logins, values
from .model import BrokerMode, DatabaseKind, DatabaseMode, LogLevel, Role, TlsMode

type Values = Mapping[str, Any]
"""What was given, by key such as `mqtt.tls.mode`."""
type Label = Callable[[str], str]
"""Returns a key as people find it."""

_price = values.number("price", 0, 100_000)
_voltage = values.number("voltage", 50, 500)

KEYS: Mapping[str, values.Validator[Any]] = {
    "log_level": values.choice(LogLevel, "log level"),
    "time_zone": values.zone,
    "device_password": values.secret,
    "mqtt.mode": values.choice(BrokerMode, "broker"),
    "mqtt.host": values.host,
    "mqtt.port": values.whole("port", 1, 65535),
    "mqtt.username": values.text,
    "mqtt.password": values.secret,
    "mqtt.tls.mode": values.choice(TlsMode, "kind of encryption"),
    "mqtt.tls.certfile": values.file_name,
    "mqtt.tls.keyfile": values.file_name,
    "mqtt.tls.cafile": values.file_name,
    "mqtt.tls.require_certificate": values.boolean,
    "mqtt.devices": values.several(logins.device),
    "mqtt.logins": values.several(logins.login),
    "database.mode": values.choice(DatabaseMode, "place for readings"),
    "database.retention_days": values.whole("number of days", 30, 90),
    "database.rollup_retention_days": values.whole("number of days", 0, 36500),
    "database.kind": values.choice(DatabaseKind, "kind of database"),
    "database.url": values.url,
    "database.organisation": values.text,
    "database.bucket": values.bucket,
    "database.rollup_bucket": values.bucket,
    "database.username": values.text,
    "database.password": values.secret,
    "database.token": values.secret,
    "database.reader_username": values.text,
    "database.reader_password": values.secret,
    "database.reader_token": values.secret,
    "boards.enabled": values.boolean,
    "boards.role": values.choice(Role, "role"),
    "boards.price_per_kwh": _price,
    "boards.export_price_per_kwh": _price,
    "alerts.enabled": values.boolean,
    "alerts.offline_minutes": values.whole("number of minutes", 1, 1440),
    "alerts.voltage_min": _voltage,
    "alerts.voltage_max": _voltage,
    "alerts.breaker_a": values.number("rating in A", 1, 1000),
}
SECRETS = tuple(key for key, validator in KEYS.items() if validator is values.secret)
"""The options that are never shown and may be in a file of their own."""
SECTIONS = tuple(dict.fromkeys(key.rpartition(".")[0] for key in KEYS if "." in key))

_SCHEMA = vol.Schema(dict(KEYS))


def flattened(document: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what `document` gives by key, whether there is such a key or not; what is empty is not given."""
    for name, value in document.items():
        key = f"{section}{name}"
        if key in SECTIONS and isinstance(value, Mapping):
            yield from flattened(value, f"{key}.")
        elif value not in (None, ""):
            yield key, value


def validate(given: Values, label: Label) -> tuple[dict[str, Any], Mapping[str, list[str]]]:
    """Return what the options mean that are right, and the problems with the others by their keys."""
    problems: dict[str, list[str]] = {key: [_unknown(key)] for key in given if key not in KEYS}
    try:
        return _SCHEMA({key: raw for key, raw in given.items() if key in KEYS}), problems
    except vol.MultipleInvalid as error:
        for each in error.errors:
            problems.setdefault(str(each.path[0]), []).append(f"{_place(each.path, label)}: {_message(each)}")
    return _SCHEMA({key: raw for key, raw in given.items() if key not in problems}), problems


def _place(path: Iterable[Any], label: Label) -> str:
    """Return where it is: `mqtt.logins, entry 2, publish, entry 1`."""
    key, *rest = path
    return ", ".join([label(str(key)), *(f"entry {step + 1}" if isinstance(step, int) else str(step) for step in rest)])


def _message(error: vol.Invalid) -> str:
    last = error.path[-1]
    if len(error.path) > 1 and isinstance(last, str) and last not in logins.PARTS:
        return f"is no part of a login: there are {', '.join(logins.PARTS)}"
    return str(error.msg)


def _unknown(key: str) -> str:
    if key in SECTIONS:
        return f"{key}: is a section: write its options below it, indented, such as {_below(key)[0]}"
    section, _, name = key.rpartition(".")
    siblings = {each.rpartition(".")[2]: each for each in _below(section)}
    if (near := values.nearest(name, siblings)) is not None:
        return f"{key}: is no option: did you mean {siblings[near]}?"
    if elsewhere := [each for each in KEYS if each.rpartition(".")[2] == name]:
        return f"{key}: is no option: did you mean {' or '.join(elsewhere)}?"
    return f"{key}: is no option: there are {', '.join(siblings)}"


def _below(section: str) -> list[str]:
    """Return the keys and sections right below a section."""
    return [key for key in (*KEYS, *SECTIONS) if key.rpartition(".")[0] == section]
