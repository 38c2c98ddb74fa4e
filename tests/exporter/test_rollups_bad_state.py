"""A state that is none, makes no sense, or holds too much."""

import math
from typing import Any

import pytest

from tests.exporter.rollup_points import feed, rollups
from tests.exporter.rollup_restarts import READINGS, B


def test_a_state_beyond_the_limit_of_series_is_counted() -> None:
    some = rollups()
    feed(some, READINGS[:1])
    feed(some, READINGS[:1], B)
    few = rollups(state=some.state(), max_series=1)
    assert len(few) == 1
    assert few.ignored == {"too many series": 1}


GOOD = [1.79e9, 1000.0, 1.79e9, 1000.0, 1.79e9, 1000.0]


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"version": 2, "zone": "Europe/Berlin", "series": [], "over": []},
        {"version": 1, "zone": "Europe/Berlin", "series": {}, "over": []},
        {"version": 1, "zone": "Europe/Berlin", "series": []},
    ],
)
def test_no_state_at_all(state: dict[str, Any]) -> None:
    some = rollups(state=state)
    assert (len(some), some.ignored) == (0, {"state": 1})


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        7,
        "seven",
        ["d", 0, "a"],
        ["d", 0, "a", None],
        ["d", 0, "a", []],
        ["d", 0, {"resets": GOOD}],
        ["d", "0", "a", {"resets": GOOD}],
        ["d", 0, "a", {"import_kwh": GOOD}],
        ["d", 0, "a", {"import_kwh": GOOD[:5], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [*GOOD[:5], "x"], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [*GOOD[:5], math.inf], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [math.nan, *GOOD[1:]], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [1e300, *GOOD[1:]], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [1.79e9, -1.0, *GOOD[2:]], "resets": GOOD}],
    ],
)
def test_what_makes_no_sense_in_a_state_is_left_out(entry: Any) -> None:
    some = rollups()
    feed(some, READINGS[:10])
    state = some.state() | {"over": []}
    again = rollups(state=state | {"series": [entry, *state["series"]]})
    assert (len(again), again.ignored) == (1, {"state": 1})
    feed(some, READINGS[10:])
    feed(again, READINGS[10:])
    some.lines(), again.lines()
    assert again.state() == some.state()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        ["d", 0, "a", "energy_1h", 1, {}],
        ["d", 0, "a", "energy_1m", 3600, {}],
        ["d", 0, "a", "energy_1h", 1e300, {}],
        ["d", 0, "a", "energy_1h", 3600, {"import_mwh": 1}],
        ["d", 0, "a", "energy_1h", 3600, []],
        ["d", 0, "a", "energy_1h", "noon", {}],
        ["d", 0, None, "energy_1h", 3600, {"resets": 1}],
        ["d", 0, "a", "energy_1h", 3600, {"resets": None}],
    ],
)
def test_points_that_make_no_sense_in_a_state_are_left_out(entry: Any) -> None:
    again = rollups(state={"version": 1, "zone": "Europe/Berlin", "series": [], "over": [entry]})
    assert (again.lines(), again.ignored) == ([], {"state": 1})
