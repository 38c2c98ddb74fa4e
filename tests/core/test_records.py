from typing import Any

import pytest

from shelly_core import Event, FrameError
from shelly_core.records import (
    FIELDS,
    FIRST_TS,
    MAX_BLOCK_RECORDS,
    Block,
    Record,
    parse_data,
    parse_event,
    parse_records,
)
from shelly_core.validation import OUT_OF_RANGE, WRONG_TYPE, limits_for

TS = 1_790_000_040
MONO = [0.0209, 0.0, 0.0, 0.0, 1.6, 1.0, 19.0, 17.3, 235.502, 234.857, 235.167, 0.081, 0.073, 0.079]
TRI = [0.0209, 0.0208, 0.0, 0.0, *MONO[2:]] * 3 + [0.028, 0.026, 0.027]


def block(*rows: Any, ts: Any = TS, period: Any = 60) -> dict[str, Any]:
    return {"ts": ts, "period": period, "values": list(rows)}


def event(data: Any, component: str = "em1data:0", name: str = "data") -> Event:
    return Event(component, 0, name, TS, {"data": data})


def page(*blocks: Any, **more: Any) -> dict[str, Any]:
    return {"data": list(blocks), **more}


@pytest.mark.parametrize(("kind", "row"), [("emdata:0", TRI), ("em1data:2", MONO)])
@pytest.mark.parametrize("in_array", [False, True])
def test_an_event_tells_a_minute_in_both_shapes(kind: str, row: list[float], in_array: bool) -> None:
    data = block(row)
    (record,) = parse_event(event([data] if in_array else data, kind))
    assert (record.ts, record.period_s, record.rejections) == (TS, 60, ())
    assert list(record.values) == list(FIELDS[kind.partition(":")[0]])
    assert list(record.values.values()) == row
    assert {type(value) for value in record.values.values()} == {float}


def test_the_columns_are_those_of_the_device() -> None:
    assert (len(FIELDS["emdata"]), len(FIELDS["em1data"])) == (51, 14)
    assert FIELDS["emdata"][:3] == ("a_total_act_energy", "a_fund_act_energy", "a_total_act_ret_energy")
    assert FIELDS["em1data"][:3] == ("total_act_energy", "total_act_ret_energy", "lag_react_energy")


def test_rows_follow_each_other_by_the_period() -> None:
    records, next_ts = parse_data(page(block(MONO, MONO), block(MONO, ts=TS + 6000, period=300), next_record_ts=TS * 2))
    assert [(record.ts, record.period_s) for record in records] == [(TS, 60), (TS + 60, 60), (TS + 6000, 300)]
    assert next_ts == TS * 2
    assert parse_data(page(next_record_ts=None)) == ((), None)
    assert parse_event(event([])) == ()


@pytest.mark.parametrize("row", [TRI, MONO])
def test_a_page_without_keys_is_known_by_its_width(row: list[float]) -> None:
    kind = "emdata" if row is TRI else "em1data"
    (with_keys,), _ = parse_data(page(block(row), keys=list(FIELDS[kind])))
    (without,), _ = parse_data(page(block(row)))
    assert with_keys == without
    assert tuple(without.values) == FIELDS[kind]


def test_named_columns_may_come_in_any_order_and_unknown_ones_are_left_out() -> None:
    keys = ["avg_voltage", "moon_phase", "total_act_energy", "min_current"]
    (record,), _ = parse_data(page(block([230.1, "full", 1, None]), keys=keys))
    assert record == Record(TS, 60, {"avg_voltage": 230.1, "total_act_energy": 1.0})


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("a_avg_voltage", 500.1, OUT_OF_RANGE),
        ("a_min_voltage", -0.1, OUT_OF_RANGE),
        ("n_max_current", 240.1, OUT_OF_RANGE),
        ("c_max_act_power", -120_001, OUT_OF_RANGE),
        ("b_total_act_energy", 2_000.1, OUT_OF_RANGE),
        ("b_total_act_ret_energy", -0.0001, OUT_OF_RANGE),
        ("b_lag_react_energy", 1e300, OUT_OF_RANGE),
        ("a_fund_act_energy", True, WRONG_TYPE),
        ("a_max_current", "4.0", WRONG_TYPE),
    ],
)
def test_one_wrong_value_costs_only_itself(field: str, value: Any, reason: str) -> None:
    row = [value if name == field else 1.0 for name in FIELDS["emdata"]]
    (record,) = parse_event(event(block(row), "emdata:0"), limits_for(120.0))
    assert record.values.keys() == set(FIELDS["emdata"]) - {field}
    assert [(found.field, found.reason, found.value) for found in record.rejections] == [(field, reason, value)]


