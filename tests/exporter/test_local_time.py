from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.rollups.local_time import Calendar, Period
from tests.exporter.calendars import CALENDARS, ZONES, unix


def test_an_ordinary_hour_and_day() -> None:
    moment = unix("2026-09-21T14:13:20")
    assert CALENDARS["Europe/Berlin"].hour(moment) == Period(
        "energy_1h", unix("2026-09-21T14:00"), unix("2026-09-21T15:00"), "dow=1,hour=16"
    )
    assert CALENDARS["Europe/Berlin"].day(moment) == Period(
        "energy_1d", unix("2026-09-20T22:00"), unix("2026-09-21T22:00"), "dow=1,month=09", ",year=2026"
    )


moments = st.integers(unix("2015-01-01"), unix("2035-01-01"))


@given(st.sampled_from(ZONES), moments)
def test_a_moment_lies_in_its_hour_and_that_in_its_day(zone: str, moment: int) -> None:
    calendar = CALENDARS[zone]
    hour, day = calendar.hour(moment), calendar.day(moment)
    assert day.start <= hour.start <= moment < hour.end <= day.end
    assert hour.end - hour.start in {60, 1800, 3540, 3600}
    assert calendar.hour(hour.start) == calendar.hour(hour.end - 1) == hour
    assert calendar.day(day.start) == calendar.day(day.end - 1) == day
    assert calendar.hour(hour.start - 1).end == hour.start
    assert calendar.day(day.start - 1).end == day.start
    shown = datetime.fromtimestamp(moment, calendar.zone)
    assert hour.tags == f"dow={shown.isoweekday()},hour={shown:%H}"
    assert day.tags + day.last_tags == f"dow={shown.isoweekday()},month={shown:%m},year={shown:%Y}"


@given(st.sampled_from(ZONES), moments)
def test_days_have_consecutive_dates(zone: str, moment: int) -> None:
    calendar = CALENDARS[zone]
    day = calendar.day(moment)
    today, tomorrow = (datetime.fromtimestamp(at, calendar.zone).date() for at in (day.start, day.end))
    assert tomorrow - today == timedelta(days=1)


def test_what_was_worked_out_once_is_remembered() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"))
    assert calendar.hour(unix("2026-09-21T14:00")) is calendar.hour(unix("2026-09-21T14:00"))
    assert calendar.day(unix("2026-09-21T14:00")) is calendar.day(unix("2026-09-21T14:00"))
