"""A store for rollups as InfluxDB is one: the last write of a field wins, other fields of the point stay."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from shelly_exporter.rollups import Rollups, Series

type Reading = tuple[float, float | None, float | None]
type Points = dict[tuple[str, int], dict[str, float]]
"""By measurement with tags, and Unix seconds."""

A = Series("shellypro3em-3ce90e6ff1a0", 0, "a")
DAY = "2026-09-21T"
"""A Monday; Berlin is two hours ahead of UTC."""


def rollups(zone: str = "Europe/Berlin", **options: object) -> Rollups:
    """Rollups to whom no time lies in the future."""
    return Rollups(ZoneInfo(zone), wall=lambda: math.inf, **options)  # type: ignore[arg-type]


def at(text: str) -> float:
    """The Unix seconds of a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def feed(rollups: Rollups, readings: Iterable[Reading], series: Series = A) -> None:
    """Let the rollups take readings of one series."""
    for ts, import_wh, export_wh in readings:
        rollups.take(series, ts, import_wh, export_wh)


def write(points: Points, rollups: Rollups) -> Points:
    """Write the lines that changed, and return all points."""
    for line in rollups.lines():
        key, fields, stamp = line.decode().split(" ")
        assert stamp.endswith("000")
        point = points.setdefault((key, int(stamp) // 1000), {})
        for field in fields.split(","):
            name, text = field.split("=")
            assert text.endswith("i") is (name == "resets")
            point[name] = float(text.removesuffix("i"))
    return points


def amounts(points: Points, measurement: str, field: str) -> list[float]:
    """What the points of a measurement say of a field, in order of time."""
    return [
        point[field]
        for (key, _), point in sorted(points.items(), key=lambda item: item[0][1])
        if key.startswith(measurement) and field in point
    ]
