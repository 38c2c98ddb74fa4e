"""Which minutes are asked for, and which are not; see `test_backfill_sequences` for any order of things."""

from typing import Any

import pytest

from shelly_core.records import Block, Record
from shelly_exporter.backfill import DAY_S, KEPT_DAYS, MINUTE_S, SETTLED_S, WINDOW_RECORDS, Backfill
from shelly_exporter.coverage import Span

BEGIN = 1_790_000_040
PAGE = 6
KEPT_S = KEPT_DAYS * DAY_S


def at(minutes: float) -> float:
    return BEGIN + MINUTE_S * minutes


def minute(number: int) -> int:
    return BEGIN + MINUTE_S * number


def records(first: int, count: int) -> list[Record]:
    return [Record(minute(first + turn), MINUTE_S, {}) for turn in range(count)]


def met(**options: Any) -> Backfill:
    backfill = Backfill(**options)
    backfill.contact(BEGIN + 30.5)
    return backfill


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


def test_only_from_the_first_contact_on_unless_history_is_wanted() -> None:
    assert met().next_window(at(1.5)) == (minute(0), minute(1))
    backfill = met(history_days=2)
    start = BEGIN - 2 * DAY_S
    assert backfill.next_window(at(1.5)) == (start, start + WINDOW_RECORDS * 60)
    backfill.contact(at(5000))
    assert backfill.complete_to == start


def test_more_history_may_be_wanted_later() -> None:
    backfill = met()
    backfill.stored(minute(0))
    again = Backfill(backfill.state(), history_days=1)
    assert again.next_window(at(1.5)) == (BEGIN - DAY_S, BEGIN - DAY_S + WINDOW_RECORDS * 60)
    again.fetched(Span(BEGIN - DAY_S, BEGIN), [], None)
    assert again.next_window(at(1.5)) is None
    less = Backfill(again.state(), history_days=0)
    assert less.next_window(at(1.5)) is None
    assert Backfill(less.state(), history_days=60).next_window(at(1.5)) == (minute(1) - KEPT_S, minute(61) - KEPT_S)
    assert again.given_up == 0


def test_what_the_device_has_overwritten_is_given_up_and_counted() -> None:
    backfill = met()
    backfill.stored(minute(0))
    backfill.stored(minute(10))
    now = BEGIN + KEPT_S + 60 * 12 + 5
    window = backfill.next_window(now)
    assert window == (minute(12), minute(12 + WINDOW_RECORDS))
    assert backfill.given_up == 10
    assert backfill.next_window(now) == window
    assert backfill.given_up == 10


def test_a_clock_that_is_not_set_counts_for_nothing() -> None:
    backfill = Backfill()
    backfill.contact(500)
    backfill.stored(180)
    assert backfill.next_window(500) is None
    assert backfill.state()["spans"] == []
    assert backfill.complete_to is None
    assert Backfill(backfill.state()).state() == backfill.state()


def test_a_clock_far_ahead_is_forgotten() -> None:
    backfill = Backfill()
    backfill.contact(BEGIN + 365 * DAY_S)
    backfill.stored(BEGIN + 365 * DAY_S)
    assert backfill.next_window(at(2.5)) is None
    assert backfill.next_window(at(5.5)) == (minute(2), minute(5))
    assert backfill.state()["spans"] == []


def test_records_of_five_minutes_cover_them() -> None:
    backfill = met()
    backfill.stored(minute(0), 300)
    assert backfill.next_window(at(6.5)) == (minute(5), minute(6))


@pytest.mark.parametrize("options", [{"history_days": -1}, {"history_days": 61}, {"window_records": 0}])
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="history_days is 0 to 60"):
        Backfill(**options)


@pytest.mark.parametrize(
    "change",
    [
        {"begin": "x"}, {"begin": 1.5}, {"given_up": None}, {"history_days": True}, {"spans": None}, {"spans": [1]},
        {"spans": [[1, 2, 3]]}, {"spans": [["1", "2"]]}, {"spans": {"0": [1, 2]}},
    ],
)  # fmt: skip
def test_a_state_that_is_none_begins_anew(change: dict[str, Any]) -> None:
    good = met()
    good.stored(minute(0))
    assert Backfill(good.state()).complete_to == minute(1)
    assert Backfill(good.state() | change).state() == Backfill().state()
