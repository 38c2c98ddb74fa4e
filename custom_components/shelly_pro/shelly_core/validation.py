"""Is what a component reports of the right type and physically possible? One table, by kind and field.

`check` finds the first fault, `sift` leaves out what is at fault and keeps the rest. The limits are wide: they catch
broken data, not rare readings. They follow the clamps of the meter, where these are known: see `limits_for`.
A field that the table does not name may hold anything, since nothing reads it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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


def _whole(low: int, high: int) -> Rule:
    return Rule(frozenset((int,)), low, high)


_FLAG = Rule(frozenset((bool,)))
_TEXT = Rule(frozenset((str,)))
_NAMES = Rule(frozenset((list,)), gone_when_null=True, items=_TEXT)

MAX_VOLTAGE_V = 500.0
"""A Pro 3EM measures up to 280 V; what is beyond is reported with an error "out_of_range", so there is room for it."""
OVERLOAD = 2.0
"""What a clamp may report, as a multiple of the current that it is made for."""
PHASES = 3
_WIDEST_A = 1_000.0
"""The current of clamps larger than any that exist: the largest are for 400 A."""

_VOLTAGE_V = _number(0, MAX_VOLTAGE_V)
_PF = _number(-1.05, 1.05)
_FREQ_HZ = _number(0, 100)
_ENERGY_WH = _number(0, 1e13)
_TEMPERATURE_C = _number(-100, 200)
_TS = _number(0, 1e11)
_SECONDS = _number(0, 1e10)
_COUNT = _whole(0, 2**53)
_OFFSET_S = _whole(-86_400, 86_400)
_RSSI_DBM = _number(-150, 50)


def _object(**inner: Rule) -> Rule:
    return Rule(frozenset((dict,)), gone_when_null=True, inner=inner)


_SWITCH_COUNTS = {
    "on_time": _SECONDS,
    "switch_on": _COUNT,
    "on_above_thr": _COUNT,
    **dict.fromkeys(("on_time_rst_ts", "switch_on_rst_ts", "on_above_thr_rst_ts"), _TS),
}
_PHASE_ENERGY = {"total_act_energy": _ENERGY_WH, "total_act_ret_energy": _ENERGY_WH}


def _by_phase(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    return {f"{phase}_{field}": rule for phase in "abc" for field, rule in rules.items()}


def _meter_rules(rated_a: float) -> dict[str, dict[str, Rule]]:
    """Return the rules of what is measured by clamps made for a current."""
    current_a = OVERLOAD * rated_a
    power_w = MAX_VOLTAGE_V * current_a
    phase = {
        "current": _number(0, current_a),
        "voltage": _VOLTAGE_V,
        "act_power": _number(-power_w, power_w),
        "aprt_power": _number(-power_w, power_w),
        "pf": _PF,
        "freq": _FREQ_HZ,
        "errors": _NAMES,
    }
    return {
        "em": {
            **_by_phase(phase),
            "n_current": _number(0, current_a),
            "n_errors": _NAMES,
            "total_current": _number(0, PHASES * current_a),
            "total_act_power": _number(-PHASES * power_w, PHASES * power_w),
            "total_aprt_power": _number(-PHASES * power_w, PHASES * power_w),
            "errors": _NAMES,
        },
        "em1": {**phase, "calibration": _TEXT, "flags": _NAMES},
    }


_RULES: Mapping[str, Mapping[str, Rule]] = {
    "switch": {
        "output": _FLAG,
        "source": _TEXT,
        "temperature": _object(tC=_TEMPERATURE_C),
        "timer_started_at": _TS._replace(gone_when_null=True),
        "timer_duration": _SECONDS._replace(gone_when_null=True),
        "errors": _NAMES,
        "counts": _object(**_SWITCH_COUNTS),
        "apower": _number(-1_000_000, 1_000_000),
        "voltage": _VOLTAGE_V,
        "current": _number(0, 2_000),
        "pf": _PF,
        "freq": _FREQ_HZ,
        "aenergy": _object(total=_ENERGY_WH),
        "ret_aenergy": _object(total=_ENERGY_WH),
    },
    "input": {"state": _FLAG},
    "emdata": {
        **_by_phase(_PHASE_ENERGY),
        "total_act": _ENERGY_WH,
        "total_act_ret": _ENERGY_WH,
        "errors": _NAMES,
    },
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
"""The rules of what the clamps have no part in."""

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


def _tables(rules: Mapping[str, Mapping[str, Rule]]) -> dict[str, Table]:
    return {kind: Table.of(fields if kind in _SINGLE else {**fields, "id": _ID}) for kind, fields in rules.items()}


_TABLES = _tables(_RULES)


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What a device may report."""

    tables: Mapping[str, Table]
    """The rules by kind of component."""
    max_power_w: float
    """The most that all phases of its meter can carry together."""


