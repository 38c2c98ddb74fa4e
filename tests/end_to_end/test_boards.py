"""Every query of the boards as Grafana runs it, on what the real exporter stored: nothing wrong, empty, or untrue."""

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.end_to_end.boards_opened import EXPORT_PRICE, PRICE, Opened, opened_boards, rendered
from tests.stack.grafana_queries import truth
from tests.stack.grafana_queries.board import panels
from tests.stack.grafana_queries.story import HOUR_S, MINUTE_S, PHASES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIVE, ENERGY, QUALITY = UIDS = ("shelly-live", "shelly-energy", "shelly-quality")
SHORT_MS, MINUTE_MS, HOUR_MS = 10_000, 60_000, 3_600_000
GAPS = 7
"""The panel that has nothing to show while all is well."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Opened]:
    async with opened_boards(tmp_path_factory.mktemp("story")) as opened:
        yield opened


def test_all_boards_are_here(opened: Opened) -> None:
    assert set(opened.boards) == set(UIDS)
    for answers in opened.boards.values():
        assert len(answers) > 10


@pytest.mark.parametrize("uid", UIDS)
def test_every_query_has_an_answer(opened: Opened, uid: str) -> None:
    for answers in (opened.boards[uid], opened.alone[uid], opened.later[uid]):
        assert [problem for answer in answers for problem in answer.problems] == []


@pytest.mark.parametrize("uid", UIDS)
def test_no_panel_is_empty(opened: Opened, uid: str) -> None:
    empty = {(answer.panel["id"], answer.panel["title"]) for answer in opened.boards[uid] if answer.empty}
    assert empty == ({(GAPS, "Gaps")} if uid == QUALITY else set())
    assert [answer.place for answer in opened.later[uid] if answer.empty] == []


@pytest.mark.parametrize("uid", UIDS)
def test_names_that_panels_use_are_there(opened: Opened, uid: str) -> None:
    for panel in panels(rendered(opened.story)[uid]):
        answers = [answer for answer in opened.later[uid] if answer.panel["id"] == panel["id"]]
        frames = [frame for answer in answers for frame in answer.frames]
        there = {name for frame in frames for name in (frame.name, *frame.columns)}
        reshaped = False
        for step in panel.get("transformations", []):
            options = step["options"]
            if step["id"] == "organize" and not reshaped:
                used = {*options["excludeByName"], *options["indexByName"], *options["renameByName"]}
                assert used <= there, panel["title"]
            reshaped |= step["id"] in {"groupBy", "groupingToMatrix", "reduce"}
            there |= set(options.get("renameByName", {}).values())
        overridden = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
        assert overridden <= there, panel["title"]


def test_power_of_each_phase(opened: Opened) -> None:
    story, answer = opened.story, opened.answer(LIVE, 3)
    unclear = truth.blurred(story, story.meter)
    for phase in PHASES:
        expected = truth.by_bucket(truth.told(story, story.meter, "em:0", f"{phase}_act_power"), answer.time, SHORT_MS)
        found = opened.points(LIVE, 3, f"{story.meter.id} {phase}")
        clear = {at for at in expected if not any(begin <= at <= end for begin, end in unclear)}
        assert len(clear) > 500
        assert {at: found.get(at) for at in clear} == {
            at: pytest.approx(sum(expected[at]) / len(expected[at])) for at in clear
        }
        assert {at for at in found if not any(begin <= at <= end for begin, end in unclear)} == clear


def test_power_of_whole_meters(opened: Opened) -> None:
    story, answer = opened.story, opened.answer(LIVE, 2)
    for device, key, field, name, ref_id in (
        (story.meter, "em:0", "total_act_power", story.meter.id, "A"),
        (story.single, "em1:1", "act_power", f"{story.single.id} channel 1", "B"),
    ):
        expected = truth.by_bucket(truth.told(story, device, key, field), answer.time, SHORT_MS)
        unclear = truth.blurred(story, device)
        clear = {at for at in expected if not any(begin <= at <= end for begin, end in unclear)}
        found = opened.points(LIVE, 2, name, ref_id)
        assert len(clear) > 500
        assert {at: found.get(at) for at in clear} == {
            at: pytest.approx(sum(expected[at]) / len(expected[at])) for at in clear
        }


def test_the_newest_readings(opened: Opened) -> None:
    story = opened.story
    now = opened.frame(LIVE, 4)
    assert {(row["device"], row["phase"]) for row in now.rows} == {(story.meter.id, phase) for phase in PHASES}
    for row in now.rows:
        for column, field in (("Power", "act_power"), ("Voltage", "voltage"), ("Current", "current")):
            points = truth.told(story, story.meter, "em:0", f"{row['phase']}_{field}")
            assert row[column] == points[max(points)]
    newest = opened.frame(LIVE, 12)
    points = truth.told(story, story.meter, "em:0", "total_act_power")
    assert [(row["device"], row["Time"]) for row in newest.rows] == [(story.meter.id, max(points))]


def test_the_line_of_the_breaker(opened: Opened) -> None:
    assert set(opened.points(LIVE, 6, "breaker", "C").values()) == {32}


def test_relays(opened: Opened) -> None:
    story, answer = opened.story, opened.answer(LIVE, 9)
    begin, end = answer.time.from_ms / 1000, answer.time.to_ms / 1000
    for relay in range(3):
        name, edges = f"{story.relays.id} relay {relay}", [at for at, _ in truth.switched(story, relay)]
        found = opened.points(LIVE, 9, name)
        clear = [at for at in found if all(abs(at / 1000 - edge) > truth.BLURRED_S for edge in edges)]
        assert len(clear) > 800
        assert [at for at in clear if found[at] != truth.is_on(story, relay, at / 1000)] == []
        share = truth.on_hours(story, relay, begin, end) * HOUR_S / (end - begin)
        assert list(opened.points(LIVE, 10, name).values()) == [pytest.approx(share, abs=0.06)]
    assert sum(len(truth.switched(story, relay)) for relay in range(3)) == 5


def test_hours_that_relays_were_on(opened: Opened) -> None:
    story = opened.story
    midnight = opened.midnight
    for relay in range(3):
        found = opened.points(LIVE, 11, f"{story.relays.id} relay {relay}")
        assert set(found) == {round((midnight - 24 * HOUR_S) * 1000), round(midnight * 1000)}
        for begin, hours in found.items():
            expected = truth.on_hours(story, relay, begin / 1000, min(opened.evening, begin / 1000 + 24 * HOUR_S))
            assert hours == pytest.approx(expected, abs=0.2), relay


def test_energy_of_each_hour(opened: Opened) -> None:
    story = opened.story
    drawn, fed_in = opened.points(ENERGY, 5, "drawn"), opened.points(ENERGY, 5, "fed in")
    hours = list(opened.whole_hours())
    assert len(hours) >= 2
    for hour in hours:
        begin = hour / 1000
        true_drawn, true_fed_in = truth.energy_kwh(story, (story.meter, story.single), begin, begin + HOUR_S)
        assert drawn[hour] == pytest.approx(true_drawn, abs=0.03)
        assert fed_in[hour] == pytest.approx(-true_fed_in, abs=0.03)
        assert true_drawn > 0.1


def test_all_hours_are_what_the_counters_grew(opened: Opened) -> None:
    grown = _grown(opened)
    for name, sign, place in (("drawn", 1, 0), ("fed in", -1, 1)):
        assert sum(opened.points(ENERGY, 5, name).values()) * sign == pytest.approx(grown[place], abs=1e-6)
        assert grown[place] > 0.1


def test_energy_of_days_months_and_weeks(opened: Opened) -> None:
    hours = opened.points(ENERGY, 5, "drawn")
    midnight = round(opened.midnight * 1000)
    yesterday = sum(kwh for at, kwh in hours.items() if at < midnight)
    today = sum(kwh for at, kwh in hours.items() if at >= midnight)
    assert min(yesterday, today) > 0.2
    days = opened.frame(ENERGY, 6)
    assert [(row["Time"], row["drawn"]) for row in days.rows] == [
        (midnight - 24 * HOUR_MS, pytest.approx(yesterday)),
        (midnight, pytest.approx(today)),
    ]
    for panel, expected in ((1, today), (2, yesterday), (4, today + yesterday)):
        assert list(opened.points(ENERGY, panel, "drawn").values()) == [pytest.approx(expected)]
    months = opened.frame(ENERGY, 9)
    assert sum(row["drawn"] for row in months.rows) == pytest.approx(today + yesterday)
    names = {f"{row['year']}-{row['month']}" for row in months.rows}
    assert {frame.name for frame in opened.answer(ENERGY, 8).frames} == names
    assert datetime.fromtimestamp(opened.evening, opened.story.zone).strftime("%Y-%m") in names
    week = opened.frame(ENERGY, 10)
    local = {at: datetime.fromtimestamp(at / 1000, opened.story.zone) for at in hours}
    assert {(row["dow"], row["hour"]): row["kwh"] for row in week.rows} == {
        (str(moment.isoweekday()), f"{moment.hour:02}"): pytest.approx(hours[at]) for at, moment in local.items()
    }


def test_costs(opened: Opened) -> None:
    energy, cost = opened.frame(ENERGY, 6), opened.frame(ENERGY, 7)
    assert [(row["cost"], row["earned"]) for row in cost.rows] == [
        (pytest.approx(row["drawn"] * PRICE), pytest.approx(row["fed in"] * EXPORT_PRICE)) for row in energy.rows
    ]
    total = sum(row["cost"] for row in cost.rows)
    assert list(opened.points(ENERGY, 4, "cost").values()) == [pytest.approx(total)]


def test_demand(opened: Opened) -> None:
    story, answer = opened.story, opened.answer(ENERGY, 11)
    quarter_ms = 15 * MINUTE_MS
    expected = truth.by_bucket(truth.told(story, story.meter, "em:0", "total_act_power"), answer.time, quarter_ms)
    found = opened.points(ENERGY, 11, f"{story.meter.id} 0")
    # The first and the last are not whole; an answer in between moves a mean of ninety a little.
    whole = sorted(expected)[1:-1]
    assert len(whole) > 10
    assert {at: found[at] for at in whole} == {
        at: pytest.approx(sum(expected[at]) / len(expected[at]), rel=0.02, abs=10) for at in whole
    }
    highest = opened.points(ENERGY, 12, f"{story.meter.id} 0")
    assert max(highest.values()) == pytest.approx(max(found.values()))


def test_counters(opened: Opened) -> None:
    story = opened.story
    three, one = opened.frame(ENERGY, 13), opened.frame(ENERGY, 13, "B")
    drawn = truth.told(story, story.meter, "emdata:0", "total_act")
    assert [(row["device"], row["Drawn"]) for row in three.rows] == [
        (story.meter.id, pytest.approx(drawn[max(drawn)] / 1000))
    ]
    for row in one.rows:
        fed_in = truth.told(story, story.single, f"em1data:{row['channel']}", "total_act_ret_energy")
        assert row["Fed in"] == pytest.approx(fed_in[max(fed_in)] / 1000)
    assert {row["channel"] for row in one.rows} == {"0", "1", "2"}


def test_coverage(opened: Opened) -> None:
    story = opened.story
    for device, key, field, name, ref_id in (
        (story.meter, "em:0", "total_act_power", f"{story.meter.id} 0", "A"),
        (story.single, "em1:2", "act_power", f"{story.single.id} 2", "B"),
    ):
        minutes = {at // MINUTE_MS for at in truth.told(story, device, key, field)}
        readings, records = opened.points(QUALITY, 5, name, ref_id), opened.points(QUALITY, 6, name, ref_id)
        for hour in opened.whole_hours():
            told = sum(hour <= minute * MINUTE_MS < hour + HOUR_MS for minute in minutes)
            assert readings[hour] == pytest.approx(told / 60 * 100)
            assert records[hour] == 100


def test_the_exporter_about_itself(opened: Opened) -> None:
    known = opened.points(QUALITY, 1, "known")
    assert known[max(known)] == 3
    down = opened.points(QUALITY, 1, "not reached")
    assert down[max(down)] == 0
    for device in opened.story.fleet.devices:
        levels, roads = opened.points(QUALITY, 3, device.id), opened.points(QUALITY, 4, device.id)
        assert set(levels.values()) <= {0, 1}
        assert set(roads.values()) == {"mqtt"}
    assert sum(opened.points(QUALITY, 9, "messages").values()) > 100
    assert sum(opened.points(QUALITY, 10, "errors").values()) == 0


def test_gaps_are_shown_with_their_length(opened: Opened) -> None:
    story, (begin, end) = opened.story, opened.story.spans["silence"]
    for ref_id, device, channels in (("A", story.meter, ["0"]), ("B", story.single, ["0", "1", "2"])):
        (answer,) = (each for each in opened.later[QUALITY] if (each.panel["id"], each.ref_id) == (GAPS, ref_id))
        rows = [row for frame in answer.frames for row in frame.rows]
        assert sorted((row["device"], row["channel"]) for row in rows) == [(device.id, each) for each in channels]
        for row in rows:
            assert row["gap"] == pytest.approx(end - begin, abs=3 * MINUTE_S)
            assert begin < row["Time"] / 1000 < end + 3 * MINUTE_S


def test_one_device_alone(opened: Opened) -> None:
    meter = opened.story.meter.id
    for uid in UIDS:
        tagged = {
            frame.labels.get("device")
            for answer in opened.alone[uid]
            for frame in answer.frames
            if "device" in frame.labels
        }
        assert tagged == {meter}
    widths = {answer.statement for answer in opened.alone[LIVE] if answer.panel["id"] == 3}
    assert all("GROUP BY time(30s)" in statement for statement in widths)


def _grown(opened: Opened) -> tuple[float, float]:
    """Return by how much all counters grew, in kWh, from where they stood at first to what was told last."""
    story = opened.story
    parts = [(story.meter, "emdata:0", "total_act", "total_act_ret")]
    parts += [(story.single, f"em1data:{n}", "total_act_energy", "total_act_ret_energy") for n in range(3)]
    grown = [0.0, 0.0]
    for device, key, *fields in parts:
        for place, field in enumerate(fields):
            points = truth.told(story, device, key, field)
            grown[place] += (points[max(points)] - story.first[device.id, key][field]) / 1000
    return grown[0], grown[1]
