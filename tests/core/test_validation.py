from typing import Any

import pytest

from shelly_core.validation import OUT_OF_RANGE, RULES, WRONG_ID, WRONG_TYPE, Rejection, check, table_of


@pytest.mark.parametrize(
    ("key", "kind", "number"),
    [
        ("em:0", "em", 0),
        ("switch:100", "switch", 100),
        ("em1data:2", "em1data", 2),
        ("sys", "sys", 0),
        ("em:9999", "em", 9999),
        # No component of a kind in the table, or no proper key of it.
        ("sys:0", "", 0),
        ("em", "", 0),
        ("em:", "", 0),
        ("em:x", "", 0),
        ("em:-1", "", 0),
        ("em:0:1", "", 0),
        ("em:²", "", 0),
        ("em:٣", "", 0),
        ("em:10000", "", 0),
        ("em:" + "1" * 5000, "", 0),
        ("script:1", "", 0),
        ("ts", "", 0),
        ("", "", 0),
    ],
)
def test_keys_tell_kind_and_id(key: str, kind: str, number: int) -> None:
    found_kind, found_number, table = table_of(key)
    assert (found_kind, found_number) == (kind, number)
    assert bool(table.rules) is bool(kind)


PASSES: list[tuple[str, Any]] = [
    ("em:0", {}),
    ("em:0", {"id": 0, "a_current": 0.027, "a_voltage": 0, "n_current": None, "a_act_power": -951.1, "a_pf": -0.93}),
    ("em:0", {"a_errors": ["out_of_range:voltage"], "errors": [], "user_calibrated_phase": [{"?": 1}]}),
    ("em:0", {"c_active_power": "the documentation's typo"}),
    ("em:2", {"id": 2}),
    ("emdata:0", {"total_act": 45236.97, "a_total_act_ret_energy": 0}),
    ("em1:1", {"calibration": "factory", "flags": ["count_disabled"], "current": 0.0}),
    ("switch:0", {"output": False, "source": "", "temperature": {"tC": None, "tF": None}}),
    (
        "switch:0",
        {"temperature": {"tC": -12.5, "unknown": []}, "apower": 0, "aenergy": {"total": 14.0, "by_minute": [0.0]}},
    ),
    ("switch:0", {"timer_started_at": None, "timer_duration": 3.5, "counts": {"on_time": 7, "switch_on": None}}),
    ("input:0", {"state": None}),
    (
        "sys",
        {
            "mac": "E868E7A1B204",
            "unixtime": None,
            "available_updates": {"beta": {"version": "2.0.0-beta2"}, "stable": None},
        },
    ),
    ("sys", {"utc_offset": -36000, "id": "not checked"}),
    ("wifi", {"sta_ip": None, "ssid": None, "rssi": 0}),
    ("script:1", {"id": "anything", "running": []}),
]


@pytest.mark.parametrize(("key", "raw"), PASSES)
def test_passes(key: str, raw: Any) -> None:
    assert check(key, raw) is None


