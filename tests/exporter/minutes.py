"""Minutes by their number, and a backfill that met its device within the first."""

from typing import Any

from shelly_core.records import Record
from shelly_exporter.history.backfill import MINUTE_S, Backfill

BEGIN = 1_790_000_040


def at(minutes: float) -> float:
    return BEGIN + MINUTE_S * minutes


def minute(number: int) -> int:
    return BEGIN + MINUTE_S * number


def records(first: int, count: int) -> list[Record]:
    return [Record(minute(first + turn), MINUTE_S, {}) for turn in range(count)]


def met(**options: Any) -> Backfill:
    backfill = Backfill(**options)
    backfill.contact(BEGIN + 30.5)
    return backfill
