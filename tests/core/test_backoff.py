from hypothesis import given
from hypothesis import strategies as st

from shelly_core.backoff import CAP_S, FIRST_S, JITTER, Backoff

chances = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60)


def test_pauses_double_up_to_the_cap() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.next_s() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_pauses_do_not_grow_beyond_all_numbers() -> None:
    backoff = Backoff(lambda: 0.0)
    assert {backoff.next_s() for _ in range(2000)} == {1, 2, 4, 8, 16, 32, 60}


def test_it_begins_again_after_a_success() -> None:
    backoff = Backoff(lambda: 0.0)
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert [backoff.next_s() for _ in range(3)] == [1, 2, 4]


@given(chances)
def test_chance_takes_off_up_to_a_quarter_and_adds_nothing(chances: list[float]) -> None:
    drawn = iter(chances)
    backoff = Backoff(lambda: next(drawn))
    for failures, chance in enumerate(chances):
        full = min(CAP_S, FIRST_S * 2.0**failures)
        pause = backoff.next_s()
        assert full * (1 - JITTER) <= pause <= full
        assert pause == full * (1 - JITTER * chance)


def test_what_fails_together_does_not_come_back_together() -> None:
    devices = [Backoff() for _ in range(50)]
    assert len({device.next_s() for device in devices}) > 40


def test_another_cap() -> None:
    backoff = Backoff(lambda: 0.0, cap_s=5.0)
    assert [backoff.next_s() for _ in range(5)] == [1, 2, 4, 5, 5]
