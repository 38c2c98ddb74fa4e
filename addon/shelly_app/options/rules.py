"""What options mean together: those that contradict each other, and those that are of no use without another."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .model import BrokerMode, DatabaseKind, DatabaseMode, Login, Options, TlsMode
from .schema import Label, Values, flattened

RESERVED = ("homeassistant", "addons", "shelly-exporter")
"""Logins that the app makes itself."""
_DEFAULTS = dict(flattened(asdict(Options())))


@dataclass(frozen=True, slots=True)
class _Given:
    values: Values
    wrong: Collection[str]
    """Keys that were given, but not as they should be."""
    label: Label

    def has(self, key: str) -> bool:
        return key in self.values or key in self.wrong

    def value(self, key: str) -> Any:
        return self.values.get(key, _DEFAULTS.get(key))


def contradictions(values: Values, wrong: Collection[str], label: Label) -> Iterator[str]:
    """Yield the problems that no option has alone; what hangs on the value of a `wrong` one is left for later."""
    given = _Given(values, wrong, label)
    for rule, deciding in _RULES.items():
        if not any(key in wrong for key in deciding):
            yield from rule(given)


def _broker(given: _Given) -> Iterator[str]:
    if given.value("mqtt.mode") is not BrokerMode.EXTERNAL:
        return
    if not given.has("mqtt.host"):
        yield f"{given.label('mqtt.host')}: is not given: give the address of your broker, or set mqtt.mode to auto"
    yield from _half(given, "mqtt.password", "mqtt.username")


def _encryption(given: _Given) -> Iterator[str]:
    if given.value("mqtt.mode") is BrokerMode.EXTERNAL or given.value("mqtt.tls.mode") is not TlsMode.OFF:
        return
    if given.value("mqtt.tls.require_certificate"):
        yield (
            f"{given.label('mqtt.tls.require_certificate')}: has no effect, as connections are not encrypted: "
            f"set {given.label('mqtt.tls.mode')} to generated or own"
        )


def _logins(given: _Given) -> Iterator[str]:
    devices: tuple[str, ...] = given.value("mqtt.devices")
    logins: tuple[Login, ...] = given.value("mqtt.logins")
    for name in _repeated(devices):
        yield f"{given.label('mqtt.devices')}: {name} is there more than once: take the others away"
    names = [login.username for login in logins]
    for name in _repeated(names):
        yield f"{given.label('mqtt.logins')}: {name} is there more than once: write its topics into one login"
    for name in dict.fromkeys(names):
        if name in RESERVED:
            yield f"{given.label('mqtt.logins')}: {name} is a login of the app itself: give another name"
        if name in devices:
            yield f"{given.label('mqtt.logins')}: {name} is in mqtt.devices, which makes a login: take one of them away"


def _database(given: _Given) -> Iterator[str]:
    if given.value("database.mode") is not DatabaseMode.EXTERNAL:
        return
    if not given.has("database.url"):
        remedy = "give the address of your database, or set database.mode to internal"
        yield f"{given.label('database.url')}: is not given: {remedy}"
    if given.value("database.bucket") == given.value("database.rollup_bucket"):
        yield (
            f"{given.label('database.rollup_bucket')}: is the same as database.bucket, so readings and hourly energy "
            "cannot be kept for different times: give another name"
        )


def _influxdb2(given: _Given) -> Iterator[str]:
    if given.value("database.mode") is not DatabaseMode.EXTERNAL:
        return
    if given.value("database.kind") is not DatabaseKind.INFLUXDB2:
        return
    if not given.has("database.organisation"):
        yield f"{given.label('database.organisation')}: is not given: give its name as InfluxDB 2 shows it"
    if not (given.has("database.token") or given.has("database.username")):
        yield f"{given.label('database.token')}: is not given: make one in InfluxDB 2 that may write, and give it here"


def _access(given: _Given) -> Iterator[str]:
    """Yield logins by halves and logins of two kinds at once, as the writer's and as the reader's."""
    if given.value("database.mode") is not DatabaseMode.EXTERNAL:
        return
    for who in ("", "reader_"):
        username, password, token = (f"database.{who}{part}" for part in ("username", "password", "token"))
        yield from _half(given, username, password)
        yield from _half(given, password, username)
        if given.has(token) and given.has(username):
            remedy = "take one of them away, only one can be used"
            yield f"{given.label(token)}: is given together with {given.label(username)}: {remedy}"


def _retention(given: _Given) -> Iterator[str]:
    readings, rollups = given.value("database.retention_days"), given.value("database.rollup_retention_days")
    if 0 < rollups < readings:
        yield (
            f"{given.label('database.rollup_retention_days')}: {rollups} days are fewer than the {readings} of "
            "database.retention_days: give at least as many, or 0 for ever"
        )


def _voltages(given: _Given) -> Iterator[str]:
    low, high = given.value("alerts.voltage_min"), given.value("alerts.voltage_max")
    if low >= high:
        remedy = "give a lower one, or raise the other"
        yield f"{given.label('alerts.voltage_min')}: {low:g} V is not below alerts.voltage_max, {high:g} V: {remedy}"


_RULES = {
    _broker: ("mqtt.mode",),
    _encryption: ("mqtt.mode", "mqtt.tls.mode", "mqtt.tls.require_certificate"),
    _logins: ("mqtt.devices", "mqtt.logins"),
    _database: ("database.mode", "database.bucket", "database.rollup_bucket"),
    _influxdb2: ("database.mode", "database.kind"),
    _access: ("database.mode",),
    _retention: ("database.retention_days", "database.rollup_retention_days"),
    _voltages: ("alerts.voltage_min", "alerts.voltage_max"),
}
"""Each rule, with the keys whose values it decides by."""


def _half(given: _Given, present: str, missing: str) -> Iterator[str]:
    if given.has(present) and not given.has(missing):
        yield f"{given.label(present)}: is given without {given.label(missing)}: both are needed to log in"


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
