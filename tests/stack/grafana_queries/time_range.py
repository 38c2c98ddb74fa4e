"""Relative times such as `now-7d/d`, as `@grafana/data` reads them in `datemath` and `rangeutil`."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.stack.grafana_queries import UnsupportedError

_STEP = re.compile(r"([-+/])(\d*)([yMwdhms])")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_KEPT = {"y": 1, "M": 2, "w": 3, "d": 3, "h": 4, "m": 5, "s": 6}
"""How many of year, month, day, hour, minute, second stay where a unit begins."""
_FIRST = (0, 1, 1, 0, 0, 0)
_MONTHS = {"y": 12, "M": 1}
_DAYS = {"w": 7, "d": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """From when to when, both included; Unix milliseconds."""

    from_ms: int
    to_ms: int

    @property
    def duration_ms(self) -> int:
        """How long it is."""
        return self.to_ms - self.from_ms

    @property
    def condition(self) -> str:
        """What `$timeFilter` becomes."""
        return f"time >= {self.from_ms}ms and time <= {self.to_ms}ms"


def time_range(begin: str, end: str, now: float, zone: ZoneInfo) -> TimeRange:
    """Return the range of two relative times at a time in Unix seconds."""
    return TimeRange(
        from_ms=_milliseconds(moment(begin, now, zone)), to_ms=_milliseconds(moment(end, now, zone, up=True))
    )


def moment(text: str, now: float, zone: ZoneInfo, *, up: bool = False) -> datetime:
    """Return a relative time; `up`: where it is rounded, to the end of the unit instead of its begin.

    Days and longer units are of the calendar of `zone`; a week begins on Monday, as a browser in Europe has it.
    """
    steps = text.removeprefix("now")
    if not text.startswith("now") or not re.fullmatch(f"({_STEP.pattern})*", steps):
        raise UnsupportedError(f"the time {text!r}: write one such as now-7d/d")
    result = datetime.fromtimestamp(now, zone)
    for sign, number, unit in _STEP.findall(steps):
        count = int(number) if number else 1
        if sign != "/":
            result = _moved(result, count if sign == "+" else -count, unit)
        elif not up:
            result = _begin(result, unit)
        else:
            result = _moved(_begin(result, unit), 1, unit) - timedelta(milliseconds=1)
    return result


def _begin(moment: datetime, unit: str) -> datetime:
    day = moment - timedelta(days=moment.weekday()) if unit == "w" else moment
    kept = _KEPT[unit]
    year, month, number, hour, minute, second = (*day.timetuple()[:kept], *_FIRST[kept:])
    return datetime(year, month, number, hour, minute, second, tzinfo=day.tzinfo)


def _moved(moment: datetime, count: int, unit: str) -> datetime:
    if unit in _SECONDS:
        return datetime.fromtimestamp(moment.timestamp() + count * _SECONDS[unit], moment.tzinfo)
    if unit in _DAYS:
        return moment + timedelta(days=count * _DAYS[unit])
    year, month = divmod(moment.year * 12 + moment.month - 1 + count * _MONTHS[unit], 12)
    following = datetime(year + month // 11, (month + 1) % 12 + 1, 1)  # noqa: DTZ001 - only its day before counts
    last = (following - timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
