from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_core.counters import CONFIRM_S, DIP, GROWTH_NOISE_WH, GROWTH_SLACK, JUMP, RESET, RESET_RATIO, CounterGuard
from shelly_core.validation import Rejection, limits_for
from tests.core.payloads import FIXTURE_NAMES, fixture, notification_frames

MAX_POWER_W = limits_for(120.0).max_power_w
PER_MINUTE_WH = MAX_POWER_W / 60 * GROWTH_SLACK
"""9 kWh: what a counter may grow by from minute to minute, beside the noise."""

KEY, FIELD = "emdata:0", "total_act"


def judge(guard: CounterGuard, now: float, value: float | None) -> str | None:
    """Tell the guard of one counter, and return why it was not believed."""
    rejections = guard.admit(KEY, {FIELD: value}, now)
    if not rejections:
        return None
    assert rejections == (Rejection(KEY, FIELD, rejections[0].reason, value),)
    return rejections[0].reason


Told = tuple[float, float | None, str | None]

STORIES: dict[str, tuple[list[Told], int]] = {
    "an ordinary day": (
        [(0, 0, None), (60, 0, None), (120, 0.02, None), (180, 12, None), (240, 12.0, None), (300, 900.5, None)],
        0,
    ),
    "nothing told": ([(0, None, None), (60, 1000, None), (120, None, None), (180, 999.9, DIP), (240, 1000.1, None)], 0),
    "the first reading is believed, whatever it is": ([(0, 1e12, None), (60, 1e12 + 1, None)], 0),
    "as fast as the meter can count": (
        [(0, 0, None), (60, PER_MINUTE_WH + 100, None), (120, 2 * PER_MINUTE_WH + 200.1, JUMP)],
        0,
    ),
    "no time passed": ([(0, 5.0, None), (0, 5.0, None), (0, 105.0, None), (0, 205.1, JUMP)], 0),
    "a long silence": ([(0, 1000.0, None), (86_400, 8e6, None)], 0),
    "a dip, however long": (
        [(0, 1000.0, None), *((60 * n, 999.99, DIP) for n in range(1, 200)), (12_000, 1000, None)],
        0,
    ),
    "half of it is a dip, too": ([(0, 1000, None), *((60 * n, 500 + n, DIP) for n in range(1, 200))], 0),
    "just above a tenth": ([(0, 1000, None), (60, 100.1, DIP), (120, 100.1, DIP), (180, 100, RESET)], 0),
    "a spike": ([(0, 1000, None), (60, 1e9, JUMP), (120, 1001, None), (180, 1e9, JUMP), (240, 1002, None)], 0),
    "a jump that lasts": (
        [(0, 1000, None), (10, 1e6, JUMP), (20, 1e6, JUMP), (39.9, 1e6 + 1, JUMP), (40, 1e6 + 1, None), (50, 1e6, DIP)],
        0,
    ),
    "a jump that time makes plausible": ([(0, 0, None), (1, 5000, JUMP), (25, 5000, JUMP), (33, 5001, None)], 0),
    "a reset": ([(0, 45_236.97, None), (60, 0.15, RESET), (120, 0.15, None), (180, 0.2, None), (240, 0.1, DIP)], 1),
    "a reset, told often": ([(0, 1000, None), *((t, t / 10, RESET) for t in range(1, 31)), (31, 3.1, None)], 1),
    "a reset for a moment": (
        [(0, 1000, None), (60, 0, RESET), (61, 1000.1, None), (120, 0, RESET), (149, 1, RESET)],
        0,
    ),
    "a reset that runs back is none": (
        [(0, 1000, None), (60, 5, RESET), (120, 4, RESET), (149, 4, RESET), (150, 4, None)],
        1,
    ),
    "a reset that leaps is none": ([(0, 1e6, None), (10, 0, RESET), (40, 99_000, RESET), (70, 99_000, None)], 1),
    "a reset during a dip": (
        [(0, 1000, None), (60, 950, DIP), (120, 950, DIP), (180, 0, RESET), (240, 0.1, None), (300, 0.2, None)],
        1,
    ),
    "a dip during a reset": ([(0, 1000, None), (10, 0, RESET), (20, 950, DIP), (41, 1, RESET), (71, 1, None)], 1),
    "a dip after a reset that nobody confirmed": (
        [(0, 1000, None), (60, 0, RESET), (3600, 500, DIP), (3660, 500, DIP)],
        0,
    ),
    "low and high in turn": (
        [(0, 1000, None), *((20 * n, 1e9 * (n % 2), JUMP if n % 2 else RESET) for n in range(1, 99))],
        0,
    ),
    "two lies in turn": ([(0, 1000, None), *((20 * n, 1e8 * (1 + n % 2), JUMP) for n in range(1, 99))], 0),
    "two resets": (
        [(0, 1000, None), (60, 0, RESET), (120, 0, None), (180, 60, None), (240, 3, RESET), (300, 3, None)],
        2,
    ),
    "from nothing": (
        [(0, 0, None), (60, 0.0, None), (61, 1e6, JUMP), (91, 1e6, None), (151, 0, RESET), (181, 0, None)],
        1,
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_stories(story: str) -> None:
    told, resets = STORIES[story]
    guard = CounterGuard(MAX_POWER_W)
    assert [judge(guard, now, value) for now, value, _ in told] == [reason for _, _, reason in told]
    assert guard.resets == resets


def test_each_counter_of_a_status_is_judged_by_itself() -> None:
    guard = CounterGuard(MAX_POWER_W)
    names = [f"{phase}_total_act{ret}_energy" for phase in "abc" for ret in ("", "_ret")] + [
        "total_act",
        "total_act_ret",
    ]
    told: dict[str, Any] = dict.fromkeys(names, 1000.0)
    assert guard.admit("emdata:0", told | {"id": 0, "errors": []}, 0.0) == ()
    wrong = told | {
        "b_total_act_energy": 0,
        "c_total_act_ret_energy": 990,
        "total_act": 1e9,
        "a_total_act_energy": None,
    }
    assert guard.admit("emdata:0", wrong, 60.0) == (
        Rejection("emdata:0", "b_total_act_energy", RESET, 0),
        Rejection("emdata:0", "c_total_act_ret_energy", DIP, 990),
        Rejection("emdata:0", "total_act", JUMP, 1e9),
    )
    assert guard.admit("emdata:0", told, 61.0) == ()
    for name in names:
        assert [rejection.field for rejection in guard.admit("emdata:0", {name: 999.0}, 62.0)] == [name]
    # Another component has counters of its own.
    assert guard.admit("emdata:1", {"total_act": 5.0}, 62.0) == ()


def test_components_of_one_phase() -> None:
    guard = CounterGuard(MAX_POWER_W)
    assert guard.admit("em1data:2", {"id": 2, "total_act_energy": 6737.72, "total_act_ret_energy": 1.78}, 0.0) == ()
    told = {"id": 2, "total_act_energy": 6737.71, "total_act_ret_energy": 1.77, "total_act": 0}
    assert guard.admit("em1data:2", told, 60.0) == (
        Rejection("em1data:2", "total_act_energy", DIP, 6737.71),
        Rejection("em1data:2", "total_act_ret_energy", DIP, 1.77),
    )


def test_relays_that_measure() -> None:
    guard = CounterGuard(MAX_POWER_W)
    first = {"id": 0, "aenergy": {"total": 369.368, "by_minute": [0.0]}, "ret_aenergy": {"total": 0.0}}
    assert guard.admit("switch:0", first, 0.0) == ()
    fallen = {"total": 369.3, "by_minute": [0.0]}
    told = {"aenergy": fallen, "ret_aenergy": {"total": 1e6}}
    assert guard.admit("switch:0", told, 1.0) == (
        Rejection("switch:0", "aenergy", DIP, fallen),
        Rejection("switch:0", "ret_aenergy", JUMP, {"total": 1e6}),
    )
    # Those that say nothing of it, as those of a Pro 3, change nothing.
    silent: list[dict[str, Any]] = [{"output": True}, {"aenergy": None}, {"aenergy": {}}, {"aenergy": {"total": None}}]
    for nothing in silent:
        assert guard.admit("switch:0", nothing, 2.0) == ()
    assert guard.admit("switch:0", {"aenergy": {"total": 369.4}}, 3.0) == ()


@pytest.mark.parametrize(
    ("key", "watched"),
    [
        ("emdata:0", True),
        ("em1data:2", True),
        ("switch:100", True),
        ("em:0", False),
        ("em1:0", False),
        ("emdata:x", False),
        ("sys", False),
        ("", False),
    ],
)
def test_components_with_counters(key: str, watched: bool) -> None:
    guard = CounterGuard(MAX_POWER_W)
    assert guard.watches(key) is watched
    for value in (1000.0, 5.0):
        told = {"total_act": value, "total_act_energy": value, "aenergy": {"total": value}}
        assert bool(guard.admit(key, told, 0.0)) is (watched and value == 5.0)


def test_a_component_that_is_gone_starts_anew() -> None:
    guard = CounterGuard(MAX_POWER_W)
    assert judge(guard, 0, 1000.0) is None
    assert guard.admit("emdata:1", {FIELD: 1000.0}, 0.0) == ()
    guard.forget(KEY)
    guard.forget("em:0")
    assert guard.admit(KEY, {FIELD: 5.0, "total_act_ret": 99.0}, 1.0) == ()
    assert guard.admit("emdata:1", {FIELD: 5.0}, 1.0)
    assert guard.resets == 0


def test_other_clamps_change_what_is_plausible() -> None:
    guard = CounterGuard(limits_for(63.0).max_power_w)
    assert judge(guard, 0, 0.0) is None
    assert judge(guard, 60, 9000.0) == JUMP
    guard.max_power_w = MAX_POWER_W
    assert judge(guard, 60, 9000.0) is None


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_no_fixture_has_a_counter_that_is_not_believed(name: str) -> None:
    guard = CounterGuard(limits_for(None).max_power_w)
    for key, status in fixture(name, "Shelly.GetStatus").items():
        assert guard.admit(key, status, 0.0) == ()
    for minute, frame in enumerate(notification_frames(name), 1):
        for key, delta in orjson.loads(frame)["params"].items():
            if guard.watches(key):
                assert guard.admit(key, delta, 60.0 * minute) == ()


wh = st.one_of(
    st.none(),
    st.integers(0, 2000),
    st.floats(0, 1e13),
    st.sampled_from([0, 0.0, 1, 99.9, 100, 100.1, 900, 999.99, 1000, 1000.5, 10_000, 1e6, 1e6 + 1, 1e9]),
)
pauses = st.one_of(st.sampled_from([0.0, 1.0, 10.0, 29.9, 30.0, 60.0]), st.floats(0, 1e5))
told_over_time = st.lists(st.tuples(pauses, wh), max_size=40)


def over_time(told: Iterable[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    now = 0.0
    return [(now := now + pause, value) for pause, value in told]


def plausible(since: float, until: float) -> float:
    return MAX_POWER_W * (until - since) / 3600 * GROWTH_SLACK + GROWTH_NOISE_WH


@given(told=told_over_time)
def test_whatever_is_told_the_counter_that_is_shown_makes_sense(told: list[tuple[float, float | None]]) -> None:
    guard = CounterGuard(MAX_POWER_W)
    shown: tuple[float, float] | None = None
    waiting_since: float | None = None  # when the run of refused readings began
    for now, value in over_time(told):
        resets = guard.resets
        reason = judge(guard, now, value)
        if value is None:
            assert (reason, guard.resets) == (None, resets)
            continue
        if reason is not None:
            assert guard.resets == resets
            waiting_since = now if waiting_since is None else waiting_since
            continue
        if shown is not None:
            at, last = shown
            lasted = waiting_since is not None and now - waiting_since >= CONFIRM_S
            if value < last:
                assert value <= RESET_RATIO * last
                assert lasted
            assert guard.resets == resets + (value < last)
            assert value - last <= plausible(at, now) or lasted
        shown, waiting_since = (now, value), None


@given(
    steps=st.lists(st.tuples(st.floats(0.1, 600), st.floats(0, 1)), max_size=30),
    lies=st.lists(st.booleans(), max_size=30),
)
def test_single_lies_never_hold_up_a_true_counter(steps: list[tuple[float, float]], lies: list[bool]) -> None:
    guard = CounterGuard(MAX_POWER_W)
    now, true = 0.0, 1000.0
    assert judge(guard, now, true) is None
    for (pause, load), lie in zip(steps, lies, strict=False):
        if lie:
            assert judge(guard, now, 1e12) == JUMP
            assert judge(guard, now, 0.0) == RESET
            assert judge(guard, now, true * 0.99) == DIP
        now += pause
        true += load * MAX_POWER_W * pause / 3600
        assert judge(guard, now, true) is None
    assert guard.resets == 0
