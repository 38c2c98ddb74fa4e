"""Which minutes of a meter's history to fetch next: what it told by itself need not be asked for. No I/O, no clock.

One `Backfill` for each channel of each device, such as `em1data:2`. Times are Unix seconds of the device's clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from shelly_core.records import FIRST_TS, Block, Record

from .coverage import Coverage, Span

MINUTE_S = 60
DAY_S = 86_400
KEPT_DAYS = 60
"""How long a meter keeps its records."""
SETTLED_S = 30
"""A minute is asked for only when it is over for this long: its event comes within a second, and costs nothing."""
WINDOW_RECORDS = 60
"""A Pro 3EM tells six records at a time, and where it stopped: the rest of the window is asked for again."""
_NEVER = 10**12


class Backfill:
    """Asks for each minute that is not stored, oldest first, and not again for what was answered.

    Only from the first contact on, or `history_days` before it. One window at a time: `next_window`, fetch, store,
    `fetched`; after a failure nothing but `next_window` again. What the device does not have is done with as well.
    """

    def __init__(
        self, state: Mapping[str, Any] | None = None, *, history_days: int = 0, window_records: int = WINDOW_RECORDS
    ) -> None:
        if not 0 <= history_days <= KEPT_DAYS or window_records < 1:
            raise ValueError(f"history_days is 0 to {KEPT_DAYS}, window_records 1 or more")
        self._history_days = history_days
        self._window_s = window_records * MINUTE_S
        known = _Known() if state is None else _restored(state)
        self._begin, self._coverage = known.begin, Coverage(known.spans)
        self._more_days = 0 if known.begin is None else max(0, history_days - known.history_days)
        """How much farther back than before history is wanted."""
        self.given_up = known.given_up
        """How many minutes were never fetched before the device had no room for them any more."""

    @property
    def complete_to(self) -> int | None:
        """Until when nothing is missing; `None` before the first contact."""
        if self._begin is None:
            return None
        gap = self._coverage.gap(self._begin, _NEVER)
        return None if gap is None else gap.start

    def missing(self, now: float) -> int:
        """Return how many minutes are to be fetched."""
        return 0 if self._begin is None else self._coverage.missing_s(self._begin, _settled(now)) // MINUTE_S

    def contact(self, now: float) -> None:
        """Take that the device is there: history begins when this is first said, and later it has no effect."""
        if now < FIRST_TS:
            return
        # Else a clock that was far ahead at first would keep us waiting until then.
        if self._begin is None or self._begin > now + DAY_S:
            self._begin = _minute(now) - self._history_days * DAY_S
            self._more_days = 0

    def stored(self, ts: int, period_s: int = MINUTE_S) -> None:
        """Take that a record which the device told by itself has been stored."""
        if ts >= FIRST_TS:
            self._coverage.add(ts, ts + period_s)

    def next_window(self, now: float) -> Span | None:
        """Return what to ask GetData for, as `ts` = `start` and `end_ts` = `end` - 1; `None` if nothing is missing.

        No documentation says whether a device counts the end in: a second less than the end is right both ways.
        """
        self.contact(now)
        self._forget(now)
        gap = None if self._begin is None else self._coverage.gap(self._begin, _settled(now))
        return None if gap is None else Span(gap.start, min(gap.end, gap.start + self._window_s))

    def fetched(self, window: Span, records: Iterable[Record], next_ts: int | None) -> None:
        """Take that the answer for a window has been stored: its records, and where the device would go on, if at all.

        What lies between was never recorded. A device that would go on where it was asked to begin is not asked for
        ever: what it left out of the window counts as not recorded.
        """
        reached = window.start
        for record in records:
            self.stored(record.ts, record.period_s)
            reached = max(reached, record.ts + record.period_s)
        if next_ts is None:
            reached = window.end
        elif next_ts > window.start:
            reached = next_ts
        self._coverage.add(window.start, min(reached, window.end) if reached > window.start else window.end)

    def available(self, blocks: Iterable[Block], since: int = 0) -> None:
        """Take what the device has, from an answer to GetRecords from `since` on: it need not be asked for the rest.

        Nothing is said of what comes after the last block: the answer may not be complete.
        """
        if self._begin is None:
            return
        start = max(self._begin, since)
        for block in sorted(blocks):
            self._coverage.add(start, block.ts)
            start = max(start, block.ts + block.records * block.period_s)

    def state(self) -> dict[str, Any]:
        """Return what the constructor continues from, for JSON. To be kept only after the records themselves."""
        return {
            "begin": self._begin,
            "history_days": self._history_days,
            "spans": [list(span) for span in self._coverage.spans],
            "given_up": self.given_up,
        }

    def _forget(self, now: float) -> None:
        """Give up what the device has overwritten, and what it recorded with a clock far ahead."""
        oldest = _minute(now) - KEPT_DAYS * DAY_S
        if self._begin is not None and self._begin < oldest:
            self.given_up += self._coverage.missing_s(self._begin, oldest) // MINUTE_S
            self._begin = oldest
        if self._begin is not None and self._more_days:
            self._begin = max(oldest, self._begin - self._more_days * DAY_S)
            self._more_days = 0
        self._coverage.keep(FIRST_TS if self._begin is None else self._begin, _minute(now) + DAY_S)


def _minute(ts: float) -> int:
    return int(ts // MINUTE_S) * MINUTE_S


def _settled(now: float) -> int:
    """Return the end of the last minute that is worth asking for."""
    return _minute(now - SETTLED_S)


class _Known(NamedTuple):
    """What a state holds."""

    begin: int | None = None
    history_days: int = 0
    spans: Sequence[tuple[int, int]] = ()
    given_up: int = 0


def _restored(state: Mapping[str, Any]) -> _Known:
    """Return what `state()` gave; nothing if it is anything else."""
    begin, days, spans, given_up = (state.get(name) for name in _Known._fields)
    if type(begin) is not int or type(days) is not int or type(given_up) is not int or type(spans) is not list:
        return _Known()
    return _Known(begin, days, spans, given_up) if all(map(_is_span, spans)) else _Known()


def _is_span(span: Any) -> bool:
    return type(span) is list and [type(end) for end in span] == [int, int]
