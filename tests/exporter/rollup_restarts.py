"""Readings of a day and a half, and rollups that go on from a state."""

import json

from shelly_exporter.rollups import Rollups
from tests.exporter.rollup_points import DAY, A, Points, Reading, at, feed, rollups, write

B = A._replace(device="shellypro3em-0cb815fcaf3c")
READINGS: list[Reading] = [
    (at(DAY + "09:30") + 600 * n, 1000.0 + 7.13 * n - (1500 if n > 250 else 0), 3.3 * n) for n in range(300)
]
"""Two days, with a reset in the middle."""


def restored(some: Rollups, zone: str = "Europe/Berlin") -> Rollups:
    """What goes on after a restart, from a state that went through a file."""
    return rollups(zone, state=json.loads(json.dumps(some.state(), allow_nan=False)))


def straight() -> Points:
    some = rollups()
    feed(some, READINGS)
    return write({}, some)
