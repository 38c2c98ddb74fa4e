"""Which readings of an energy counter are believed, so that the counter shown never steps back or leaps by mistake.

Home Assistant takes a counter that fell by more than a tenth for one that began anew, and counts all that it shows once
more; a smaller fall, or a spike, spoils its statistics as well. So a fall is believed only if it leads nearly to the
beginning and lasts, a leap only if it lasts. `CounterGuard` does no I/O and has no clock: time is passed in.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from .validation import Rejection, table_of

JUMP = "counter jump"
RESET = "counter reset, not confirmed"
DIP = "counter dip"

CONFIRM_S = 30.0
"""How long a counter must count on from a jump or a reset until it is believed."""
RESET_RATIO = 0.1
"""A counter that began anew shows at most this part of what it showed before. A smaller fall is none of its doing."""
GROWTH_SLACK = 1.5
"""A counter may grow by this multiple of what the meter can carry: readings come unevenly."""
GROWTH_NOISE_WH = 100.0

_FIELDS = {
    "emdata": (
        *(f"{phase}_{total}" for phase in "abc" for total in ("total_act_energy", "total_act_ret_energy")),
        "total_act",
        "total_act_ret",
    ),
    "em1data": ("total_act_energy", "total_act_ret_energy"),
    "switch": ("aenergy", "ret_aenergy"),
}
"""The counters by kind of component; those of a relay are objects with a `total`."""


@lru_cache(maxsize=512)
def _fields_of(key: str) -> tuple[str, ...]:
    return _FIELDS.get(table_of(key)[0], ())


class _Reading(NamedTuple):
    """What a counter showed, in Wh, and when, in seconds."""

    value: float
    at: float


class _Candidate(NamedTuple):
    """An unbroken run of readings that contradicts what is believed: since when, and the last of them."""

    since: float
    last: _Reading


class _Counter:
    """One counter: the last believed reading, and what may take its place."""

    __slots__ = ("believed", "candidate")

    def __init__(self, believed: _Reading) -> None:
        self.believed = believed
        self.candidate: _Candidate | None = None

    def believe(self, reading: _Reading) -> None:
        self.believed = reading
        self.candidate = None


class CounterGuard:
    """Watches all energy counters of one device, whose meter can carry `max_power_w`: see `validation.Limits`.

    The first reading of a counter is believed. From then on it must not fall, nor grow faster than the meter can count;
    a reading that does is believed only as the end of an unbroken run, over `CONFIRM_S` or longer, of readings that
    count on from each other. A fall to more than `RESET_RATIO` of the counter is never believed.
    """

    def __init__(self, max_power_w: float) -> None:
        self.resets = 0
        """How many counters were believed to have begun anew."""
        self.max_power_w = max_power_w
        """May be set anew, when the meter got other clamps."""
        self._counters: dict[tuple[str, str], _Counter] = {}

    @staticmethod
    def watches(key: str) -> bool:
        """Tell whether component `key` is of a kind with energy counters."""
        return bool(_fields_of(key))

    def forget(self, key: str) -> None:
        """Forget the counters of a component that is gone."""
        for field in _fields_of(key):
            self._counters.pop((key, field), None)

    def admit(self, key: str, status_fields: Mapping[str, Any], now: float) -> tuple[Rejection, ...]:
        """Return each counter in what component `key` just told that must keep its last good value, and why.

        `status_fields` is all or part of a status that has passed `validation.check`, without what was rejected for
        another reason: that would be believed here. `now` is in seconds of a monotonic clock. To be called for all that
        is told, even if nothing changed: a counter that stands still confirms a reset as well as one that runs.
        """
        rejections = []
        for field in _fields_of(key):
            told = status_fields.get(field)
            value = told.get("total") if type(told) is dict else told
            if value is not None and (reason := self._judge((key, field), _Reading(value, now))) is not None:
                rejections.append(Rejection(key, field, reason, told))
        return tuple(rejections)

    def _judge(self, name: tuple[str, str], reading: _Reading) -> str | None:
        """Return why a counter must keep its last value, `None` if the reading is believed."""
        counter = self._counters.get(name)
        if counter is None:
            self._counters[name] = _Counter(reading)
            return None
        last = counter.believed.value
        if self._follows(reading, counter.believed):
            counter.believe(reading)
            return None
        if RESET_RATIO * last < reading.value < last:
            counter.candidate = None
            return DIP
        fell = reading.value < last
        if not self._confirms(reading, counter):
            return RESET if fell else JUMP
        counter.believe(reading)
        self.resets += fell
        return None

    def _confirms(self, reading: _Reading, counter: _Counter) -> bool:
        """Take a reading that is off the counter into the run of its like, and tell whether that lasted long enough.

        A run is all above or all below the counter: what counts on from below cannot be too far above.
        """
        candidate = counter.candidate
        if candidate is None or not self._follows(reading, candidate.last):
            counter.candidate = _Candidate(reading.at, reading)
            return False
        counter.candidate = _Candidate(candidate.since, reading)
        return reading.at - candidate.since >= CONFIRM_S

    def _follows(self, reading: _Reading, earlier: _Reading) -> bool:
        """Tell whether a counter may have run from one reading to the other."""
        energy_wh = self.max_power_w * (reading.at - earlier.at) / 3600 * GROWTH_SLACK + GROWTH_NOISE_WH
        return 0 <= reading.value - earlier.value <= energy_wh
