"""Energy per local hour and day, worked out from the counters of the devices, as points for the store.

What an hour got is where its counter stood when it was over less where it stood when it began. Between two readings a
counter is taken to grow evenly, so that the points of all hours add up to the last reading less the first (plus what
was counted before each reset), whatever was missed in between. A reading not newer than the last changes nothing.

Not to lose a point over a crash: call `lines`, then `state` before anything else is taken, make the lines safe, then
save the state. A state that is older than the last points does no harm, either: the points are written once more, with
the same values if a reading of the same hour follows. Otherwise the time from the state to the next reading is spread
evenly over the hours between; their sum stays right.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from .local_time import Calendar, Period
from .registers import Register, is_count, is_time

MAX_SERIES = 16_384
"""Series kept; more than four for each of 1 000 three-phase meters are a mistake somewhere."""
MAX_GAP_S = 400 * 86_400.0
"""After a longer silence (a year, and the time until somebody comes) a counter begins anew; nothing is spread."""
AHEAD_S = 3600.0
"""A last reading further in the future than this was stamped by a wrong clock; it must not shut out all others."""
VERSION = 1
IMPORT, EXPORT, RESETS = FIELDS = ("import_kwh", "export_kwh", "resets")

_ESCAPES = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": "_", "\r": "_"})


class Series(NamedTuple):
    """Whose energy it is; `phase` is a, b, c, n or total."""

    device: str
    channel: int
    phase: str


class _Track:
    """What is known of one series: a register for each field of its points."""

    __slots__ = ("fell_at", "registers", "series", "touched")

    def __init__(self, series: Series) -> None:
        self.series = series
        self.registers: dict[str, Register] = {}
        self.fell_at: float | None = None
        """When it was reset last: counters that fall together are one reset."""
        self.touched = False
        """Whether there was a reading since `lines` looked at it."""


class Rollups:
    """The open hour and day of every series; `state` is what `state` returned earlier.

    It holds the last reading of each series and the points that `lines` has not returned yet: call that at least once
    a minute, or the points of a long gap pile up.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        state: Mapping[str, Any] | None = None,
        *,
        max_series: int = MAX_SERIES,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._calendar = Calendar(zone)
        self._max_series = max_series
        self._wall = wall
        self._tracks: dict[Series, _Track] = {}
        self._touched: list[_Track] = []
        self._over: dict[tuple[Series, Period], dict[str, float]] = {}
        """Points of hours and days that are over, not told yet."""
        self.ignored: Counter[str] = Counter()
        """Readings and states that did not count, by reason."""
        if state is not None:
            self.adopt(state)

    def __len__(self) -> int:
        return len(self._tracks)

    def take(self, series: Series, ts: float, import_wh: float | None, export_wh: float | None) -> None:
        """Take one reading of the counters of a series, at `ts` in Unix seconds; None for a counter not told."""
        track = self._tracks.get(series) or self._meet(series)
        if track is None:
            return
        registers = track.registers
        for field, value in ((IMPORT, import_wh), (EXPORT, export_wh)):
            if value is None:
                continue
            register = registers.get(field)
            if register is None or not register.grow(ts, value):
                self._advance(track, field, ts, value)
        if not track.touched:
            self._touch(track)

    def lines(self) -> list[bytes]:
        """Return the points that changed since the last call, in line protocol; again and again while they grow."""
        for track in self._touched:
            track.touched = False
            if any(register.changed for register in track.registers.values()):
                self._tell(track)
        self._touched.clear()
        lines = [_line(series, period, fields) for (series, period), fields in self._over.items()]
        self._over.clear()
        return lines

    def state(self, device: str | None = None) -> dict[str, Any]:
        """Return, for JSON, all that a later `Rollups` needs to go on; with `device` only what belongs to that."""
        tracks = [track for track in self._tracks.values() if device in {None, track.series.device}]
        over = [(*key, fields) for key, fields in self._over.items() if device in {None, key[0].device}]
        return {
            "version": VERSION,
            "zone": self._calendar.zone.key,
            "series": [
                [*track.series, {field: register.state() for field, register in track.registers.items()}]
                for track in tracks
                if track.registers
            ],
            "over": [[*series, period.measurement, period.start, fields] for series, period, fields in over],
        }

    def adopt(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, such as that of a device taken over; what was known of its series is forgotten.

        What cannot be used is counted and left out.
        """
        series, over = state.get("series"), state.get("over")
        if state.get("version") != VERSION or not isinstance(series, list) or not isinstance(over, list):
            self.ignored["state"] += 1
            return
        same_zone = state.get("zone") == self._calendar.zone.key
        for restore, entries in ((self._restore, series), (self._restore_over, over)):
            for entry in entries:
                try:
                    restore(entry, same_zone=same_zone)
                except AttributeError, KeyError, TypeError, ValueError, OverflowError:
                    self.ignored["state"] += 1

    def forget(self, device: str) -> None:
        """Let a device go, to another instance or for good; `lines` returns the last of it."""
        for series in [series for series in self._tracks if series.device == device]:
            track = self._tracks.pop(series)
            if track.touched:
                self._touched.remove(track)
                self._tell(track)

    def _meet(self, series: Series) -> _Track | None:
        if len(self._tracks) >= self._max_series:
            self.ignored["too many series"] += 1
            return None
        track = self._tracks[series] = _Track(series)
        return track

    def _touch(self, track: _Track) -> None:
        track.touched = True
        self._touched.append(track)

    def _advance(self, track: _Track, field: str, ts: float, value: float) -> None:
        """Take what is not simply more in the same hour: a first reading, a new hour, a reset, or nothing to go by."""
        if not (is_time(ts) and is_count(value)):
            self.ignored["not a reading"] += 1
            return
        if ts > (latest := self._wall() + AHEAD_S):
            self.ignored["in the future"] += 1
            return
        register = track.registers.get(field)
        if register is None or register.ts > latest or ts - register.ts > MAX_GAP_S:
            self._begin(track, field, ts, value)
        elif ts <= register.ts:
            self.ignored["old"] += 1
        else:
            fell = value < register.value
            if fell:
                register.fall()
            register.advance(self._calendar, ts, value, partial(self._close, track.series, field))
            self._count_reset(track, ts, fell=fell and ts != track.fell_at)

    def _begin(self, track: _Track, field: str, ts: float, value: float) -> None:
        if field in track.registers:
            self.ignored["begun anew"] += 1
            self._tell(track)
            track.registers.pop(RESETS)
        track.registers[field] = Register(self._calendar, ts, value)
        track.registers.setdefault(RESETS, Register(self._calendar, ts, 0.0))

    def _count_reset(self, track: _Track, ts: float, *, fell: bool) -> None:
        """Keep the count of resets in the hour of the newest reading, and add one if a counter fell."""
        register = track.registers[RESETS]
        count = register.value + fell
        if fell:
            track.fell_at = ts
        if ts > register.ts and not register.grow(ts, count):
            register.advance(self._calendar, ts, count, partial(self._close, track.series, RESETS), spread=False)
        elif fell:
            register.value, register.changed = count, True

    def _close(self, series: Series, field: str, period: Period, amount: float) -> None:
        self._over.setdefault((series, period), {})[field] = amount

    def _tell(self, track: _Track) -> None:
        for field, register in track.registers.items():
            register.changed = False
            for period, amount in zip(register.periods, register.amounts, strict=True):
                self._close(track.series, field, period, amount)

    def _restore(self, entry: Sequence[Any], *, same_zone: bool) -> None:
        *names, states = entry
        series = _series(*names)
        registers = {
            field: Register.restore(self._calendar, states[field], same_zone=same_zone)
            for field in FIELDS
            if field in states or field == RESETS
        }
        track = self._tracks.get(series) or self._meet(series)
        if track is not None:
            track.registers = registers
            if not track.touched:
                self._touch(track)

    def _restore_over(self, entry: Sequence[Any], *, same_zone: bool) -> None:
        *names, measurement, start, fields = entry
        period = {"energy_1h": self._calendar.hour, "energy_1d": self._calendar.day}[measurement](start)
        if not same_zone or period.start != start or not fields.keys() <= set(FIELDS):
            raise ValueError("no period of this time zone")
        for field, amount in fields.items():
            self._close(_series(*names), field, period, float(amount))


def _series(device: Any, channel: Any, phase: Any) -> Series:
    if not (isinstance(device, str) and isinstance(channel, int) and isinstance(phase, str)):
        raise TypeError("not a series")
    return Series(device, channel, phase)


def _line(series: Series, period: Period, fields: Mapping[str, float]) -> bytes:
    device = series.device.translate(_ESCAPES)
    phase = series.phase.translate(_ESCAPES)
    values = ",".join(f"{field}={_number(field, fields[field])}" for field in sorted(fields))
    tags = f"channel={series.channel},device={device},{period.tags},phase={phase}{period.last_tags}"
    return f"{period.measurement},{tags} {values} {period.start}000".encode()


def _number(field: str, amount: float) -> str:
    # What is below a nanowatt-hour comes from the arithmetic, not from the meter.
    return f"{round(amount)}i" if field == RESETS else repr(round(max(0.0, amount) / 1000.0, 12))
