"""What a query of Grafana is made of: times, intervals, formats, variables, and names of what is answered."""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from tests.stack.grafana_queries import UnsupportedError
from tests.stack.grafana_queries.canned import knowing_tags
from tests.stack.grafana_queries.formats import formatted, glob
from tests.stack.grafana_queries.frames import series_frames, table_frames
from tests.stack.grafana_queries.interpolation import Known, interpolated, left_over, statement
from tests.stack.grafana_queries.interval import interval_ms, interval_text, milliseconds
from tests.stack.grafana_queries.time_range import TimeRange, time_range
from tests.stack.grafana_queries.variables import resolved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.stack.grafana_queries.data_source import DataSource

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 14, 30, 20, tzinfo=ZONE).timestamp()
TIME = TimeRange(from_ms=1_795_000_000_000, to_ms=1_795_003_600_000)
DEVICES = ("shellypro3em-0cb815fcaf3c", "shellypro3em-0cb815fcaf3d")
KNOWN = Known(
    values={"device": DEVICES, "one": (DEVICES[0],), "phase": "a", "tz": "Europe/Berlin", "price": "0.30", "all": ".*"},
    time=TIME,
    time_zone="Europe/Berlin",
    texts={"device": "All"},
    raw=frozenset({"all"}),
)
TAG_VALUES = 'SHOW TAG VALUES FROM "em" WITH KEY = "device"'


async def values_of(*variables: Mapping[str, Any], source: DataSource | None = None, **choices: Any) -> dict[str, Any]:
    sources = {} if source is None else {source.uid: source}
    known = await resolved(variables, Known(values={}, time=TIME, time_zone="UTC"), sources, choices)
    return dict(known.values)


def query_variable(**more: Any) -> dict[str, Any]:
    """Return a variable of which the values are asked for."""
    source = {"type": "influxdb", "uid": "shelly-influxdb"}
    return {"name": "device", "type": "query", "query": TAG_VALUES, "datasource": source} | more


@pytest.mark.parametrize(
    ("begin", "end", "from_text", "to_text"),
    [
        ("now-3h", "now", "2026-11-25T11:30:20+01:00", "2026-11-25T14:30:20+01:00"),
        ("now/d", "now", "2026-11-25T00:00:00+01:00", "2026-11-25T14:30:20+01:00"),
        ("now-1d/d", "now-1d/d", "2026-11-24T00:00:00+01:00", "2026-11-24T23:59:59.999+01:00"),
        ("now/w", "now/w", "2026-11-23T00:00:00+01:00", "2026-11-29T23:59:59.999+01:00"),
        ("now-1M/M", "now/y", "2026-10-01T00:00:00+02:00", "2026-12-31T23:59:59.999+01:00"),
        ("now-30d/d", "now/h", "2026-10-26T00:00:00+01:00", "2026-11-25T14:59:59.999+01:00"),
        ("now-31d/d", "now+5m", "2026-10-25T00:00:00+02:00", "2026-11-25T14:35:20+01:00"),
        ("now-1y", "now/m", "2025-11-25T14:30:20+01:00", "2026-11-25T14:30:59.999+01:00"),
        ("now-11M/M", "now-90s", "2025-12-01T00:00:00+01:00", "2026-11-25T14:28:50+01:00"),
    ],
)
def test_relative_times(begin: str, end: str, from_text: str, to_text: str) -> None:
    time = time_range(begin, end, NOW, ZONE)
    expected = [round(datetime.fromisoformat(text).timestamp() * 1000) for text in (from_text, to_text)]
    assert [time.from_ms, time.to_ms] == expected


def test_the_last_day_of_a_shorter_month() -> None:
    leap = datetime(2028, 3, 31, 12, tzinfo=ZONE).timestamp()
    assert time_range("now-1M", "now", leap, ZONE).from_ms == datetime(2028, 2, 29, 12, tzinfo=ZONE).timestamp() * 1000


@pytest.mark.parametrize("text", ["yesterday", "now-1", "now-d7", "now-1d|d", "2026-01-01"])
def test_times_that_are_not_reproduced(text: str) -> None:
    with pytest.raises(UnsupportedError, match=re.escape(text)):
        time_range(text, "now", NOW, ZONE)


@pytest.mark.parametrize(
    ("duration", "points", "least", "expected"),
    [
        ("3h", 1800, "10s", "10s"),  # 6 s by the ladder, less than a device can tell
        ("3h", 1800, "", "5s"),
        ("3h", 500, "10s", "20s"),
        ("24h", 1000, "10s", "1m"),
        ("7d", 1800, "10s", "5m"),
        ("30d", 1800, "10s", "20m"),
        ("365d", 360, "10s", "1d"),
        ("3650d", 100, "10s", "30d"),
        ("36500d", 100, "10s", "1y"),
        ("1s", 1000, "", "1ms"),
        ("30d", 1800, "1d", "1d"),
        ("10h", 500, "90s", "1m"),  # the rest is cut off
        ("1h", 500, "15", "15s"),
    ],
)
def test_intervals(duration: str, points: int, least: str, expected: str) -> None:
    assert interval_text(interval_ms(milliseconds(duration), points, least)) == expected


