"""Do the fields of a meter agree with each other? What is possible field by field may still be impossible together.

A status is looked at after a notification was laid over it. Fields that are missing or null agree with anything.
"""

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from .validation import Rejection, table_of

TOO_MUCH_POWER = "more power than voltage and current allow"
NOT_THE_SUM = "total is not the sum"

POWER_SLACK = 1.1
"""Apparent power may be this multiple of voltage times current. Under load, captures are within 1.02."""
NOISE_VA = 20.0
"""Allowed on top. A clamp without a load was seen to report 4.7 VA with a current of 0."""
SUM_SLACK = 0.01
"""A total may differ from the sum of the phases by this part of it, since each is rounded and averaged by itself."""
ACT_POWER_NOISE_W = 5.0
APRT_POWER_NOISE_VA = 5.0
CURRENT_NOISE_A = 0.5
ENERGY_NOISE_WH = 10.0

_PHASES = ("a_", "b_", "c_")
_READING = ("voltage", "current", "act_power", "aprt_power", "pf")
_PHASE_READINGS = {phase: tuple(phase + field for field in _READING) for phase in (*_PHASES, "")}
"""The fields that say the same of one phase in different ways; those of `em1` have no prefix."""


def _of_phases(field: str) -> tuple[str, ...]:
    return tuple(phase + field for phase in _PHASES)


_POWER_SUMS = (
    ("total_act_power", _of_phases("act_power"), ACT_POWER_NOISE_W),
    ("total_aprt_power", _of_phases("aprt_power"), APRT_POWER_NOISE_VA),
    ("total_current", _of_phases("current"), CURRENT_NOISE_A),
)
_ENERGY_SUMS = (
    ("total_act", _of_phases("total_act_energy"), ENERGY_NOISE_WH),
    ("total_act_ret", _of_phases("total_act_ret_energy"), ENERGY_NOISE_WH),
)
_POWER_TOTALS = tuple(total for total, _, _ in _POWER_SUMS)

_em_numbers = itemgetter(*(name for phase in _PHASES for name in _PHASE_READINGS[phase][:4]), *_POWER_TOTALS)


def contradictions(key: str, status: Mapping[str, Any]) -> tuple[Rejection, ...]:
    """Return the fields of the status of component `key` that cannot be true together, each with the reason.

    `status` has passed `validation.check`. Of a phase with more power than its voltage and current allow, nobody can
    tell which field is wrong: all are returned, and the totals, into which they went. Only `em`, `em1` and `emdata`
    have fields to compare.
    """
    kind = table_of(key)[0]
    if kind == "em":
        return () if _em_agrees(status) else tuple(_em(key, status))
    if kind == "em1":
        return tuple(_named(key, status, _PHASE_READINGS[""], TOO_MUCH_POWER)) if _overpowered(status, "") else ()
    if kind == "emdata":
        return tuple(_wrong_energy_totals(key, status))
    return ()


def _em_agrees(status: Mapping[str, Any]) -> bool:
    """Tell whether all is there and agrees so well that no closer look is needed: nearly always, and in no time."""
    try:
        ua, ia, pa, sa, ub, ib, pb, sb, uc, ic, pc, sc, act_power, aprt_power, current = _em_numbers(status)
        agrees: bool = (
            -(most := POWER_SLACK * ua * ia + NOISE_VA) <= pa <= most >= sa
            and -(most := POWER_SLACK * ub * ib + NOISE_VA) <= pb <= most >= sb
            and -(most := POWER_SLACK * uc * ic + NOISE_VA) <= pc <= most >= sc
            and -ACT_POWER_NOISE_W <= act_power - pa - pb - pc <= ACT_POWER_NOISE_W
            and -APRT_POWER_NOISE_VA <= aprt_power - sa - sb - sc <= APRT_POWER_NOISE_VA
            and -CURRENT_NOISE_A <= current - ia - ib - ic <= CURRENT_NOISE_A
        )
    except KeyError, TypeError:
        return False
    return agrees


def _em(key: str, status: Mapping[str, Any]) -> Iterator[Rejection]:
    overpowered = [phase for phase in _PHASES if _overpowered(status, phase)]
    for phase in overpowered:
        yield from _named(key, status, _PHASE_READINGS[phase], TOO_MUCH_POWER)
    if overpowered:
        yield from _named(key, status, _POWER_TOTALS, TOO_MUCH_POWER)
        return
    for total, parts, noise in _POWER_SUMS:
        values = [status.get(name) for name in (total, *parts)]
        if _differs(values, noise + SUM_SLACK * _magnitude(values[1:])):
            yield Rejection(key, total, NOT_THE_SUM, values[0])


def _wrong_energy_totals(key: str, status: Mapping[str, Any]) -> Iterator[Rejection]:
    for total, parts, noise in _ENERGY_SUMS:
        values = [status.get(name) for name in (total, *parts)]
        if _differs(values, max(noise, SUM_SLACK * _magnitude(values[1:]))):
            yield Rejection(key, total, NOT_THE_SUM, values[0])


def _overpowered(status: Mapping[str, Any], phase: str) -> bool:
    voltage, current, act_power, aprt_power, _ = map(status.get, _PHASE_READINGS[phase])
    if voltage is None or current is None:
        return False
    most = POWER_SLACK * voltage * current + NOISE_VA
    return (act_power is not None and abs(act_power) > most) or (aprt_power is not None and aprt_power > most)


def _differs(values: list[Any], slack: float) -> bool:
    """Tell whether the first value, a total, is not the sum of the others."""
    return None not in values and abs(values[0] - sum(values[1:])) > slack


def _magnitude(values: Iterable[Any]) -> float:
    return float(sum(abs(value) for value in values if value is not None))


def _named(key: str, status: Mapping[str, Any], fields: Iterable[str], reason: str) -> Iterator[Rejection]:
    """Reject those of the fields that have a value."""
    return (Rejection(key, field, reason, value) for field in fields if (value := status.get(field)) is not None)
