"""A board as Grafana runs it, against a real InfluxDB: what its panels ask, and that its faults are found."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
import pytest_asyncio

from tests.stack.grafana_queries import UnsupportedError
from tests.stack.grafana_queries.board import Viewing, shown
from tests.stack.grafana_queries.canned import knowing_tags
from tests.stack.grafana_queries.data_source import DataSource
from tests.stack.influxdb import InfluxServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 14, 30, 20, tzinfo=ZONE).timestamp()
DEVICES = ("shellypro3em-0cb815fcaf3c", "shellypro3em-0cb815fcaf3d")
BOARD: dict[str, Any] = {
    "time": {"from": "now-1h", "to": "now"},
    "templating": {
        "list": [
            {"name": "datasource", "type": "datasource", "query": "influxdb", "current": {"value": "shelly-influxdb"}},
            {
                "name": "device",
                "type": "query",
                "query": 'SHOW TAG VALUES FROM "em" WITH KEY = "device"',
                "datasource": {"type": "influxdb", "uid": "${datasource}"},
                "multi": True,
                "includeAll": True,
            },
        ]
    },
    "annotations": {"list": [{"name": "Annotations", "datasource": {"type": "grafana", "uid": "-- Grafana --"}}]},
}
WHERE = '"device" =~ /^${device:regex}$/ AND $timeFilter'
BY_PHASE = f'SELECT mean("act_power") FROM "em" WHERE {WHERE} GROUP BY time($__interval), "device", "phase" fill(null)'  # noqa: S608 - our own names
NEWEST = f'SELECT last("act_power") AS "P" FROM "em" WHERE {WHERE} GROUP BY "device", "phase"'  # noqa: S608 - as above
MINUTE_MS = 60_000
BEGIN_MS = round(NOW) * 1000 // MINUTE_MS * MINUTE_MS - 30 * MINUTE_MS


def panel(query: str, **more: Any) -> dict[str, Any]:
    """Return a panel with one query."""
    target = {"refId": "A", "rawQuery": True, "query": query, "resultFormat": "time_series", "alias": "$tag_phase"}
    target |= more.pop("target", {})
    source = {"type": "influxdb", "uid": "${datasource}"}
    return {"id": 1, "title": "Power", "gridPos": {"w": 12}, "datasource": source, "targets": [target]} | more


@pytest_asyncio.fixture
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataSource]:
    """A store with two devices that tell their number and minute as the power of each phase, for half an hour."""
    async with InfluxServer(tmp_path_factory.mktemp("influxdb")) as server:
        await server.query("", 'CREATE DATABASE "shelly"')
        lines = "\n".join(
            f"em,device={device},phase={phase} act_power={1000 * number + minute} {BEGIN_MS + minute * MINUTE_MS}"
            for number, device in enumerate(DEVICES)
            for phase in "ab"
            for minute in range(30)
        )
        async with aiohttp.ClientSession() as session:
            await session.post(f"{server.url}/write", params={"db": "shelly", "precision": "ms"}, data=lines)
        yield DataSource(uid="shelly-influxdb", name="Shelly", url=server.url, database="shelly")


async def test_a_board_against_a_real_store(store: DataSource) -> None:
    row = {"id": 9, "type": "row", "panels": [panel(NEWEST, id=2, target={"resultFormat": "table"})]}
    repeated = panel(BY_PHASE, id=3, repeat="device", maxDataPoints=60, interval="5m")
    shared = panel("", id=4, datasource={"uid": "-- Dashboard --"})
    board = BOARD | {"panels": [panel(BY_PHASE), row, repeated, shared]}
    answers = await shown(board, {store.uid: store}, Viewing(now=NOW, zone=ZONE))
    assert [answer.panel["id"] for answer in answers] == [1, 2, 3, 3]
    assert not [problem for answer in answers for problem in answer.problems]
    first, table, *copies = answers
    assert "GROUP BY time(10s)" in first.statement  # 4 s by the ladder, 900 px wide
    assert {(frame.labels["device"], frame.name) for frame in first.frames} == {(d, p) for d in DEVICES for p in "ab"}
    assert list(first.frames[0].points.values()) == list(range(30))
    assert {(row["device"], row["phase"], row["P"]) for row in table.frames[0].rows} == {
        (device, phase, 1000.0 * number + 29) for number, device in enumerate(DEVICES) for phase in "ab"
    }
    for device, copy in zip(DEVICES, copies, strict=True):
        assert {frame.labels["device"] for frame in copy.frames} == {device}
        assert "GROUP BY time(5m)" in copy.statement


async def test_times_of_a_panel_and_of_who_looks(store: DataSource) -> None:
    own = [
        panel(BY_PHASE),
        panel(BY_PHASE, timeFrom="15m"),
        panel(BY_PHASE, timeFrom="now/d"),
        panel(BY_PHASE, timeShift="1d"),
    ]
    viewing = Viewing(now=NOW, zone=ZONE, begin="now-2h", choices={"device": [DEVICES[1]]}, screen_px=400)
    answers = await shown(BOARD | {"panels": own}, {store.uid: store}, viewing)
    day, minute = 24 * 60 * MINUTE_MS, MINUTE_MS
    now = round(NOW) * 1000
    assert [(now - answer.time.from_ms, now - answer.time.to_ms) for answer in answers] == [
        (120 * minute, 0),
        (15 * minute, 0),
        (14 * 60 * minute + 30 * minute + 20_000, 0),
        (day + 120 * minute, day),
    ]
    assert [answer.empty for answer in answers] == [False, False, False, True]
    assert {frame.labels["device"] for frame in answers[0].frames} == {DEVICES[1]}
    assert "GROUP BY time(30s)" in answers[0].statement  # 200 px


@pytest.mark.parametrize(
    ("zone", "hour"), [("", 0), ("browser", 0), ("utc", 1), ("Asia/Kolkata", -4.5), ("Europe/Lisbon", 1)]
)
async def test_whose_days_a_board_shows(store: DataSource, zone: str, hour: float) -> None:
    board = BOARD | {"panels": [panel(BY_PHASE)], "timezone": zone, "time": {"from": "now/d", "to": "now"}}
    (answer,) = await shown(board, {store.uid: store}, Viewing(now=NOW, zone=ZONE))
    midnight = datetime(2026, 11, 25, tzinfo=ZONE).timestamp()
    assert answer.time.from_ms == (midnight + hour * 3600) * 1000


async def test_faults_of_a_board_are_found(store: DataSource) -> None:
    faulty = [
        panel(BY_PHASE.replace("act_power", "act_pwr")),
        panel(BY_PHASE.replace("${device:regex}", "${devce:regex}")),
        panel(BY_PHASE.replace("mean(", "men(")),
        panel(BY_PHASE, target={"alias": "$tag_phse"}),
        panel(BY_PHASE + " tz('utc')"),
    ]
    answers = await shown(BOARD | {"panels": faulty}, {store.uid: store}, Viewing(now=NOW, zone=ZONE))
    assert [answer.empty for answer in answers] == [True, True, True, False, True]
    assert [len(answer.problems) for answer in answers] == [0, 1, 1, 1, 1]
    assert answers[1].problems[0].endswith("${devce:regex} means nothing")
    assert "undefined function men()" in answers[2].problems[0]
    assert answers[3].problems == ("1 'Power' A: $tag_phse means nothing",)
    assert "unable to find time zone utc" in answers[4].problems[0]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"panels": [panel(BY_PHASE, datasource={"uid": "other"})]}, "not provisioned"),
        ({"panels": [panel(BY_PHASE, target={"rawQuery": False})]}, "rawQuery"),
        ({"panels": [panel(BY_PHASE, timeFrom="now/h")]}, "timeFrom"),
        ({"panels": [], "annotations": {"list": [{"name": "Resets", "datasource": {"uid": "a"}}]}}, "Resets"),
    ],
)
async def test_boards_that_are_not_reproduced(wrong: dict[str, Any], what: str) -> None:
    source = knowing_tags(*DEVICES)
    with pytest.raises(UnsupportedError, match=what):
        await shown(BOARD | wrong, {source.uid: source}, Viewing(now=NOW, zone=ZONE))
