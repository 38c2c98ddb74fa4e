"""How long to wait before trying again: the only schedule of retries there is."""

import random
from collections.abc import Callable

FIRST_S = 1.0
CAP_S = 60.0
JITTER = 0.25
"""Share of a pause that chance may take off, so that what failed together does not come back together."""


class Backoff:
    """Pauses that double from `FIRST_S` to `cap_s`; `chance` gives numbers from 0 to 1."""

    def __init__(self, chance: Callable[[], float] = random.random, *, cap_s: float = CAP_S) -> None:
        self._chance = chance
        self._cap_s = cap_s
        self._failures = 0

    def next_s(self) -> float:
        """Return the pause after one more failure, in seconds."""
        pause = min(self._cap_s, FIRST_S * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return pause * (1.0 - JITTER * self._chance())

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._failures = 0