def test_an_interval_that_is_none() -> None:
    with pytest.raises(UnsupportedError, match="ten seconds"):
        milliseconds("ten seconds")


@pytest.mark.parametrize(
    ("form", "one", "two"),
    [
        ("raw", "a/b.c", "a/b.c,d'e"),
        ("regex", r"a\/b\.c", r"(a\/b\.c|d'e)"),
        ("pipe", "a/b.c", "a/b.c|d'e"),
        ("csv", "a/b.c", "a/b.c,d'e"),
        ("json", "a/b.c", '["a/b.c","d\'e"]'),
        ("singlequote", "'a/b.c'", r"'a/b.c','d\'e'"),
        ("doublequote", '"a/b.c"', '"a/b.c","d\'e"'),
        ("glob", "a/b.c", "{a/b.c,d'e}"),
    ],
)
def test_formats(form: str, one: str, two: str) -> None:
    assert formatted("a/b.c", form) == one
    assert formatted(("a/b.c", "d'e"), form) == two


def test_formats_of_few_values() -> None:
    assert formatted((), "regex") == "()"
    assert formatted(("a.b",), "regex") == r"a\.b"
    assert glob(("a",)) == "a"


@pytest.mark.parametrize("form", ["percentencode", "date:YYYY-MM"])
def test_formats_that_are_not_reproduced(form: str) -> None:
    with pytest.raises(UnsupportedError, match=form):
        formatted("1", form)
    with pytest.raises(UnsupportedError, match="only"):
        formatted("Berlin", "date")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"device" =~ /^${device:regex}$/', f'"device" =~ /^({"|".join(DEVICES)})$/'),
        ("/^${one:regex}$/ AND $timeFilter", f"/^{DEVICES[0]}$/ AND $timeFilter"),
        ("tz('${tz:raw}')", "tz('Europe/Berlin')"),
        ("[[phase]] [[phase:raw]] $phase ${phase}", "a a a a"),
        ("*${price:raw} $prices ${nobody:raw}", "*0.30 $prices ${nobody:raw}"),
        ("${device:text} ${phase:text}", "All a"),
        ("/^${all:regex}$/", "/^.*$/"),
        ("$__from ${__to} ${__from:date:seconds}", "1795000000000 1795003600000 1795000000"),
        ("${__from:date:iso} ${__to:date}", "2026-11-18T11:06:40.000Z 2026-11-18T12:06:40.000Z"),
        ("${__from:date:ms} $__timezone", "1795000000000 Europe/Berlin"),
        ("time($__interval) ${__interval} ${__interval_ms}", "time($__interval) $__interval $__interval_ms"),
    ],
)
def test_variables_in_texts(text: str, expected: str) -> None:
    assert interpolated(text, KNOWN) == expected


def test_a_query_says_how_it_wants_its_variables() -> None:
    assert interpolated("${phase:raw} $timeFilter $__from", KNOWN, strict=True) == "a $timeFilter 1795000000000"
    with pytest.raises(UnsupportedError, match=r"\$\{phase:regex\}"):
        interpolated("\"phase\" = '$phase'", KNOWN, strict=True)
    with pytest.raises(UnsupportedError, match="field"):
        interpolated("${phase.name:raw}", KNOWN)


def test_what_the_server_fills_in() -> None:
    query = "$timeFilter GROUP BY time($__interval) $interval $__interval_ms"
    expected = "time >= 1795000000000ms and time <= 1795003600000ms GROUP BY time(20s) 20s 20000"
    assert statement(query, TIME, 20_000) == expected


def test_what_is_left_over() -> None:
    assert left_over('"device" =~ /^a$/ AND $nobody ${some:raw} [[else]]') == ("$nobody", "${some:raw}", "[[else]]")
    assert left_over("""WHERE "device" =~ /^(a|b)$/ tz('Europe/Berlin')""") == ()


