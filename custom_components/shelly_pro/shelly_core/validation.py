"""Is what a component reports of the right type and physically possible? One table, by kind and field.

What fails is rejected whole, with the reason. The limits are wide: they catch broken data, not rare readings.
A field that the table does not name may hold anything, since nothing reads it.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self

WRONG_TYPE = "wrong type"
OUT_OF_RANGE = "out of range"
WRONG_ID = "wrong id"


class Rejection(NamedTuple):
    """Why the status of component `key` was not taken; `field` is `None` where all of it is at fault."""

    key: str
    field: str | None
    reason: str
    value: Any


class Rule(NamedTuple):
    """What a field may hold. Null is always allowed: it is a value, or says that the field is gone."""

    types: frozenset[type]
    low: float = 0
    high: float = 0
    gone_when_null: bool = False
    """Null in a notification removes the field, because it is only there while it means something."""
    inner: Mapping[str, Rule] | None = None
    """The rules of an object's fields."""
    items: Rule | None = None
    """The rule of each item of a list, or of each value of an object that has no fixed fields."""

    def refuse(self, value: Any) -> str | None:
        """Return why this field cannot hold `value`, `None` if it can."""
        if value is None:
            return None
        kind = type(value)
        if kind not in self.types:
            return WRONG_TYPE
        if kind is float or kind is int:
            return None if self.low <= value <= self.high else OUT_OF_RANGE
        if self.inner is not None:
            return _first(rule.refuse(value.get(name)) for name, rule in self.inner.items())
        if self.items is not None:
            return _first(map(self.items.refuse, value.values() if kind is dict else value))
        return None


def _first(reasons: Iterable[str | None]) -> str | None:
    return next((reason for reason in reasons if reason is not None), None)


_NUMBERS = frozenset((float, int))


def _number(low: float, high: float) -> Rule:
    return Rule(_NUMBERS, low, high)


_FLAG = Rule(frozenset((bool,)))
_TEXT = Rule(frozenset((str,)))
_NAMES = Rule(frozenset((list,)), gone_when_null=True, items=_TEXT)

# A Pro 3EM measures up to 280 V and, with the largest clamps, 400 A a phase; what is beyond is reported with an error
# "out_of_range", so the limits leave room for it.
_VOLTAGE_V = _number(0, 1_000)
_CURRENT_A = _number(0, 2_000)
_POWER_W = _number(-1_000_000, 1_000_000)
_PF = _number(-1.05, 1.05)
_FREQ_HZ = _number(0, 100)
_ENERGY_WH = _number(0, 1e13)
_TEMPERATURE_C = _number(-100, 200)
_TS = _number(0, 1e11)
_SECONDS = _number(0, 1e10)
_COUNT = _number(0, 2**53)
_OFFSET_S = _number(-86_400, 86_400)
_RSSI_DBM = _number(-150, 50)


def _object(**inner: Rule) -> Rule:
    return Rule(frozenset((dict,)), gone_when_null=True, inner=inner)


_COUNTS = ("on_time", "on_time_rst_ts", "switch_on", "switch_on_rst_ts", "on_above_thr", "on_above_thr_rst_ts")
_PHASE_READING = {
    "current": _CURRENT_A,
    "voltage": _VOLTAGE_V,
    "act_power": _POWER_W,
    "aprt_power": _POWER_W,
    "pf": _PF,
    "freq": _FREQ_HZ,
}
_PHASE_ENERGY = {"total_act_energy": _ENERGY_WH, "total_act_ret_energy": _ENERGY_WH}


