"""The boards: as generated, as Grafana wants them, and about what is really stored."""

import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from shelly_boards import BoardValues, render
from shelly_boards.kinds import Text
from shelly_boards.panel import Panel
from shelly_boards.shipped import BOARDS, FOLDER, files, write
from shelly_exporter.schema import MEASUREMENTS
from tests.app.board_schema.types_of_grafana import missing, problems

type Json = dict[str, Any]

SHIPPED: dict[str, Json] = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
VALUES = BoardValues(time_zone="Europe/Berlin", breaker_a=35.0, price_per_kwh=0.2875, export_price_per_kwh=0.0)
BUILT_IN = {"timeFilter", "__interval", "__interval_ms"}
"""What Grafana's backend puts in, without a format."""
FORMATS = {"device": "regex", "phase": "regex", "channel": "regex"}
KINDS = {"barchart", "bargauge", "stat", "state-timeline", "table", "text", "timeseries"}


def panels() -> list[Any]:
    return [
        pytest.param(board, panel, id=f"{name}-{panel['id']}")
        for name, board in SHIPPED.items()
        for panel in board["panels"]
    ]


def queries() -> list[Any]:
    return [
        pytest.param(board, target["query"], target["datasource"]["uid"], id=f"{name}-{panel['id']}-{target['refId']}")
        for name, board in SHIPPED.items()
        for panel in board["panels"]
        for target in panel["targets"]
    ]


boards = pytest.mark.parametrize("board", SHIPPED.values(), ids=SHIPPED)
each_panel = pytest.mark.parametrize(("board", "panel"), panels())
each_query = pytest.mark.parametrize(("board", "query", "source"), queries())


def test_the_files_are_what_the_code_says() -> None:
    shipped = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert shipped == files(), "run scripts/boards"


def test_the_boards_that_there_are() -> None:
    assert {name: (board["uid"], board["title"]) for name, board in SHIPPED.items()} == {
        "live": ("shelly-live", "Live"),
        "energy": ("shelly-energy", "Energy"),
        "quality": ("shelly-quality", "Pipeline & data quality"),
    }


def test_writing_takes_away_what_is_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "boards"
    folder.mkdir()
    (folder / "gone.json").write_text("{}")
    (folder / "kept.txt").write_text("not ours")
    write(folder)
    assert {path.name for path in folder.iterdir()} == {*files(), "kept.txt"}


@boards
def test_classic_format(board: Json) -> None:
    assert board["schemaVersion"] == 42
    assert not {"id", "elements", "layout", "apiVersion", "spec", "__inputs", "__requires"} & board.keys()
    assert board["timezone"] == "browser"
    assert int(re.fullmatch(r"(\d+)[sm]", board["refresh"])[1]) >= 5  # type: ignore[index]
    (links,) = board["links"]
    assert links["type"] == "dashboards"
    assert set(links["tags"]) <= set(board["tags"])
    assert board["description"].endswith(".")


@boards
def test_panels_have_ids_and_titles_of_their_own(board: Json) -> None:
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len({panel["title"] for panel in board["panels"]}) == len(board["panels"])


@boards
def test_nothing_overlaps_and_nothing_is_too_narrow(board: Json) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    for place in places:
        assert place["w"] in {12, 24}
        assert place["h"] >= 4
        assert place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


@each_panel
def test_a_panel_explains_itself(board: Json, panel: Json) -> None:
    assert panel["type"] in KINDS
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["noValue"]
    assert (panel["type"] == "text") == (not panel["targets"])


@each_panel
def test_the_queries_of_a_panel(board: Json, panel: Json) -> None:
    letters = [target["refId"] for target in panel["targets"]]
    assert letters == list("ABCDEFGH"[: len(letters)])
    for target in panel["targets"]:
        assert target["rawQuery"] is True
        assert target["datasource"] == panel["datasource"]
        assert target["alias"]
        # Grafana takes a hyphen for a part of the name before it.
        assert not re.search(r"\$tag_\w+-", target["alias"])
        assert set(re.findall(r"tag_(\w+)", target["alias"])) <= tags_of(target["query"])


@boards
def test_variables_are_known_and_used(board: Json) -> None:
    known = {variable["name"] for variable in board["templating"]["list"]}
    everything = json.dumps([board["panels"], [variable.get("datasource") for variable in board["templating"]["list"]]])
    used = set(re.findall(r"\$\{(\w+)", everything))
    # A time zone or a data source that is not used is there for boards that people make of it.
    assert used <= known
    assert known - used <= {"tz", "datasource"}


@boards
def test_variables_that_a_person_chooses_are_explained(board: Json) -> None:
    for variable in board["templating"]["list"]:
        if variable["type"] in {"query", "custom"}:
            assert variable["label"]
            assert variable["description"]
        if variable["type"] == "query":
            # Grafana takes the first series of the answer only.
            assert variable["query"].count("FROM") == 1
            assert "," not in variable["query"]
            assert variable["refresh"] == 2
        if variable["type"] == "constant":
            assert variable["current"]["value"] == variable["query"] != ""


@each_query
def test_every_format_is_written_out(board: Json, query: str, source: str) -> None:
    assert set(re.findall(r"\$(\w+)", query)) <= BUILT_IN
    several = {variable["name"] for variable in board["templating"]["list"] if variable.get("multi")}
    for name, form in re.findall(r"\$\{(\w+)(?::(\w+))?\}", query):
        assert form == (FORMATS[name] if name in several else "raw"), name


