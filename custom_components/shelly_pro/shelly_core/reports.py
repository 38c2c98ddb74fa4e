"""How often a device reports by itself over MQTT, and how long it may be silent."""

import math

from .policy import Policy

_WEIGHT = 0.2
"""Share of the newest interval in the cadence."""
_MISSED = 2.5
"""A report that is missing for so many intervals does not come any more, if the device answers nothing, either."""


class Reports:
    """Notes one device's reports; times are seconds of any monotonic clock."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.meter = False
        """Whether the device reports at short intervals."""
        self.cadence_s: float | None = None
        """The interval between reports, as learned."""
        self.last_at: float | None = None
        self.missed = 0
        """How often, since the last report, the device was asked whether it is there, and was."""

    @property
    def silence_s(self) -> float:
        """How long the device may be silent."""
        if not self.meter:
            return self._policy.relay_silence_s
        return max(self._policy.meter_silence_s, self._policy.cadences * (self.cadence_s or 0.0))

    def note(self, now: float, learn_since: float) -> None:
        """Take a report. Learns from intervals that began after `learn_since`."""
        before, self.last_at, self.missed = self.last_at, now, 0
        if before is not None and before >= learn_since:
            interval = now - before
            cadence = interval if self.cadence_s is None else self.cadence_s
            self.cadence_s = cadence + _WEIGHT * (interval - cadence)

    def silent(self, now: float) -> bool:
        """Tell whether a report now would be the first after a silence."""
        return self.last_at is None or now - self.last_at > self.silence_s

    def go_on(self, now: float) -> bool:
        """Tell whether a meter's reports keep coming: worth showing, even if it answers no question."""
        if not self.meter or self.last_at is None:
            return False
        missed_s = math.inf if self.cadence_s is None else _MISSED * self.cadence_s
        return now - self.last_at < min(self.silence_s, missed_s)
