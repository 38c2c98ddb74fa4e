"""Hours and days as people in one time zone count them: what a rollup covers, in UTC, and the tags it carries."""

from bisect import bisect_left
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOUR_S = 3600
DAY_S = 86_400
KEPT_PERIODS = 10_000
"""Hours remembered per calendar, a year's: all series cross the same ones, so that each is worked out once."""


class Period(NamedTuple):
    """One local hour or day; `start` and `end` (not part of it) are Unix seconds."""

    measurement: str
    start: int
    end: int
    tags: str
    """Line protocol tags that come before `phase` in the alphabet, and after it in `last_tags`."""
    last_tags: str = ""


class Calendar:
    """The hours and days of `zone`, without a hole between them.

    An hour ends where the clock shows another hour or is put forward or back: one that is repeated is two hours, and
    where the clock moves by half an hour, one is short. A day begins when its date is seen for the first time, so that
    it may have 23 or 25 hours.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.hour: Callable[[int], Period] = lru_cache(KEPT_PERIODS)(self._hour)
        """The hour of a moment in whole Unix seconds; asked again and again for the same moment, it costs nothing."""
        self.day: Callable[[int], Period] = lru_cache(KEPT_PERIODS)(self._day)
        """The day of a moment, likewise."""

    def _hour(self, moment: int) -> Period:
        clock = self._clock(moment)
        local = self._local(moment)
        start = moment - 60 * local.minute - local.second
        end = start + HOUR_S
        # Hardly ever does the clock change within an hour, and then once.
        if self._clock(start) != clock:
            start = _first(start, moment, lambda second: self._clock(second) == clock)
        if self._clock(end - 1) != clock:
            end = _first(moment, end, lambda second: self._clock(second) != clock)
        return Period("energy_1h", start, end, f"dow={local.isoweekday()},hour={local.hour:02}")

    def _day(self, moment: int) -> Period:
        # No zone has put its clock back to yesterday's date since 2011 (Newfoundland, for a minute).
        day = self._local(moment).date()
        start = self._begin(day, moment - 2 * DAY_S)
        end = self._begin(day + timedelta(days=1), moment)
        return Period("energy_1d", start, end, f"dow={day.isoweekday()},month={day.month:02}", f",year={day.year:04}")

    def _begin(self, day: date, after: int) -> int:
        """Return the first moment at which the date is `day` or, where one was left out, later."""
        return _first(after, after + 3 * DAY_S, lambda second: self._local(second).date() >= day)

    def _clock(self, moment: int) -> tuple[int, timedelta | None]:
        local = self._local(moment)
        return local.hour, local.utcoffset()

    def _local(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment, self.zone)


def _first(begin: int, end: int, holds: Callable[[int], bool]) -> int:
    """Return the first moment from `begin` on at which `holds` becomes true and stays so; `end` if never before."""
    return begin + bisect_left(range(begin, end), True, key=holds)