@each_query
def test_hours_and_days_are_those_of_the_home(board: Json, query: str, source: str) -> None:
    inner, outer = parts(query)
    for part in (inner, outer):
        if "time(1h)" in part or "time(1d)" in part:
            assert part.count("tz('${tz:raw}')") == 1
    if "tz(" in outer and "time(" in inner:
        assert "tz(" in inner, "an hour or a day would be put together of others"


@each_query
def test_the_time_stands_where_influxdb_1_understands_it(board: Json, query: str, source: str) -> None:
    inner, outer = parts(query)
    assert inner.count("$timeFilter") + (not inner) == 1
    assert ("$timeFilter" in outer) == (not inner or "GROUP BY time(" in outer)


@each_query
def test_what_is_asked_for_is_stored(board: Json, query: str, source: str) -> None:
    measurements = {measurement.name: measurement for measurement in MEASUREMENTS}
    names = re.findall(r'FROM "(\w+)"', query)
    assert names
    columns = {"gap", "kwh", "n", "on", "p"} if parts(query)[0] else set()
    for name in names:
        assert measurements[name].rollup == (source == "${rollups}")
        columns |= {column.name for column in measurements[name].columns} | set(measurements[name].tags)
    asked = re.sub(r'AS "[^"]*"', "", re.sub(r'FROM "\w+"', "", query))
    assert set(re.findall(r'"(\w+)"', asked)) <= columns


def test_boards_are_as_grafanas_types_say() -> None:
    need_node()
    assert problems(SHIPPED) == {name: [] for name in SHIPPED}


def _set(*path: str | int, value: Any) -> Callable[[Json], None]:
    def change(board: Json) -> None:
        place: Any = board
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


WRONG: dict[str, Callable[[Json], None]] = {
    "panel 2 custom/drawStyle": _set("panels", 1, "fieldConfig", "defaults", "custom", "drawStyle", value="linez"),
    "panel 2 custom: ": _set("panels", 1, "fieldConfig", "defaults", "custom", "lineWidht", value=1),
    "panel 1 options/textMode": _set("panels", 0, "options", "textMode", value="loud"),
    "panel 6 override custom/lineStyle": _set(
        "panels", 5, "fieldConfig", "overrides", 0, "properties", 2, value={"id": "custom.lineStyle", "value": "dash"}
    ),
    "panel 4 override/decimals": _set(
        "panels", 3, "fieldConfig", "overrides", 0, "properties", 0, value={"id": "decimals", "value": "two"}
    ),
    "board/refresh": _set("refresh", value=10),
    "board/panels/0": _set("panels", 0, "tittle", value="Power"),
}


def test_grafanas_types_find_what_is_wrong() -> None:
    need_node()
    broken = {}
    for place, change in WRONG.items():
        broken[place] = copy.deepcopy(SHIPPED["live"])
        change(broken[place])
    for place, found in problems(broken).items():
        assert any(problem.startswith(place) for problem in found), (place, found)


def test_values_are_set() -> None:
    for name, text in render(FOLDER, VALUES).items():
        board = json.loads(text)
        constants = {
            variable["name"]: variable for variable in board["templating"]["list"] if variable["type"] == "constant"
        }
        expected = {"tz": "Europe/Berlin", "breaker": "35", "price": "0.2875", "export_price": "0"}
        assert constants
        for variable in constants.values():
            value = expected[variable["name"]]
            assert (variable["query"], variable["current"]) == (value, {"text": value, "value": value})
        assert board["timezone"] == "Europe/Berlin"
        shipped = SHIPPED[Path(name).stem]
        same = {"templating": None, "timezone": None}
        assert board | same == shipped | same
    assert set(render(FOLDER, VALUES)) == {path.name for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize(
    ("price", "expected"), [(0.3, "0.3"), (1.0, "1"), (0.00001, "0.00001"), (120.0, "120"), (-0.05, "-0.05")]
)
def test_a_price_is_written_as_influxql_reads_it(price: float, expected: str) -> None:
    values = BoardValues(time_zone="UTC", breaker_a=32.0, price_per_kwh=price, export_price_per_kwh=0.1)
    board = json.loads(render(FOLDER, values)["energy.json"])
    (found,) = (variable["query"] for variable in board["templating"]["list"] if variable["name"] == "price")
    assert found == expected


def test_no_boards_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there are no boards in"):
        render(tmp_path, VALUES)


def test_a_panel_without_a_kind_is_none() -> None:
    (note,) = (panel for panel in BOARDS["quality"].panels if isinstance(panel, Text))
    with pytest.raises(NotImplementedError):
        Panel.options(note)


def parts(query: str) -> tuple[str, str]:
    """Return the subquery of a statement, or nothing, and the statement without it."""
    begin = query.find("(SELECT")
    if begin < 0:
        return "", query
    depth = 0
    for place in range(begin, len(query)):
        depth += {"(": 1, ")": -1}.get(query[place], 0)
        if depth == 0:
            return query[begin : place + 1], query[:begin] + query[place + 1 :]
    raise AssertionError(f"a parenthesis is missing in {query}")


def tags_of(query: str) -> set[str]:
    """Return the tags that the answer to a statement is grouped by."""
    _, outer = parts(query)
    return set(_grouped(outer))


def _grouped(query: str) -> Iterator[str]:
    _, _, groups = query.partition("GROUP BY ")
    yield from re.findall(r'"(\w+)"', groups)


def need_node() -> None:
    """Skip where Node is missing; the machine of CI must have it."""
    if (name := missing()) is not None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing: install nodejs and npm")
        pytest.skip(f"{name} is missing: the boards are not compared with Grafana's types")
