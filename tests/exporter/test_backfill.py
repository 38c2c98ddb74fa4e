"""Which minutes are asked for, and which are not; see `test_backfill_sequences` for any order of things."""

import pytest

from shelly_core.records import Block
from shelly_exporter.history.backfill import SETTLED_S, Backfill
from shelly_exporter.history.coverage import Span
from tests.exporter.minutes import BEGIN, at, met, minute, records

PAGE = 6


def test_nothing_is_asked_for_before_anything_was_missed() -> None:
    backfill = Backfill()
    assert (backfill.complete_to, backfill.missing(at(100))) == (None, 0)
    assert backfill.next_window(at(0.5)) is None
    assert backfill.complete_to == BEGIN
    backfill.stored(minute(0))
    backfill.stored(minute(1))
    assert backfill.next_window(at(3.4)) is None
    assert backfill.complete_to == minute(2)


def test_a_minute_is_asked_for_when_its_event_is_overdue() -> None:
    backfill = met()
    assert backfill.next_window(at(1) + SETTLED_S - 0.1) is None
    assert backfill.next_window(at(1) + SETTLED_S) == (minute(0), minute(1))
    assert backfill.missing(at(1) + SETTLED_S) == 1


def test_a_hole_is_fetched_in_windows_oldest_first() -> None:
    backfill = met(window_records=10)
    backfill.stored(minute(0))
    backfill.stored(minute(25))
    now = at(26.9)
    assert backfill.missing(now) == 24
    assert backfill.next_window(now) == Span(minute(1), minute(11))
    backfill.fetched(Span(minute(1), minute(11)), records(1, 10), None)
    assert backfill.next_window(now) == Span(minute(11), minute(21))
    assert backfill.complete_to == minute(11)
    backfill.fetched(Span(minute(11), minute(21)), records(11, 6), minute(17))
    assert backfill.next_window(now) == Span(minute(17), minute(25))
    backfill.fetched(Span(minute(17), minute(25)), records(17, 8), None)
    assert (backfill.next_window(now), backfill.complete_to, backfill.missing(now)) == (None, minute(26), 0)


def test_after_a_failure_the_same_is_asked_for_again() -> None:
    backfill = met()
    assert backfill.next_window(at(10.5)) == backfill.next_window(at(10.5)) == (minute(0), minute(10))
    backfill.stored(minute(4))
    assert backfill.next_window(at(10.5)) == (minute(0), minute(4))


def test_what_the_device_does_not_have_is_done_with() -> None:
    backfill = met()
    window = backfill.next_window(at(20.5))
    assert window == (minute(0), minute(20))
    backfill.fetched(window, [*records(0, 2), *records(8, 4)], minute(12))
    assert backfill.complete_to == minute(12)
    backfill.fetched(Span(minute(12), minute(20)), [], None)
    assert backfill.next_window(at(20.5)) is None


def test_the_list_of_blocks_spares_asking_for_what_is_not_there() -> None:
    backfill = Backfill()
    backfill.available([Block(minute(0), 60, 5)])
    assert backfill.complete_to is None
    backfill.contact(at(0))
    blocks = [Block(minute(90), 60, 10), Block(minute(10), 60, 2)]
    backfill.available(blocks)
    now = at(120.5)
    assert backfill.next_window(now) == (minute(10), minute(12))
    backfill.fetched(Span(minute(10), minute(12)), records(10, 2), None)
    assert backfill.next_window(now) == (minute(90), minute(120)), "nobody said that nothing comes after the last block"
    later = met()
    later.available(blocks, since=minute(50))
    assert later.next_window(now) == (minute(0), minute(50))


@pytest.mark.parametrize("next_ts", [0, minute(-5), minute(0)])
def test_a_device_that_does_not_go_on_is_not_asked_for_ever(next_ts: int) -> None:
    backfill = met()
    window = Span(minute(0), minute(20))
    backfill.fetched(window, records(0, 3), next_ts)
    assert backfill.next_window(at(20.5)) == (minute(3), minute(20))
    backfill.fetched(Span(minute(3), minute(20)), [], next_ts)
    assert backfill.next_window(at(20.5)) is None
