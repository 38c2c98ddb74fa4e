from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_core.validation import (
    OUT_OF_RANGE,
    WIDEST,
    WRONG_ID,
    WRONG_TYPE,
    Limits,
    Rejection,
    check,
    limits_for,
    rated_current_a,
    sift,
    table_of,
)
from tests.core.payloads import CAPTURE_NAMES, FIXTURE_NAMES, capture, fixture
from tests.core.shapes import KEYS, any_json, any_statuses, mutated


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
    ("em:0", {"b_voltage": 500.1}, "b_voltage", OUT_OF_RANGE),
    ("em:0", {"b_current": 2001}, "b_current", OUT_OF_RANGE),
    ("em:0", {"n_current": -0.001}, "n_current", OUT_OF_RANGE),
    ("em:0", {"total_current": 6001}, "total_current", OUT_OF_RANGE),
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
    ("switch:0", {"counts": {"on_time": 1.5, "on_above_thr": 1.5}}, "counts", WRONG_TYPE),
    ("switch:0", {"timer_duration": -1}, "timer_duration", OUT_OF_RANGE),
    ("input:0", {"state": 0}, "state", WRONG_TYPE),
    ("temperature:0", {"tC": -101}, "tC", OUT_OF_RANGE),
    ("sys", {"restart_required": None, "mac": 5}, "mac", WRONG_TYPE),
    ("sys", {"cfg_rev": 1.0}, "cfg_rev", WRONG_TYPE),
    ("sys", {"utc_offset": 3600.5}, "utc_offset", WRONG_TYPE),
    ("sys", {"utc_offset": 90000}, "utc_offset", OUT_OF_RANGE),
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


@pytest.mark.parametrize("limits", [WIDEST, limits_for(63.0)])
@pytest.mark.parametrize("kind", WIDEST.tables)
def test_every_rule_of_the_table_refuses_something(kind: str, limits: Limits) -> None:
    key = kind if table_of(kind)[0] else f"{kind}:0"
    for field in limits.tables[kind].rules:
        assert check(key, {field: object()}, limits) is not None, field
        assert check(key, {field: 0 if field == "id" else None}, limits) is None, field


def test_limits_belong_to_what_they_limit() -> None:
    for value in (0, 0.0, 500, 500.0):
        assert check("em:0", {"a_voltage": value}) is None
    for value in (-1.0, 0, 1.0):
        assert check("em:0", {"c_pf": value}) is None


BOUNDS: list[tuple[str, str, float, float, float]] = [
    ("em:0", "a_current", 126, 240, 800),
    ("em:0", "n_current", 126, 240, 800),
    ("em:0", "b_act_power", 63_000, 120_000, 400_000),
    ("em:0", "c_aprt_power", 63_000, 120_000, 400_000),
    ("em:0", "total_current", 378, 720, 2_400),
    ("em:0", "total_act_power", 189_000, 360_000, 1_200_000),
    ("em:0", "total_aprt_power", 189_000, 360_000, 1_200_000),
    ("em1:2", "current", 126, 240, 800),
    ("em1:2", "act_power", 63_000, 120_000, 400_000),
    ("em1:2", "aprt_power", 63_000, 120_000, 400_000),
    # The clamps do not change these.
    ("em:0", "a_voltage", 500, 500, 500),
    ("em:0", "a_pf", 1.05, 1.05, 1.05),
    ("emdata:0", "total_act", 1e13, 1e13, 1e13),
    ("switch:100", "apower", 1e6, 1e6, 1e6),
]


@pytest.mark.parametrize(("key", "field", "at_63_a", "at_120_a", "at_400_a"), BOUNDS)
def test_limits_follow_the_clamps(key: str, field: str, at_63_a: float, at_120_a: float, at_400_a: float) -> None:
    for rated_a, most in ((63.0, at_63_a), (120.0, at_120_a), (400.0, at_400_a)):
        limits = limits_for(rated_a)
        beyond = most * 1.001
        assert check(key, {field: most}, limits) is None
        assert check(key, {field: most}) is None
        assert check(key, {field: beyond}, limits) == Rejection(key, field, OUT_OF_RANGE, beyond)
        signed = field.endswith("_power") or field in {"apower", "a_pf"}
        assert check(key, {field: -most}, limits) == (None if signed else Rejection(key, field, OUT_OF_RANGE, -most))


def test_limits_are_made_once() -> None:
    assert limits_for(None) is WIDEST
    assert limits_for(120.0) is limits_for(120.0)
    assert table_of("em:0", limits_for(120.0))[2] is limits_for(120.0).tables["em"]
    assert limits_for(120.0).max_power_w == 360_000
    assert WIDEST.max_power_w == 3_000_000


@pytest.mark.parametrize(
    ("model", "ct_type", "rated_a"),
    [
        ("SPEM-003CEBEU", "120A", 120),
        ("SPEM-003CEBEU", "400A", 400),
        ("SPEM-003CEBEU400", "120A", 120),
        ("SPEM-003CEBEU63", "3x63A", 63),
        ("SPEM-002CEBEU50", "50A", 50),
        ("SPEM-003CEBEU", None, 120),
        ("SPEM-003CEBEU120", None, 120),
        ("SPEM-003CEBEU400", None, 400),
        ("SPEM-003CEBEU63", None, 63),
        ("S3EM-003CXCEU63", "3EMG3", 63),
        ("SPEM-003CEBEU400", "", 400),
        ("SPEM-003CEBEU", "0A", 120),
        ("SPEM-003CEBEU", "9999A", 120),
        ("SPEM-003CEBEU", "400A ", 120),
        ("SPEM-003CEBEU", "\u0661\u0662\u0660A", 120),
        ("SPSW-003XE16EU", None, None),
        ("SPEM-099X", "250A", 250),
        ("SPEM-099X", None, None),
        ("", None, None),
    ],
)
def test_what_the_clamps_are_made_for(model: str, ct_type: str | None, rated_a: float | None) -> None:
    assert rated_current_a(model, ct_type) == rated_a


