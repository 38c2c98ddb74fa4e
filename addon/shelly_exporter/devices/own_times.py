"""A time of its own for each reading of a device whose clock is wrong.

What is known of the clock's error grows with each status. So two stamps may be corrected to the same millisecond, and
in the store, the later reading would take the place of the earlier.
"""

KEPT = 256
"""More readings than a device tells between two changes of what is known of its clock."""


class OwnTimes:
    """Remembers which stamp of the device's has which time, of the newest of them."""

    def __init__(self) -> None:
        self._stamps: dict[int, float] = {}

    def of(self, ts_ms: int, stamp: float) -> int:
        """Return the time in milliseconds, or the next that is free; what is told again keeps the time that it has."""
        while self._stamps.setdefault(ts_ms, stamp) != stamp:
            ts_ms += 1
        if len(self._stamps) > KEPT:
            del self._stamps[next(iter(self._stamps))]
        return ts_ms