REFUSED: list[tuple[str, Any, str | None, str]] = [
    ("em:0", None, None, WRONG_TYPE),
    ("em:0", [], None, WRONG_TYPE),
    ("script:1", 5, None, WRONG_TYPE),
    ("em:0", {"id": 1}, "id", WRONG_ID),
    ("em:0", {"id": "0"}, "id", WRONG_ID),
    ("em:0", {"id": None}, "id", WRONG_ID),
    ("em:0", {"id": False}, "id", WRONG_TYPE),
    ("em:0", {"a_voltage": "230.1"}, "a_voltage", WRONG_TYPE),
    ("em:0", {"a_voltage": True}, "a_voltage", WRONG_TYPE),
    ("em:0", {"a_voltage": [230.1]}, "a_voltage", WRONG_TYPE),
    ("em:0", {"b_voltage": -0.1}, "b_voltage", OUT_OF_RANGE),
    ("em:0", {"b_voltage": 1000.1}, "b_voltage", OUT_OF_RANGE),
    ("em:0", {"n_current": -0.001}, "n_current", OUT_OF_RANGE),
    ("em:0", {"total_current": 2001}, "total_current", OUT_OF_RANGE),
    ("em:0", {"c_act_power": 1.1e6}, "c_act_power", OUT_OF_RANGE),
    ("em:0", {"c_act_power": -1.1e6}, "c_act_power", OUT_OF_RANGE),
    ("em:0", {"total_aprt_power": 1e300}, "total_aprt_power", OUT_OF_RANGE),
    ("em:0", {"a_pf": 1.5}, "a_pf", OUT_OF_RANGE),
    ("em:0", {"a_pf": -1.5}, "a_pf", OUT_OF_RANGE),
    ("em:0", {"a_freq": 101}, "a_freq", OUT_OF_RANGE),
    # The same after a field that is no number, where each field is looked at by its rule.
    ("em:0", {"errors": [], "a_freq": 101}, "a_freq", OUT_OF_RANGE),
    ("em:0", {"unknown": [], "a_freq": "50"}, "a_freq", WRONG_TYPE),
    ("em:0", {"a_freq": 101, "errors": []}, "a_freq", OUT_OF_RANGE),
    ("em:0", {"a_errors": "out_of_range"}, "a_errors", WRONG_TYPE),
    ("em:0", {"errors": ["phase_sequence", 1]}, "errors", WRONG_TYPE),
    ("emdata:0", {"total_act": -0.01}, "total_act", OUT_OF_RANGE),
    ("emdata:0", {"a_total_act_energy": 1e14}, "a_total_act_energy", OUT_OF_RANGE),
    ("em1:0", {"calibration": 1}, "calibration", WRONG_TYPE),
    ("em1data:0", {"total_act_energy": {}}, "total_act_energy", WRONG_TYPE),
    ("switch:0", {"output": 1}, "output", WRONG_TYPE),
    ("switch:0", {"output": "on"}, "output", WRONG_TYPE),
    ("switch:0", {"source": 1}, "source", WRONG_TYPE),
    ("switch:0", {"temperature": 41.0}, "temperature", WRONG_TYPE),
    ("switch:0", {"temperature": {"tC": "41"}}, "temperature", WRONG_TYPE),
    ("switch:0", {"temperature": {"tC": 300}}, "temperature", OUT_OF_RANGE),
    ("switch:0", {"aenergy": {"total": -1}}, "aenergy", OUT_OF_RANGE),
    ("switch:0", {"counts": {"on_time": 1.0, "switch_on": -1}}, "counts", OUT_OF_RANGE),
    ("switch:0", {"timer_duration": -1}, "timer_duration", OUT_OF_RANGE),
    ("input:0", {"state": 0}, "state", WRONG_TYPE),
    ("temperature:0", {"tC": -101}, "tC", OUT_OF_RANGE),
    ("sys", {"restart_required": None, "mac": 5}, "mac", WRONG_TYPE),
    ("sys", {"uptime": -1}, "uptime", OUT_OF_RANGE),
    ("sys", {"unixtime": 1e12}, "unixtime", OUT_OF_RANGE),
    ("sys", {"available_updates": []}, "available_updates", WRONG_TYPE),
    ("sys", {"available_updates": {"stable": "1.7.5"}}, "available_updates", WRONG_TYPE),
    ("sys", {"available_updates": {"stable": {"version": 2}}}, "available_updates", WRONG_TYPE),
    ("wifi", {"rssi": -1000}, "rssi", OUT_OF_RANGE),
    ("eth", {"ip": 5}, "ip", WRONG_TYPE),
    ("mqtt", {"connected": "true"}, "connected", WRONG_TYPE),
    ("cloud", {"connected": 0}, "connected", WRONG_TYPE),
]


@pytest.mark.parametrize(("key", "raw", "field", "reason"), REFUSED)
def test_refuses(key: str, raw: Any, field: str | None, reason: str) -> None:
    value = raw if field is None else raw[field]
    assert check(key, raw) == Rejection(key, field, reason, value)


@pytest.mark.parametrize("kind", RULES)
def test_every_rule_of_the_table_refuses_something(kind: str) -> None:
    key = kind if table_of(kind)[0] else f"{kind}:0"
    for field in RULES[kind]:
        assert check(key, {field: object()}) is not None, field
        assert check(key, {field: None}) is None, field


def test_limits_belong_to_what_they_limit() -> None:
    for value in (0, 0.0, 1000, 1000.0):
        assert check("em:0", {"a_voltage": value}) is None
    for value in (-1.0, 0, 1.0):
        assert check("em:0", {"c_pf": value}) is None
