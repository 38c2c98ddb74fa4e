from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_core.consistency import NOISE_VA, NOT_THE_SUM, POWER_SLACK, TOO_MUCH_POWER, contradictions
from shelly_core.validation import Rejection
from tests.core.payloads import (
    CAPTURE_NAMES,
    FIXTURE_NAMES,
    capture,
    fixture,
    needs_captures,
    notification_frames,
)
from tests.core.shapes import numbers

EM = {
    "id": 0,
    "a_voltage": 230.0,
    "a_current": 10.0,
    "a_act_power": 2200.0,
    "a_aprt_power": 2300.0,
    "a_pf": 0.96,
    "b_voltage": 231.0,
    "b_current": 2.0,
    "b_act_power": -400.0,
    "b_aprt_power": 462.0,
    "b_pf": -0.87,
    "c_voltage": 0.0,
    "c_current": 0.027,
    "c_act_power": 0.0,
    "c_aprt_power": 0.0,
    "c_pf": 0.0,
    "n_current": None,
    "total_act_power": 1800.01,
    "total_aprt_power": 2761.98,
    "total_current": 12.027,
}
EM1 = {"id": 1, "voltage": 230.0, "current": 1.0, "act_power": 100.0, "aprt_power": 230.0, "pf": 0.43, "freq": 50.0}
EMDATA = {
    "id": 0,
    "a_total_act_energy": 500.0,
    "b_total_act_energy": 300.0,
    "c_total_act_energy": 0,
    "a_total_act_ret_energy": 0.0,
    "b_total_act_ret_energy": 1e6,
    "c_total_act_ret_energy": 1e6,
    "total_act": 800.01,
    "total_act_ret": 2000000.0,
}
PHASE_READING = ("voltage", "current", "act_power", "aprt_power", "pf")
TOTALS = ("total_act_power", "total_aprt_power", "total_current")


def fields(key: str, status: dict[str, Any]) -> list[tuple[str | None, str]]:
    """The fields that contradict each other, with the reason; each has its own value with it."""
    found = contradictions(key, status)
    assert all((rejection.key, status[rejection.field or ""]) == (key, rejection.value) for rejection in found)
    return [(rejection.field, rejection.reason) for rejection in found]


def overpowered(*phases: str) -> list[tuple[str, str]]:
    names = [f"{phase}_{field}" for phase in phases for field in PHASE_READING]
    return [(name, TOO_MUCH_POWER) for name in (*names, *TOTALS)]


EM_CHANGES: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({}, []),
    # 10 A at 230 V: 2530 VA and the noise.
    ({"a_act_power": 2549.0, "total_act_power": 2149.0}, []),
    ({"a_act_power": 2551.0, "total_act_power": 2151.0}, overpowered("a")),
    ({"a_act_power": -2551.0, "total_act_power": -2951.0}, overpowered("a")),
    ({"a_aprt_power": 2551.0, "total_aprt_power": 3013.0}, overpowered("a")),
    ({"a_current": 0.0}, overpowered("a")),
    ({"a_voltage": 23.0}, overpowered("a")),
    ({"c_act_power": 19.0, "total_act_power": 1819.0}, []),
    ({"c_act_power": 21.0, "total_act_power": 1821.0}, overpowered("c")),
    ({"a_voltage": 2.0, "b_current": 0.1, "c_aprt_power": 5000.0}, overpowered("a", "b", "c")),
    # Totals that went wrong along with a phase are named once.
    ({"b_current": 0.1, "total_act_power": 99999.0}, overpowered("b")),
    # 1 % of 2600 W and 5 W.
    ({"total_act_power": 1830.9}, []),
    ({"total_act_power": 1831.1}, [("total_act_power", NOT_THE_SUM)]),
    ({"total_act_power": 1769.1}, []),
    ({"total_act_power": 1768.9}, [("total_act_power", NOT_THE_SUM)]),
    ({"total_aprt_power": 2794.5}, []),
    ({"total_aprt_power": 2794.7}, [("total_aprt_power", NOT_THE_SUM)]),
    ({"total_current": 12.6}, []),
    ({"total_current": 12.7}, [("total_current", NOT_THE_SUM)]),
    ({"total_current": 11.4}, [("total_current", NOT_THE_SUM)]),
    (dict.fromkeys(TOTALS, 0), [(total, NOT_THE_SUM) for total in TOTALS]),
    # The neutral is no part of the total.
    ({"n_current": 9.0}, []),
    # What is null agrees with anything, and is not rejected.
    ({"a_current": None, "a_act_power": 99999.0}, [("total_act_power", NOT_THE_SUM)]),
    ({"a_voltage": None, "a_act_power": 99999.0, "total_act_power": None}, []),
    ({"a_act_power": None, "a_aprt_power": None, "total_act_power": 99999.0}, []),
    (
        {"a_act_power": None, "a_aprt_power": 5000.0, "a_pf": None},
        [(field, reason) for field, reason in overpowered("a") if field not in {"a_act_power", "a_pf"}],
    ),
    (
        {"total_act_power": None, "a_current": 1.0},
        [(field, reason) for field, reason in overpowered("a") if field != "total_act_power"],
    ),
]


