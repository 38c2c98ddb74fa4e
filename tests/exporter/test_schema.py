"""The table of what is stored: consistent in itself, with SCHEMA.md, with the core and with what makes lines."""

import re
import runpy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import shelly_exporter
from shelly_core.records import FIELDS
from shelly_core.validation import WIDEST, Rule
from shelly_exporter.line_protocol import ROLLUPS
from shelly_exporter.rollups import Series
from shelly_exporter.schema import MEASUREMENTS, PHASES, TAGS, Column, Measurement, Type, of_kind
from shelly_exporter.schema_document import document
from tests.exporter.rollup_points import at, feed, rollups
from tests.exporter.stored_points import BY_NAME, points_of

DOCUMENT = Path(shelly_exporter.__file__).with_name("SCHEMA.md")
NAME = re.compile(r"[a-z][a-z0-9_]*")
LEFT_OUT = {
    "sys": {"mac", "unixtime", "last_sync_ts", "cfg_rev", "available_updates", "utc_offset"},
    "switch": {"counts.on_time_rst_ts", "counts.switch_on_rst_ts", "counts.on_above_thr_rst_ts", "id"},
    "em1": {"calibration", "flags", "id"},
    "wifi": {"status", "ssid"},
    "mqtt": {"connected"},
}
"""What the core reads of a component, but is not stored: the exporter knows it itself, or it says nothing later."""

SOURCES = [
    (measurement, column) for measurement in MEASUREMENTS for column in measurement.columns if column.source is not None
]


def sources(measurement: Measurement, column: Column) -> Iterator[tuple[str, str]]:
    """Kind and field that a column is made of, for each phase."""
    assert column.source is not None
    for phase in measurement.phases or ("",):
        kind, slash, field = column.source.partition("/")
        yield (kind, field) if slash else (measurement.kind or "", column.source.replace("{}", phase))


def rules(kind: str) -> dict[str, Rule]:
    """The core's rules of a kind, those inside of an object with a dot."""
    found: dict[str, Rule] = {}
    for field, rule in WIDEST.tables[kind].rules.items():
        inner = rule.inner or {}
        found |= {f"{field}.{name}": inner_rule for name, inner_rule in inner.items()} if inner else {field: rule}
    return found


def types_of(rule: Rule) -> set[Type]:
    """The types in which what a rule allows may be stored."""
    if bool in rule.types:
        return {Type.BOOLEAN, Type.INTEGER}
    if float in rule.types:
        return {Type.FLOAT}
    return {Type.INTEGER, Type.FLOAT} if int in rule.types else {Type.STRING}


def test_names_are_unique_and_need_no_escapes() -> None:
    names = Counter(measurement.name for measurement in MEASUREMENTS)
    assert set(names.values()) == {1}
    for measurement in MEASUREMENTS:
        columns = Counter(column.name for column in measurement.columns)
        assert set(columns.values()) == {1}, f"{measurement.name} has a field twice, perhaps in two types"
        assert not columns.keys() & set(measurement.tags), f"{measurement.name} has a field with the name of a tag"
        assert all(NAME.fullmatch(name) for name in (measurement.name, *columns, *measurement.tags))


def test_tags_are_sorted_and_explained() -> None:
    for measurement in MEASUREMENTS:
        assert list(measurement.tags) == sorted(measurement.tags)
        assert ("phase" in measurement.tags) is (bool(measurement.phases) or measurement.rollup)
        assert all(column.meaning for column in measurement.columns)
    assert {tag for measurement in MEASUREMENTS for tag in measurement.tags} == TAGS.keys()


def test_document_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert DOCUMENT.read_text() == document(), "python -m shelly_exporter.schema_document > …/SCHEMA.md"
    with pytest.warns(RuntimeWarning):
        runpy.run_module("shelly_exporter.schema_document", run_name="__main__")
    assert capsys.readouterr().out == document()


def test_document_names_everything() -> None:
    text = document()
    for measurement in MEASUREMENTS:
        section = text.partition(f"\n## {measurement.name}\n")[2].partition("\n## ")[0]
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
        assert [row[0] for row in rows] == [f"| `{column.name}`" for column in measurement.columns]
        assert [row[1] for row in rows] == [column.type for column in measurement.columns]
        assert f"Bucket: {'rollups' if measurement.rollup else 'readings'}" in section
        assert ("full: first" in section) is (measurement.stream == "raw")
    assert "{" not in text


@pytest.mark.parametrize(("measurement", "column"), [pytest.param(m, c, id=f"{m.name}.{c.name}") for m, c in SOURCES])
def test_each_source_is_something_that_the_core_has_looked_at(measurement: Measurement, column: Column) -> None:
    for kind, field in sources(measurement, column):
        if kind.startswith("record "):
            assert field in {*FIELDS[f"{kind.removeprefix('record ')}data"], *map("_".join, _fundamental())}
            assert column.type is Type.FLOAT
        else:
            assert column.type in types_of(rules(kind)[field]), f"{kind} {field}"


def _fundamental() -> list[tuple[str, str]]:
    """A single-phase meter does not tell these, but the columns are those of a three-phase one."""
    return [("fund", "act_energy"), ("fund", "act_ret_energy")]


def test_all_that_the_core_looks_at_is_stored() -> None:
    stored: dict[str, set[str]] = {}
    for measurement, column in SOURCES:
        for kind, field in sources(measurement, column):
            stored.setdefault(kind, set()).add(field)
    for kind in WIDEST.tables:
        assert rules(kind).keys() - stored.get(kind, set()) == LEFT_OUT.get(kind, {"id"} & rules(kind).keys()), kind
    for kind in FIELDS:
        assert set(FIELDS[kind]) <= stored[f"record {kind.removesuffix('data')}"]


def test_measurements_of_a_kind() -> None:
    assert [measurement.name for measurement in of_kind("em")] == ["em", "em_wide"]
    assert [measurement.name for measurement in of_kind("record em1")] == ["em1data_1m"]
    assert [*of_kind("script")] == []
    assert PHASES == ("a", "b", "c")


def test_rollups_make_what_the_table_says() -> None:
    assert {measurement.name for measurement in MEASUREMENTS if measurement.rollup} == ROLLUPS
    made = rollups()
    readings = [(at("2026-03-28T22:10:00"), 1000.0, 5.0), (at("2026-03-29T23:40:00"), 200.0, 7.5)]
    feed(made, readings, Series("shellypro3em-fce8c0d41a90", 0, "total"))
    points = points_of(made.lines())
    assert {point.measurement for point in points} == ROLLUPS
    for name in ROLLUPS:
        fields = {field for point in points if point.measurement == name for field in point.fields}
        assert fields == {column.name for column in BY_NAME[name].columns}
