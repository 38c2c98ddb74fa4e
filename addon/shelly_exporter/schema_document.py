"""SCHEMA.md, made from the table in `schema` by `python -m shelly_exporter.schema_document`."""

import sys
from collections.abc import Iterator

from .schema import MEASUREMENTS, TAGS, Column, Measurement
from .spool import Stream

_INTRODUCTION = """\
# What is stored

Made from the table in `schema.py` by `python -m shelly_exporter.schema_document`; a test compares the two.

- The time of a point is the device's own, in milliseconds; it is corrected if the device's clock is wrong. A meter's
  record of a minute has the time of the start of that minute; there is none while the meter's clock is wrong.
- A point holds what one frame of the device told and nothing else: a relay that tells a new temperature makes a point
  with a temperature. `last()` of a field is its present value.
- The same frame makes the same point, whatever way it came and however often. InfluxDB keeps one of equal points, so
  nothing counts twice. VictoriaMetrics keeps both and has to be started with `-dedup.minScrapeInterval=1ms`.
- A phase is a tag where boards compare phases (`em`), and part of the name of a field where a query calculates with
  several (`em_wide`).
- Counters (`emdata`, `em1data`, fields with `energy`) only grow, until they begin anew; energy of a time is their
  `non_negative_difference`. Hours and days are worked out already, in the time zone that is set: `energy_1h` and
  `energy_1d`.
- Every number is a float, except counts and states, which are integers.
- When the spool runs full, what is marked *first* is given up, oldest first; the rest never is.

Tags:

| Tag | Value |
|---|---|
"""


def document() -> str:
    """Return the text of SCHEMA.md."""
    tags = "".join(f"| `{tag}` | {meaning} |\n" for tag, meaning in TAGS.items())
    return _INTRODUCTION + tags + "".join(map(_section, MEASUREMENTS))


def _section(measurement: Measurement) -> str:
    return "\n" + "\n".join(_section_lines(measurement)) + "\n"


def _section_lines(measurement: Measurement) -> Iterator[str]:
    yield f"## {measurement.name}"
    yield ""
    yield measurement.meaning
    yield ""
    tags = ", ".join(f"`{tag}`" for tag in measurement.tags)
    bucket = "rollups" if measurement.rollup else "readings"
    yield f"Tags: {tags}. Bucket: {bucket}. Given up when the spool is full: {_given_up(measurement.stream)}."
    yield ""
    yield "| Field | Type | Unit | Meaning | The device's key |"
    yield "|---|---|---|---|---|"
    yield from map(_row, measurement.columns)


def _row(column: Column) -> str:
    source = "" if column.source is None else f"`{column.source.replace('{}', '<phase>')}`"
    return f"| `{column.name}` | {column.type} | {column.unit} | {column.meaning} | {source} |"


def _given_up(stream: Stream) -> str:
    return "first" if stream is Stream.RAW else "never"


if __name__ == "__main__":
    sys.stdout.write(document())
