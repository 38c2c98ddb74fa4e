"""Hours and days round a change of the clock, and in zones with hours of their own."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from shelly_exporter.rollups.local_time import Calendar
from tests.exporter.calendars import CALENDARS, unix


def hours(zone: str, begin: str, end: str) -> list[tuple[str, int]]:
    """The hours that begin in a span of UTC: what the clock shows, and how many minutes it shows it."""
    found = []
    hour = CALENDARS[zone].hour(unix(begin))
    while hour.start < unix(end):
        found.append((hour.tags.rpartition("=")[2], (hour.end - hour.start) // 60))
        hour = CALENDARS[zone].hour(hour.end)
    return found


def local(zone: str, moment: int) -> str:
    """What the clock on the wall shows."""
    return datetime.fromtimestamp(moment, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def test_half_hour_zones_have_hours_of_their_own() -> None:
    hour = CALENDARS["Asia/Kolkata"].hour(unix("2026-09-20T18:29:59"))
    assert (hour.start, hour.tags) == (unix("2026-09-20T17:30"), "dow=7,hour=23")
    day = CALENDARS["Asia/Kolkata"].day(unix("2026-09-20T18:30:00"))
    assert (day.start, day.end, day.tags) == (
        unix("2026-09-20T18:30"),
        unix("2026-09-21T18:30"),
        "dow=1,month=09",
    )


@pytest.mark.parametrize(
    ("zone", "begin", "end", "expected"),
    [
        ("Europe/Berlin", "2026-03-29T00:00", "2026-03-29T02:00", [("01", 60), ("03", 60)]),
        ("Europe/Berlin", "2026-10-24T23:00", "2026-10-25T03:00", [("01", 60), ("02", 60), ("02", 60), ("03", 60)]),
        ("America/Sao_Paulo", "2018-11-04T02:00", "2018-11-04T04:00", [("23", 60), ("01", 60)]),
        ("America/Sao_Paulo", "2018-02-18T01:00", "2018-02-18T04:00", [("23", 60), ("23", 60), ("00", 60)]),
        # Put forward from 02:00 to 02:30, and back from 02:00 to 01:30.
        ("Australia/Lord_Howe", "2026-10-03T14:30", "2026-10-03T17:00", [("01", 60), ("02", 30), ("03", 60)]),
        (
            "Australia/Lord_Howe",
            "2026-04-04T14:00",
            "2026-04-04T16:30",
            [("01", 60), ("01", 30), ("02", 60)],
        ),
        # Three hours forward, a minute past midnight.
        ("Antarctica/Casey", "2022-10-01T15:00", "2022-10-01T17:30", [("23", 60), ("00", 1), ("03", 59), ("04", 60)]),
    ],
)
def test_hours_round_a_change_of_the_clock(zone: str, begin: str, end: str, expected: list[tuple[str, int]]) -> None:
    assert hours(zone, begin, end) == expected


@pytest.mark.parametrize(
    ("zone", "noon", "first", "length_h"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", "00:00:00", 23),
        ("Europe/Berlin", "2026-10-25T12:00", "00:00:00", 25),
        ("America/Sao_Paulo", "2018-11-04T12:00", "01:00:00", 23),  # midnight was left out
        ("America/Sao_Paulo", "2018-02-17T12:00", "00:00:00", 25),
        ("Australia/Lord_Howe", "2026-10-04T01:00", "00:00:00", 23.5),
        ("Australia/Lord_Howe", "2026-04-05T01:00", "00:00:00", 24.5),
        ("America/Havana", "2026-11-01T12:00", "00:00:00", 25),  # midnight comes twice, an hour apart
        ("America/Havana", "2026-03-08T12:00", "01:00:00", 23),
        ("Asia/Kolkata", "2026-03-29T12:00", "00:00:00", 24),
    ],
)
def test_days_round_a_change_of_the_clock(zone: str, noon: str, first: str, length_h: float) -> None:
    day = CALENDARS[zone].day(unix(noon))
    assert local(zone, day.start).endswith(first)
    assert (day.end - day.start) / 3600 == length_h


def test_a_date_that_was_left_out_has_no_day() -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    calendar = Calendar(ZoneInfo("Pacific/Apia"))
    day = calendar.day(unix("2011-12-30T09:59"))
    assert (day.tags, day.end - day.start) == ("dow=4,month=12", 86_400)
    assert calendar.day(day.end).tags == "dow=6,month=12"
