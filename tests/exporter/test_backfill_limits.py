"""How far back minutes are asked for, and what clocks and states may do to that."""

from typing import Any

import pytest

from shelly_exporter.history.backfill import DAY_S, KEPT_DAYS, WINDOW_RECORDS, Backfill
from shelly_exporter.history.coverage import Span
from tests.exporter.minutes import BEGIN, at, met, minute

KEPT_S = KEPT_DAYS * DAY_S


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
