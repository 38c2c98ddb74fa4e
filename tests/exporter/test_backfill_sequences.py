"""In the end each minute was told or asked for, and nothing is asked for again that was answered."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shelly_core.records import FIRST_TS, Record
from shelly_exporter.history.backfill import MINUTE_S, SETTLED_S
from tests.exporter.backfill_machine import Machine
from tests.exporter.minutes import BEGIN, at, met

TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(FIRST_TS, BEGIN + 10_000), max_size=4),
            st.none() | st.integers(0, BEGIN + 10_000),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_it_answers_it_comes_to_an_end(answers: list[tuple[list[int], int | None]]) -> None:
    backfill = met(window_records=7)
    now = at(100) + SETTLED_S
    turns = 0
    while (window := backfill.next_window(now)) is not None:
        told, next_ts = answers[turns % len(answers)]
        backfill.fetched(window, [Record(ts, MINUTE_S, {}) for ts in told], next_ts)
        again = backfill.next_window(now)
        assert again is None or again.start > window.start
        turns += 1
        assert turns <= 6_000
