"""What a person has set about alerts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What the app's options say about alerts: voltages in V, current in A."""

    offline_minutes: int
    voltage_min: float
    voltage_max: float
    breaker_a: float