@pytest.mark.parametrize(("changes", "expected"), EM_CHANGES)
def test_em(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert fields("em:0", EM | changes) == expected


@pytest.mark.parametrize(("changes", "expected"), EM_CHANGES)
def test_what_is_missing_is_as_what_is_null(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    status = {field: value for field, value in (EM | changes).items() if value is not None}
    assert fields("em:0", status) == expected


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, False),
        ({"act_power": 273.0}, False),
        ({"act_power": 273.1}, True),
        ({"act_power": -273.1}, True),
        ({"aprt_power": 273.1}, True),
        ({"current": 0.0, "act_power": 0.0, "aprt_power": 4.7}, False),
        ({"current": 0.0}, True),
        ({"current": None}, False),
        ({"act_power": None, "aprt_power": None}, False),
    ],
)
def test_em1(changes: dict[str, Any], wrong: bool) -> None:
    expected = [(field, TOO_MUCH_POWER) for field in PHASE_READING] if wrong else []
    assert fields("em1:1", EM1 | changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"total_act": 809.9}, []),
        ({"total_act": 810.1}, ["total_act"]),
        ({"total_act": 0}, ["total_act"]),
        ({"total_act_ret": 2020000.0}, []),
        ({"total_act_ret": 1979000.0}, ["total_act_ret"]),
        ({"b_total_act_energy": 1000.0, "total_act_ret": 0.0}, ["total_act", "total_act_ret"]),
        ({"b_total_act_energy": None, "total_act_ret": None}, []),
    ],
)
def test_emdata(changes: dict[str, Any], expected: list[str]) -> None:
    assert fields("emdata:0", EMDATA | changes) == [(field, NOT_THE_SUM) for field in expected]


def test_an_empty_status_agrees_with_itself() -> None:
    for key in ("em:0", "em1:0", "emdata:0"):
        assert contradictions(key, {}) == ()


@pytest.mark.parametrize("key", ["switch:0", "em1data:0", "em:x", "em", "sys", "script:1", ""])
def test_other_components_have_nothing_to_compare(key: str) -> None:
    assert contradictions(key, {**EM, "a_voltage": "x", **EM1, "current": 0.0, "total_act": -5.0}) == ()


phases = st.fixed_dictionaries(
    {
        f"{phase}_{field}": numbers(low, high)
        for phase in "abc"
        for field, low, high in (
            ("voltage", 0, 280),
            ("current", 0, 200),
            ("act_power", -40000, 40000),
            ("aprt_power", 0, 40000),
            ("pf", -1, 1),
        )
    }
)


def possible(status: dict[str, Any], phase: str) -> bool:
    voltage, current, act_power, aprt_power = (status[f"{phase}_{field}"] for field in PHASE_READING[:4])
    if voltage is None or current is None:
        return True
    most = POWER_SLACK * voltage * current + NOISE_VA
    return (act_power is None or abs(act_power) <= most) and (aprt_power is None or aprt_power <= most)


@given(status=phases, totals=st.booleans())
def test_a_phase_is_blamed_exactly_if_it_is_impossible(status: dict[str, Any], totals: bool) -> None:
    if totals:  # they are right, so that nothing else is at fault
        status |= {
            f"total_{field}": None if None in values else sum(values)
            for field in ("act_power", "aprt_power", "current")
            if (values := [status[f"{phase}_{field}"] for phase in "abc"])
        }
    blamed = {field for field, _ in fields("em:0", status)}
    impossible = [phase for phase in "abc" if not possible(status, phase)]
    suspects = [f"{phase}_{field}" for phase in impossible for field in PHASE_READING]
    expected = {name for name in (*suspects, *(TOTALS if impossible else ())) if status.get(name) is not None}
    assert blamed == expected


@given(parts=st.tuples(*[numbers(0, 1e7)] * 3), total=numbers(0, 3e7))
def test_an_energy_total_is_blamed_exactly_if_it_is_not_the_sum(
    parts: tuple[float | None, ...], total: float | None
) -> None:
    status = {f"{phase}_total_act_energy": part for phase, part in zip("abc", parts, strict=True)} | {
        "total_act": total
    }
    values = [part for part in parts if part is not None]
    wrong = len(values) == 3 and total is not None and abs(total - sum(values)) > max(10, 0.01 * sum(values))
    assert contradictions("emdata:0", status) == (
        (Rejection("emdata:0", "total_act", NOT_THE_SUM, total),) if wrong else ()
    )


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_no_fixture_contradicts_itself(name: str) -> None:
    status = fixture(name, "Shelly.GetStatus")
    for key, raw in status.items():
        assert contradictions(key, raw) == ()
    for frame in notification_frames(name):
        for key, delta in orjson.loads(frame)["params"].items():
            if key in status and delta is not None:
                status[key] |= delta
                assert contradictions(key, status[key]) == ()


def metered(payload: Any, key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every status of a meter in a payload, however deep, with its key; a bare one is of the kind it looks like."""
    if not isinstance(payload, dict):
        return
    if not key and "id" in payload and ("a_current" in payload or "aprt_power" in payload):
        key = f"{'em' if 'a_current' in payload else 'em1'}:{payload['id']}"
    if key.partition(":")[0] in {"em", "em1", "emdata"}:
        yield key, payload
        return
    for name, inner in payload.items():
        yield from metered(inner, name if ":" in name else "")


DOCS_EXAMPLE = "docs_EM.GetStatus_errors.json"
METERED = [
    (name, key, status)
    for name in CAPTURE_NAMES
    if name.endswith(".json") and name != DOCS_EXAMPLE and "GetConfig" not in name
    for key, status in metered(capture(name))
]


@pytest.mark.parametrize(("name", "key", "status"), METERED)
def test_no_capture_contradicts_itself(name: str, key: str, status: dict[str, Any]) -> None:
    assert contradictions(key, status) == (), name


@needs_captures
def test_captures_of_all_kinds_were_looked_at() -> None:
    assert {key.partition(":")[0] for _, key, _ in METERED} == {"em", "em1", "emdata"}
    assert len(METERED) > 15


@needs_captures
def test_the_example_of_the_documentation_was_made_up() -> None:
    """Its total of 2486.7 VA is of three phases of 951.9, 951.8 and 716.2 VA."""
    assert fields("em:0", capture(DOCS_EXAMPLE)) == [("total_aprt_power", NOT_THE_SUM)]
