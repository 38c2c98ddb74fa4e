"""One cumulative counter in the hour and the day that are not over: where it stood when they began, and stands now."""

import math
from collections.abc import Callable, Sequence

from .local_time import Calendar, Period


class Register:
    """A counter from its first reading on; `value` is in its own unit, times are Unix seconds."""

    __slots__ = ("_bases", "changed", "end", "periods", "ts", "value")

    def __init__(self, calendar: Calendar, ts: float, value: float) -> None:
        moment = math.floor(ts)
        self.ts = ts
        self.value = value
        self.periods: tuple[Period, Period] = (calendar.hour(moment), calendar.day(moment))
        """The open hour and the open day."""
        self.end: int = self.periods[0].end
        """When the hour is over; the day never is before."""
        self._bases = (value, value)
        """Where it stood when they began; below zero if it was reset since."""
        self.changed = True
        """Whether the amounts are others than when somebody set this to false."""

    @property
    def amounts(self) -> tuple[float, float]:
        """By how much it grew in the open hour and in the open day."""
        hour, day = self._bases
        return self.value - hour, self.value - day

    def grow(self, ts: float, value: float) -> bool:
        """Take a later reading of the same hour; false, and nothing done, if it is any other. Most are such."""
        if not (self.ts < ts < self.end and self.value <= value < math.inf):
            return False
        self.ts = ts
        if value != self.value:
            self.value = value
            self.changed = True
        return True

    def fall(self) -> None:
        """Count from zero again, and keep what was counted so far."""
        hour, day = self._bases
        self._bases = (hour - self.value, day - self.value)
        self.value = 0.0

    def advance(
        self,
        calendar: Calendar,
        ts: float,
        value: float,
        close: Callable[[Period, float], None],
        *,
        spread: bool = True,
    ) -> None:
        """Move on to a later reading, not below the last; `close` is told each period that is over and its amount.

        The growth is spread evenly over the time since the last reading, without `spread` it is all at `ts`.
        """
        rate = (value - self.value) / (ts - self.ts) if spread else 0.0
        (hour, day), (hour_base, day_base) = self.periods, self._bases
        while ts >= hour.end:
            # Never above the reading, however the division was rounded: nothing shrinks.
            stand = min(value, self.value + rate * (hour.end - self.ts))
            close(hour, stand - hour_base)
            hour, hour_base = calendar.hour(hour.end), stand
            if hour.start >= day.end:
                close(day, stand - day_base)
                day, day_base = calendar.day(day.end), stand
        self.ts, self.value, self.end = ts, value, hour.end
        self.periods, self._bases, self.changed = (hour, day), (hour_base, day_base), True

    def state(self) -> list[float]:
        """Return what `restore` needs, for JSON."""
        hour, day = self.periods
        return [self.ts, self.value, hour.start, self._bases[0], day.start, self._bases[1]]

    @classmethod
    def restore(cls, calendar: Calendar, state: Sequence[float], *, same_zone: bool) -> Register:
        """Return the register that `state` was taken from; in another time zone its hour and day begin at the reading.

        Raises `ValueError` or `TypeError` if that is no state.
        """
        ts, value, hour_start, hour_base, day_start, day_base = state
        if not (is_time(ts) and is_count(value) and math.isfinite(hour_base) and math.isfinite(day_base)):
            raise ValueError("not a reading")
        register = cls(calendar, ts, value)
        hour, day = register.periods
        if same_zone and (hour.start, day.start) == (hour_start, day_start):
            register._bases = (hour_base, day_base)  # its own class
        return register


def is_time(ts: float) -> bool:
    """Tell whether `ts` can be the time of a reading, in Unix seconds: after 1970 and before 2106."""
    return 0.0 <= ts < 2**32


def is_count(value: float) -> bool:
    """Tell whether `value` can be what a counter shows."""
    return 0.0 <= value < math.inf