@lru_cache(maxsize=64)
def limits_for(rated_current_a: float | None) -> Limits:
    """Return the limits of a device whose clamps are made for a current; `None`, not known, gives the widest."""
    rated_a = _WIDEST_A if rated_current_a is None else rated_current_a
    return Limits(
        tables={**_TABLES, **_tables(_meter_rules(rated_a))},
        max_power_w=PHASES * MAX_VOLTAGE_V * OVERLOAD * rated_a,
    )


WIDEST = limits_for(None)

_CT_TYPE = re.compile(r"(?:3x)?([1-9][0-9]{1,2})A")
_RATED_BY_MODEL = {"400": 400.0, "120": 120.0, "63": 63.0, "CEBEU": 120.0}
"""The current by the end of the model's name: `SPEM-003CEBEU` is sold with clamps for 120 A."""


def rated_current_a(model: str, ct_type: str | None) -> float | None:
    """Return the current that the clamps of a meter are made for, `None` if nothing tells.

    `ct_type` is a setting of `em` and `em1`, as `120A` or `3x63A`. It comes first: most models take other clamps.
    """
    if ct_type is not None and (match := _CT_TYPE.fullmatch(ct_type)) is not None:
        return float(match[1])
    return next((rated_a for ending, rated_a in _RATED_BY_MODEL.items() if model.endswith(ending)), None)


@lru_cache(maxsize=1024)
def table_of(key: str, limits: Limits = WIDEST) -> tuple[str, int, Table]:
    """Return kind, id and rules of component `key`, as `em:0`; the kind is "" and the rules none if it has no table."""
    kind, colon, number = key.partition(":")
    table = limits.tables.get(kind)
    if table is None or (kind in _SINGLE) is bool(colon):
        return "", 0, _NO_TABLE
    if not colon:
        return kind, 0, table
    if not number.isdecimal() or not number.isascii() or len(number) > MAX_ID_DIGITS:
        return "", 0, _NO_TABLE
    return kind, int(number), table


def check(key: str, raw: Any, limits: Limits = WIDEST) -> Rejection | None:
    """Return why `raw`, all or part of the status of component `key`, cannot be taken whole; `None` if it can."""
    if type(raw) is not dict:
        return Rejection(key, None, WRONG_TYPE, raw)
    _, number, (rules, bounds, _) = table_of(key, limits)
    # A notification may lack the id; the key has it anyway.
    if raw.get("id", number) != number and "id" in bounds:
        return Rejection(key, "id", WRONG_ID, raw["id"])
    try:
        for field, value in raw.items():
            low, high = bounds[field]
            if type(value) is float or type(value) is int:
                if not low <= value <= high:
                    return Rejection(key, field, OUT_OF_RANGE, value)
            elif value is not None:
                return Rejection(key, field, WRONG_TYPE, value)
    except KeyError:
        return next(_faults(key, raw, rules), None)
    return None


def sift(key: str, raw: Any, limits: Limits = WIDEST) -> tuple[dict[str, Any], tuple[Rejection, ...]]:
    """Return the fields of `raw` that can be taken, and why each of the others cannot.

    An object, as the temperature of a relay, is taken or left whole. What is no object or has the wrong id is about
    nothing that is known, so nothing of it is taken. The fields left pass `check`.
    """
    first = check(key, raw, limits)
    if first is None:
        return dict(raw), ()
    if first.field is None or first.reason == WRONG_ID:
        return {}, (first,)
    rejections = tuple(_faults(key, raw, table_of(key, limits)[2].rules))
    wrong = {rejection.field: rejection for rejection in rejections}
    if "id" in wrong:
        return {}, (wrong["id"],)
    return {field: value for field, value in raw.items() if field not in wrong}, rejections


def _faults(key: str, raw: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[Rejection]:
    """Look at each field by its rule; those that the rules do not name are never at fault."""
    for field, value in raw.items():
        rule = rules.get(field)
        if rule is not None and (reason := rule.refuse(value)) is not None:
            yield Rejection(key, field, reason, value)