def _meters() -> list[tuple[str, str | None, dict[str, Any]]]:
    """Model, type of clamps and status of each fixture, and of each capture that has all three."""
    devices = [
        [fixture(name, f"Shelly.{method}") for method in ("GetDeviceInfo", "GetConfig", "GetStatus")]
        for name in FIXTURE_NAMES
    ]
    for name in CAPTURE_NAMES:
        files = [name.replace("GetStatus", method) for method in ("GetDeviceInfo", "GetConfig", "GetStatus")]
        if "_GetStatus" in name and set(files) <= set(CAPTURE_NAMES):
            devices.append([capture(file) for file in files])
    return [
        (info["model"], next((config[key].get("ct_type") for key in config if key.startswith("em")), None), status)
        for info, config, status in devices
    ]


@pytest.mark.parametrize(("model", "ct_type", "status"), _meters())
def test_real_devices_are_within_the_limits_of_their_clamps(
    model: str, ct_type: str | None, status: dict[str, Any]
) -> None:
    limits = limits_for(rated_current_a(model, ct_type))
    for key, raw in status.items():
        assert check(key, raw, limits) is None
        assert sift(key, raw, limits) == (raw, ())


@pytest.mark.parametrize(("key", "raw"), PASSES)
def test_sift_takes_what_passes(key: str, raw: Any) -> None:
    kept, rejections = sift(key, raw)
    assert (kept, rejections) == (raw, ())
    assert kept is not raw


@pytest.mark.parametrize(("key", "raw", "field", "reason"), REFUSED)
def test_sift_leaves_out_what_is_refused(key: str, raw: Any, field: str | None, reason: str) -> None:
    kept, rejections = sift(key, raw)
    assert rejections == (Rejection(key, field, reason, raw if field is None else raw[field]),)
    nothing = field is None or field == "id"
    assert kept == ({} if nothing else {name: value for name, value in raw.items() if name != field})


def test_sift_gives_each_fault_a_rejection_of_its_own() -> None:
    raw = {
        "id": 0,
        "output": "on",
        "temperature": {"tC": "41", "tF": 105.8},
        "aenergy": {"total": -1.0},
        "ret_aenergy": {"total": 2.0},
        "apower": 5.5,
        "unknown": object,
    }
    assert sift("switch:0", raw) == (
        {"id": 0, "ret_aenergy": {"total": 2.0}, "apower": 5.5, "unknown": object},
        (
            Rejection("switch:0", "output", WRONG_TYPE, "on"),
            Rejection("switch:0", "temperature", WRONG_TYPE, {"tC": "41", "tF": 105.8}),
            Rejection("switch:0", "aenergy", OUT_OF_RANGE, {"total": -1.0}),
        ),
    )


@pytest.mark.parametrize(
    ("key", "raw", "rejection"),
    [
        ("em:0", {"a_pf": "x", "id": 1}, Rejection("em:0", "id", WRONG_ID, 1)),
        ("em:0", {"a_pf": "x", "id": False}, Rejection("em:0", "id", WRONG_TYPE, False)),
        ("em:0", {"id": False, "errors": [], "a_pf": "x"}, Rejection("em:0", "id", WRONG_TYPE, False)),
    ],
)
def test_sift_takes_nothing_from_another_component(key: str, raw: Any, rejection: Rejection) -> None:
    assert sift(key, raw) == ({}, (rejection,))


def test_sift_keeps_to_the_limits_given() -> None:
    raw = {"a_current": 300.0, "b_current": 1.0}
    assert sift("em:0", raw) == (raw, ())
    rejection = Rejection("em:0", "a_current", OUT_OF_RANGE, 300.0)
    assert sift("em:0", raw, limits_for(120.0)) == ({"b_current": 1.0}, (rejection,))


some_limits = st.sampled_from([WIDEST, limits_for(63.0), limits_for(400.0)])


@given(
    raw=any_statuses.flatmap(
        lambda status: st.sampled_from(sorted(status)).map(lambda key: (key, status[key]))
    ).flatmap(lambda named: st.tuples(st.just(named[0]), mutated(named[1])))
    | st.tuples(st.sampled_from(KEYS), any_json),
    limits=some_limits,
)
def test_what_is_sifted_passes_and_nothing_else_is_lost(raw: tuple[str, Any], limits: Limits) -> None:
    key, told = raw
    kept, rejections = sift(key, told, limits)
    wrong = {rejection.field for rejection in rejections}
    first = check(key, told, limits)
    assert check(key, kept, limits) is None
    assert (first is None) is (rejections == ())
    if wrong & {None, "id"}:
        assert (kept, len(rejections)) == ({}, 1)
    else:
        assert first == next(iter(rejections), None)
        assert kept == {field: value for field, value in told.items() if field not in wrong}
    for rejection in rejections:
        assert rejection.key == key
        assert rejection.reason in {WRONG_TYPE, OUT_OF_RANGE, WRONG_ID}
        assert rejection.value is (told if rejection.field is None else told[rejection.field])