async def test_variables_have_what_the_board_says() -> None:
    source, other = knowing_tags(), knowing_tags(uid="shelly-rollups", name="Shelly rollups")
    variables: list[dict[str, Any]] = [
        {"name": "datasource", "type": "datasource", "query": "influxdb", "current": {"value": "shelly-influxdb"}},
        {"name": "rollups", "type": "datasource", "query": "influxdb", "regex": "/rollups/", "hide": 2},
        {"name": "tz", "type": "constant", "query": "Asia/Kolkata", "current": {"value": "UTC"}},
        {"name": "price", "type": "textbox", "query": "0.30", "current": {}},
        {"name": "chosen", "type": "textbox", "query": "0.30", "current": {"value": "0.40"}},
        {"name": "phase", "type": "custom", "query": "Phase A : a, b,c", "current": {"value": "b"}},
        {"name": "bucket", "type": "interval", "query": "1m,15m,1h"},
    ]
    known = Known(values={}, time=TIME, time_zone="UTC")
    known = await resolved(variables, known, {each.uid: each for each in (source, other)}, {})
    assert known.values == {
        "datasource": "shelly-influxdb",
        "rollups": "shelly-rollups",
        "tz": "Asia/Kolkata",
        "price": "0.30",
        "chosen": "0.40",
        "phase": "b",
        "bucket": "1m",
    }
    assert known.texts["datasource"] == "Shelly"


async def test_variables_that_are_asked_for() -> None:
    source = knowing_tags("b10", "a9", "b10", "b2")
    several = query_variable(multi=True, includeAll=True, current={"value": ["$__all"]})
    for variable, expected in (
        (query_variable(), "b10"),
        (query_variable(sort=1), "a9"),
        (query_variable(sort=2), "b2"),
        (query_variable(sort=4), "b10"),
        (query_variable(sort=3), "b2"),
        (query_variable(sort=5, query={"query": TAG_VALUES, "refId": "A"}), "a9"),
        (query_variable(sort=6), "b2"),
        (query_variable(regex="/^A/i"), "a9"),
        (query_variable(regex="a.*"), "a9"),
        (query_variable(regex=r"/[ab](\d+)/", sort=3), "2"),
        (query_variable(regex=r"/(?<text>b)(?<value>\d)$/"), "2"),
        (query_variable(current={"value": "a9"}), "a9"),
        (query_variable(current={"value": "gone"}), "b10"),
        (query_variable(multi=True), ["b10"]),
        (query_variable(multi=True, current={"value": ["gone", "b2"]}), ["b2"]),
        (several, ("b10", "a9", "b2")),
        (query_variable(multi=True, includeAll=True), ("b10", "a9", "b2")),
        (several | {"allValue": ".*"}, ".*"),
    ):
        assert await values_of(variable, source=source) == {"device": expected}, variable
    assert await values_of(several, source=source, device=["a9"]) == {"device": ["a9"]}
    assert await values_of(query_variable(sort=3), source=knowing_tags("b", "2")) == {"device": "b"}
    for variable, nothing in ((query_variable(), ""), (query_variable(multi=True), []), (several, ())):
        assert await values_of(variable, source=knowing_tags()) == {"device": nothing}, variable


async def test_a_variable_can_depend_on_those_before_it() -> None:
    source = knowing_tags("b")
    first = {"name": "phase", "type": "custom", "query": "a"}
    second = query_variable(query=TAG_VALUES + " WHERE \"phase\" = '${phase:raw}' AND $timeFilter")
    await values_of(first, second, source=source)
    assert source.asked == [f"{TAG_VALUES} WHERE \"phase\" = 'a' AND {TIME.condition}"]


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "filters", "type": "adhoc"},
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        query_variable(sort=7),
        query_variable(regex="/a/g"),
    ],
)
async def test_variables_that_are_not_reproduced(variable: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        await values_of(variable, source=knowing_tags("a", "b"))


ANSWERED = [
    {"name": "em", "tags": {"device": "d", "phase": phase}, "columns": ["time", "u", "i"], "values": rows}
    for phase, rows in (("a", [[1000, 230.0, 1.0], [2000, None, 2.0]]), ("b", [[1000, 231.0, None]]))
]


def test_series_have_names_and_labels() -> None:
    frames = series_frames(ANSWERED, "[[tag_device]] $tag_phase $col $m $0 $tag_gone $7")
    assert [frame.name for frame in frames][:2] == ["d a u em em $tag_gone $7", "d a i em em $tag_gone $7"]
    assert [frame.labels["phase"] for frame in frames] == ["a", "a", "b", "b"]
    assert frames[0].points == {1000: 230.0}
    assert [frame.empty for frame in frames] == [False, False, False, True]
    assert series_frames(ANSWERED, "")[0].name == "em.u { device: d, phase: a }"
    assert series_frames([{"name": "em", "columns": ["time", "u"], "values": []}], "")[0].name == "em.u"


def test_a_table_has_everything_in_one() -> None:
    (frame,) = table_frames(ANSWERED)
    assert list(frame.columns) == ["Time", "device", "phase", "u", "i"]
    assert frame.rows[2] == {"Time": 1000, "device": "d", "phase": "b", "u": 231.0, "i": None}
    assert not frame.empty
    (nothing,) = table_frames([ANSWERED[1] | {"columns": ["time", "i"], "values": [[1000, None]]}])
    assert nothing.empty
    assert table_frames([]) == []
