import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_core.backoff import CAP_S, JITTER
from shelly_core.breaker import FAILURES_TO_OPEN, Breaker, BreakerState

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def breaker_of(failures: int, *, now: float = 100.0) -> Breaker:
    breaker = Breaker(lambda: 0.0)
    for number in range(failures):
        breaker.fail(now, f"reason {number + 1}")
    return breaker


def standing(breaker: Breaker, now: float) -> tuple[BreakerState, bool, bool]:
    return breaker.state(now), breaker.allows(now), breaker.barred(now)


def test_a_new_one_is_closed() -> None:
    breaker = Breaker(lambda: 0.0)
    assert standing(breaker, -1e9) == (CLOSED, True, False)
    assert (breaker.failures, breaker.reason, breaker.opened_at, breaker.retry_at) == (0, None, None, -math.inf)


@pytest.mark.parametrize(
    ("failures", "pause_s", "during", "after"),
    [
        (1, 1.0, CLOSED, CLOSED),
        (2, 2.0, CLOSED, CLOSED),
        (3, 4.0, OPEN, HALF_OPEN),
        (4, 8.0, OPEN, HALF_OPEN),
        (9, 60.0, OPEN, HALF_OPEN),
    ],
)
def test_it_opens_at_the_third_failure(
    failures: int, pause_s: float, during: BreakerState, after: BreakerState
) -> None:
    breaker = breaker_of(failures)
    assert (breaker.failures, breaker.reason) == (failures, f"reason {failures}")
    assert breaker.retry_at == 100.0 + pause_s
    assert breaker.opened_at == (100.0 if failures >= FAILURES_TO_OPEN else None)
    assert standing(breaker, 100.0) == (during, False, False)
    assert standing(breaker, 100.0 + pause_s - 0.001) == (during, False, False)
    assert standing(breaker, 100.0 + pause_s) == (after, True, False)


def test_it_has_been_open_since_the_first_time() -> None:
    breaker = breaker_of(3)
    breaker.fail(200.0, "still")
    assert breaker.opened_at == 100.0
    assert breaker.state(200.0) is OPEN


def test_one_answer_closes_it() -> None:
    breaker = breaker_of(5)
    breaker.succeed()
    assert standing(breaker, 100.0) == (CLOSED, True, False)
    assert (breaker.failures, breaker.reason, breaker.opened_at, breaker.retry_at) == (0, None, None, -math.inf)
    breaker.fail(200.0, "again")
    assert breaker.retry_at == 201.0
    assert breaker.state(200.0) is CLOSED


@pytest.mark.parametrize(
    ("retry_after_s", "retry_at"), [(None, 101.0), (0.0, 101.0), (0.5, 101.0), (2.5, 102.5), (59.9, 159.9)]
)
def test_the_device_may_wish_a_longer_rest(retry_after_s: float | None, retry_at: float) -> None:
    breaker = Breaker(lambda: 0.0)
    breaker.fail(100.0, "busy", retry_after_s)
    assert breaker.retry_at == retry_at
    assert standing(breaker, 100.5) == (CLOSED, False, False)


def test_a_rest_as_long_as_the_longest_pause_opens_at_once() -> None:
    breaker = Breaker(lambda: 0.0)
    breaker.fail(100.0, "wrong password", 60.0)
    assert (breaker.failures, breaker.opened_at, breaker.retry_at) == (1, 100.0, 160.0)
    assert standing(breaker, 159.9) == (OPEN, False, True)
    assert standing(breaker, 160.0) == (HALF_OPEN, True, False)
    breaker.succeed()
    breaker.fail(200.0, "no answer")
    assert standing(breaker, 200.0) == (CLOSED, False, False)


def test_a_rest_is_not_cut_short_by_another_failure() -> None:
    breaker = Breaker(lambda: 0.0)
    breaker.fail(100.0, "wrong password", 60.0)
    breaker.fail(101.0, "no answer")
    breaker.fail(102.0, "busy", 2.5)
    assert breaker.retry_at == 160.0
    breaker.succeed()
    breaker.fail(103.0, "no answer")
    assert breaker.retry_at == 104.0


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.none() | st.floats(0.0, 200.0)), min_size=1, max_size=20),
    st.floats(0.0, 1.0),
)
def test_the_pause_is_within_bounds(failures: list[tuple[float, float | None]], chance: float) -> None:
    breaker = Breaker(lambda: chance)
    now = rest_until = 0.0
    for number, (step, retry_after_s) in enumerate(failures):
        now += step
        breaker.fail(now, "no", retry_after_s)
        rest_until = max(rest_until, now + (retry_after_s or 0.0))
        full = min(CAP_S, 2.0**number)
        assert breaker.retry_at >= rest_until
        assert now + full * (1 - JITTER) - 1e-6 <= breaker.retry_at <= max(rest_until, now + full)
        assert not breaker.allows(math.nextafter(breaker.retry_at, -math.inf))
        assert breaker.allows(breaker.retry_at)


@pytest.mark.parametrize("failures", [0, 1, 5])
def test_a_certainty_opens_it_until_something_happens(failures: int) -> None:
    breaker = breaker_of(failures, now=50.0)
    breaker.trip(100.0, "the broker is away")
    assert breaker.reason == "the broker is away"
    assert breaker.opened_at == (50.0 if failures == 5 else 100.0)
    assert standing(breaker, 1e9) == (OPEN, False, True)
    breaker.fail(101.0, "no answer")
    assert (breaker.reason, breaker.failures) == ("the broker is away", failures)
    assert standing(breaker, 1e9) == (OPEN, False, True)
    breaker.try_now(200.0)
    assert standing(breaker, 200.0) == (HALF_OPEN, True, False)
    assert breaker.reason == "the broker is away"
    breaker.fail(203.0, "no answer")
    assert breaker.retry_at == 204.0
    assert breaker.state(203.0) is OPEN
    breaker.succeed()
    assert standing(breaker, 203.0) == (CLOSED, True, False)


def test_trying_early_never_puts_off() -> None:
    breaker = breaker_of(4)
    breaker.try_now(103.0)
    assert breaker.retry_at == 103.0
    breaker.try_now(150.0)
    assert breaker.retry_at == 103.0
    fresh = Breaker(lambda: 0.0)
    fresh.try_now(100.0)
    assert standing(fresh, 0.0) == (CLOSED, True, False)


def test_the_schedule_begins_again_with_an_early_trial() -> None:
    breaker = breaker_of(6)
    breaker.try_now(110.0)
    breaker.fail(110.0, "no answer")
    assert (breaker.failures, breaker.retry_at) == (7, 111.0)
