"""A circuit breaker for one link: what does not answer is left alone for longer and longer, and the reason is kept.

closed     requests go out; a failure only delays the next question
open       three failures in a row, or a certainty such as a lost broker or a refused password: nothing is asked
           until `retry_at`
half-open  the pause is over: the next request decides
"""

import math
from collections.abc import Callable
from enum import StrEnum

from .backoff import CAP_S, Backoff

FAILURES_TO_OPEN = 3


class BreakerState(StrEnum):
    """Whether a link is in use, given up for now, or on trial."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Counts failures in a row; times are seconds of any monotonic clock."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._backoff = Backoff(chance)
        self._certain = False
        self._wanted_rest_until = -math.inf
        self.failures = 0
        """In a row."""
        self.retry_at = -math.inf
        """When the link may be asked again; infinity: not before something happens."""
        self.reason: str | None = None
        """Why the last request failed; `None` while the link works."""
        self.opened_at: float | None = None

    def state(self, now: float) -> BreakerState:
        """Return what the link is good for."""
        if not self._certain and self.failures < FAILURES_TO_OPEN:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if now >= self.retry_at else BreakerState.OPEN

    def allows(self, now: float) -> bool:
        """Tell whether a question of ours, not of a person, may be asked."""
        return now >= self.retry_at

    def barred(self, now: float) -> bool:
        """Tell whether to ask before `retry_at` would be of no use, or even do harm."""
        return self._certain and now < self.retry_at

    def succeed(self) -> None:
        """Close: the link has answered."""
        self._backoff.reset()
        self._certain, self._wanted_rest_until = False, -math.inf
        self.failures, self.retry_at, self.reason, self.opened_at = 0, -math.inf, None, None

    def fail(self, now: float, reason: str, retry_after_s: float | None = None) -> None:
        """Note a failure; `retry_after_s` is how long the device itself wants to be left alone, at least.

        A rest as long as the longest pause opens at once: for that long the link carries nothing.
        """
        if self.retry_at == math.inf:
            return
        self.failures += 1
        self.reason = reason
        if retry_after_s is not None:
            self._wanted_rest_until = max(self._wanted_rest_until, now + retry_after_s)
            self._certain = self._certain or retry_after_s >= CAP_S
        self.retry_at = max(now + self._backoff.next_s(), self._wanted_rest_until)
        if self.opened_at is None and self.state(now) is not BreakerState.CLOSED:
            self.opened_at = now

    def trip(self, now: float, reason: str) -> None:
        """Open at once and until `try_now` or `succeed`: it is certain that the link cannot deliver."""
        self._certain = True
        self.reason, self.retry_at = reason, math.inf
        if self.opened_at is None:
            self.opened_at = now

    def try_now(self, now: float) -> None:
        """Go half-open ahead of time: something says that the link may work again."""
        self._backoff.reset()
        self.retry_at = min(self.retry_at, now)
