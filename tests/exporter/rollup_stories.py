"""Any readings, in any order, with any gaps, and what is counted of them."""

from hypothesis import strategies as st

from shelly_exporter.rollups import Rollups
from tests.exporter.rollup_points import A, Points, Reading, at, write

ZONES = ("Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe")
BEGIN = int(at("2018-02-16T00:00"))
counts = st.none() | st.floats(0.0, 1e8) | st.integers(0, 1000).map(float)
readings = st.tuples(st.integers(0, 40 * 86_400).map(lambda offset: BEGIN + offset / 4), counts, counts)
stories = st.lists(readings, min_size=1, max_size=40)
zones = st.sampled_from(ZONES)


def counted_wh(story: list[Reading], column: int) -> float | None:
    """What one counter counted: last less first, plus what it lost at each fall, of the readings that count."""
    total, latest, stand = 0.0, -1.0, None
    for reading in story:
        value = reading[column]
        if value is None or reading[0] <= latest:
            continue
        if stand is not None:
            total += value - stand if value >= stand else value
        latest, stand = reading[0], value
    return None if stand is None else total


def falls(story: list[Reading]) -> int:
    """How many resets there are: readings at which a counter fell."""
    moments: set[float] = set()
    for column in (1, 2):
        latest, stand = -1.0, 0.0
        for reading in story:
            value = reading[column]
            if value is None or reading[0] <= latest:
                continue
            if value < stand:
                moments.add(reading[0])
            latest, stand = reading[0], value
    return len(moments)


def take_all(some: Rollups, story: list[Reading], points: Points | None = None) -> Points:
    """Feed and write; with `points` after each reading, else once at the end."""
    for ts, import_wh, export_wh in story:
        some.take(A, ts, import_wh, export_wh)
        if points is not None:
            write(points, some)
    return write({}, some) if points is None else points
