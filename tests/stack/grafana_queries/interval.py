"""How long the buckets of a query are: `rangeutil.calculateInterval` and `roundInterval`, `gtime.FormatInterval`."""

import re

from tests.stack.grafana_queries import UnsupportedError

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS

_LADDER = (
    (10, 1), (15, 10), (35, 20), (75, 50), (150, 100), (350, 200), (750, 500), (1500, SECOND_MS),
    (3500, 2 * SECOND_MS), (7500, 5 * SECOND_MS), (12_500, 10 * SECOND_MS), (17_500, 15 * SECOND_MS),
    (25_000, 20 * SECOND_MS), (45_000, 30 * SECOND_MS), (90_000, MINUTE_MS), (210_000, 2 * MINUTE_MS),
    (450_000, 5 * MINUTE_MS), (750_000, 10 * MINUTE_MS), (1_050_000, 15 * MINUTE_MS), (1_500_000, 20 * MINUTE_MS),
    (2_700_000, 30 * MINUTE_MS), (5_400_000, HOUR_MS), (9_000_000, 2 * HOUR_MS), (16_200_000, 3 * HOUR_MS),
    (32_400_000, 6 * HOUR_MS), (DAY_MS, 12 * HOUR_MS), (7 * DAY_MS, DAY_MS), (21 * DAY_MS, 7 * DAY_MS),
    (42 * DAY_MS, 30 * DAY_MS),
)  # fmt: skip
"""Below the first number, the interval is the second."""
_UNITS = {
    "ms": 1,
    "s": SECOND_MS,
    "m": MINUTE_MS,
    "h": HOUR_MS,
    "d": DAY_MS,
    "w": 7 * DAY_MS,
    "M": 30 * DAY_MS,
    "y": YEAR_MS,
}
_TEXTS = (("y", YEAR_MS), ("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS))


def interval_ms(duration_ms: int, points: int, least: str) -> int:
    """Return the interval for so many points in a range, at least `least`, such as `10s`; empty: no limit."""
    exact = duration_ms / points
    rounded = next((interval for below, interval in _LADDER if exact < below), YEAR_MS)
    return max(milliseconds(least), rounded) if least else rounded


def milliseconds(text: str) -> int:
    """Return what an interval such as `10s` is in milliseconds; what comes after it does not count, as in Grafana."""
    if text.isdigit():
        return int(text) * SECOND_MS
    match = re.match(r"(\d+)(?:\.\d+)?(ms|[Mwdhmsy])", text)
    if match is None:
        raise UnsupportedError(f"the interval {text!r}: write one such as 10s")
    return int(match[1]) * _UNITS[match[2]]


def interval_text(interval: int) -> str:
    """Return an interval in milliseconds as it stands in the statement: one unit, what is left over is cut off."""
    unit, length = next(((unit, length) for unit, length in _TEXTS if interval >= length), ("ms", 1))
    return f"{max(interval, 1) // length}{unit}"