def _by_phase(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    return {f"{phase}_{field}": rule for phase in "abc" for field, rule in rules.items()}


RULES: Mapping[str, Mapping[str, Rule]] = {
    "switch": {
        "output": _FLAG,
        "source": _TEXT,
        "temperature": _object(tC=_TEMPERATURE_C),
        "timer_started_at": _TS._replace(gone_when_null=True),
        "timer_duration": _SECONDS._replace(gone_when_null=True),
        "errors": _NAMES,
        "counts": _object(**dict.fromkeys(_COUNTS, _COUNT)),
        "apower": _POWER_W,
        "voltage": _VOLTAGE_V,
        "current": _CURRENT_A,
        "pf": _PF,
        "freq": _FREQ_HZ,
        "aenergy": _object(total=_ENERGY_WH),
        "ret_aenergy": _object(total=_ENERGY_WH),
    },
    "input": {"state": _FLAG},
    "em": {
        **_by_phase({**_PHASE_READING, "errors": _NAMES}),
        "n_current": _CURRENT_A,
        "n_errors": _NAMES,
        "total_current": _CURRENT_A,
        "total_act_power": _POWER_W,
        "total_aprt_power": _POWER_W,
        "errors": _NAMES,
    },
    "emdata": {
        **_by_phase(_PHASE_ENERGY),
        "total_act": _ENERGY_WH,
        "total_act_ret": _ENERGY_WH,
        "errors": _NAMES,
    },
    "em1": {**_PHASE_READING, "calibration": _TEXT, "errors": _NAMES, "flags": _NAMES},
    "em1data": {**_PHASE_ENERGY, "errors": _NAMES},
    "temperature": {"tC": _TEMPERATURE_C, "errors": _NAMES},
    "sys": {
        "mac": _TEXT,
        "restart_required": _FLAG,
        "unixtime": _TS,
        "last_sync_ts": _TS,
        "uptime": _SECONDS,
        **dict.fromkeys(("ram_size", "ram_free", "fs_size", "fs_free", "cfg_rev", "reset_reason"), _COUNT),
        "available_updates": Rule(frozenset((dict,)), items=_object(version=_TEXT)),
        "utc_offset": _OFFSET_S,
    },
    "wifi": {"sta_ip": _TEXT, "status": _TEXT, "ssid": _TEXT, "rssi": _RSSI_DBM},
    "eth": {"ip": _TEXT},
    "mqtt": {"connected": _FLAG},
    "cloud": {"connected": _FLAG},
}
MAX_ID_DIGITS = 4
_ID = _number(0, 10**MAX_ID_DIGITS - 1)


class Table(NamedTuple):
    """The rules of one kind of component, sorted by how they are used."""

    rules: Mapping[str, Rule]
    bounds: Mapping[str, tuple[float, float]]
    """Of the fields that are nothing but a number. Nearly all are, so `check` takes them without detours."""
    layered: Mapping[str, Rule]
    """Of the fields that do not simply take the value of a notification: see `device.overlay`."""

    @classmethod
    def of(cls, rules: Mapping[str, Rule]) -> Self:
        """Sort the rules of one kind."""
        layered = {field: rule for field, rule in rules.items() if rule.gone_when_null or dict in rule.types}
        bounds = {field: (float(rule.low), float(rule.high)) for field, rule in rules.items() if rule.types == _NUMBERS}
        return cls(rules, bounds, layered)


_SINGLE = frozenset({"sys", "wifi", "eth", "mqtt", "cloud"})
"""The components of which a device has one, without a number."""

_NO_TABLE = Table.of({})
_TABLES = {kind: Table.of(rules if kind in _SINGLE else {**rules, "id": _ID}) for kind, rules in RULES.items()}


@lru_cache(maxsize=512)
def table_of(key: str) -> tuple[str, int, Table]:
    """Return kind, id and rules of component `key`, as `em:0`; the kind is "" and the rules none if it has no table."""
    kind, colon, number = key.partition(":")
    table = _TABLES.get(kind)
    if table is None or (kind in _SINGLE) is bool(colon):
        return "", 0, _NO_TABLE
    if not colon:
        return kind, 0, table
    if not number.isdecimal() or not number.isascii() or len(number) > MAX_ID_DIGITS:
        return "", 0, _NO_TABLE
    return kind, int(number), table


def check(key: str, raw: Any) -> Rejection | None:
    """Return why `raw`, all or part of the status of component `key`, cannot be taken; `None` if it can."""
    if type(raw) is not dict:
        return Rejection(key, None, WRONG_TYPE, raw)
    _, number, table = table_of(key)
    # A notification may lack the id; the key has it anyway.
    if raw.get("id", number) != number and "id" in table.bounds:
        return Rejection(key, "id", WRONG_ID, raw["id"])
    rules, bounds, _ = table
    try:
        for field, value in raw.items():
            low, high = bounds[field]
            if type(value) is float or type(value) is int:
                if not low <= value <= high:
                    return Rejection(key, field, OUT_OF_RANGE, value)
            elif value is not None:
                return Rejection(key, field, WRONG_TYPE, value)
    except KeyError:
        return _check_each(key, raw, rules)
    return None


def _check_each(key: str, raw: Mapping[str, Any], rules: Mapping[str, Rule]) -> Rejection | None:
    """As `check`, for a component with fields that are not numbers, or that the table does not name."""
    for field, value in raw.items():
        rule = rules.get(field)
        if rule is not None and (reason := rule.refuse(value)) is not None:
            return Rejection(key, field, reason, value)
    return None