def test_the_most_that_the_clamps_can_carry_passes() -> None:
    columns = {"a_total_act_energy": 2_000, "a_max_current": 240, "a_min_act_power": -120_000, "n_avg_current": 240}
    shown = page(block(list(columns.values())), keys=list(columns))
    (record,), _ = parse_data(shown, limits_for(120.0))
    assert record.values == columns
    (hour,), _ = parse_data(page(block([120_000], period=3600), keys=["a_total_act_energy"]), limits_for(120.0))
    assert hour.values == {"a_total_act_energy": 120_000}
    (small,), _ = parse_data(shown, limits_for(63.0))
    assert len(small.rejections) == 4


def test_records_of_a_clock_that_was_not_set_are_left_out() -> None:
    records, _ = parse_data(page(block(MONO, MONO, ts=180), block(MONO, MONO, ts=FIRST_TS - 60)))
    assert [record.ts for record in records] == [FIRST_TS]
    found = parse_records(
        {"data_blocks": [{"ts": 180, "period": 60, "records": 1}, {"ts": TS, "period": 60, "records": 0}]}
    )
    assert found == (Block(TS, 60, 0),)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (event(block(MONO), "em1data:0", "config_changed"), "no record"),
        (event(block(MONO), "em1:0"), "no record"),
        (event(block(MONO), "emdata"), "no record"),
        (event(block(MONO), "emdata:0"), "wrong number of values"),
        (event(block(TRI), "em1data:0"), "wrong number of values"),
        (event(None), "wrong record"),
        (event([None]), "wrong record"),
        (event({}), "wrong record"),
        (event(block(None)), "wrong record"),
        (event(block(MONO, ts=None)), "wrong ts"),
        (event(block(MONO, ts=TS + 0.5)), "wrong ts"),
        (event(block(MONO, ts=-60)), "wrong ts"),
        (event(block(MONO, period=0)), "wrong period"),
        (event(block(MONO, period=True)), "wrong period"),
        (event(block(MONO, period=86_401)), "wrong period"),
    ],
)
def test_what_is_no_record_of_an_event(broken: Event, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        parse_event(broken)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (None, "no data"),
        ([], "no data"),
        ({"data": {}}, "no data"),
        (page(next_record_ts="1"), "wrong ts"),
        (page(keys="a"), "wrong keys"),
        (page(keys=["a", 1]), "wrong keys"),
        (page(keys=["a", "a"]), "wrong keys"),
        (page(block([1.0], ts=TS)), "wrong number of values"),
        (page(block([1.0]), keys=["a", "b"]), "wrong number of values"),
    ],
)
def test_what_is_no_page(broken: Any, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        parse_data(broken)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (None, "no data_blocks"),
        ({"data_blocks": None}, "no data_blocks"),
        ({"data_blocks": [1]}, "wrong block"),
        ({"data_blocks": [{"ts": TS, "period": 60}]}, "wrong number of records"),
        ({"data_blocks": [{"ts": TS, "period": 60, "records": -1}]}, "wrong number of records"),
        ({"data_blocks": [{"ts": TS, "period": 60, "records": MAX_BLOCK_RECORDS + 1}]}, "wrong number of records"),
        ({"data_blocks": [{"ts": "x", "period": 60, "records": 1}]}, "wrong ts"),
        ({"data_blocks": [{"ts": TS, "period": None, "records": 1}]}, "wrong period"),
    ],
)
def test_what_is_no_list_of_blocks(broken: Any, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        parse_records(broken)
    assert caught.value.reason == reason
