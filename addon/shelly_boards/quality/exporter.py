"""How the exporter does, which writes all readings."""

from collections.abc import Iterator

from shelly_boards.fields import Field, counted_red, unit
from shelly_boards.kinds import Stat, TimeSeries
from shelly_boards.panel import HALF, Panel
from shelly_boards.query import EACH, SHOWN, Fill, select
from shelly_boards.target import Target

NO_EXPORTER = "The exporter told nothing in this time"
ERRORS_PANEL = 10
"""An alert rule links to it."""
_A_MINUTE = "* 60000.0 / $__interval_ms"


def _exporter(*columns: str, fill: Fill = Fill.NULL) -> tuple[Target, ...]:
    """Ask the exporter for each column, an expression and its name."""
    return (Target(query=select(", ".join(columns), "exporter", where=SHOWN, by=(EACH,), fill=fill)),)


def now() -> Iterator[Panel]:
    """Yield the panels that show how it is now."""
    yield Stat(
        id=1,
        title="Devices",
        description="How many devices are known, and how many of them nothing reaches now.",
        targets=_exporter('last("devices") AS "known"', 'last("devices_down") AS "not reached"'),
        field=Field(unit="none", no_value=NO_EXPORTER),
        overrides=(counted_red("not reached"),),
        width=HALF,
        interval="1m",
    )
    yield Stat(
        id=2,
        title="Waiting to be written",
        description="What waits on the disk because the database did not take it yet, and for how long it has waited.",
        targets=_exporter('last("spool_bytes") AS "waiting"', 'last("spool_age") AS "oldest"'),
        field=Field(unit="none", no_value=NO_EXPORTER),
        overrides=(unit("waiting", "decbytes"), unit("oldest", "s", 0)),
        width=HALF,
        interval="1m",
    )


def flow() -> Iterator[Panel]:
    """Yield the panels that show how it was."""
    yield TimeSeries(
        id=9,
        title="Messages a minute",
        description="Messages that came from the broker, and points that were made of them to be stored.",
        targets=_exporter(f'sum("messages") {_A_MINUTE} AS "messages"', f'sum("points") {_A_MINUTE} AS "points"'),
        field=Field(unit="none", minimum=0, no_value=NO_EXPORTER),
        width=HALF,
        interval="1m",
    )
    yield TimeSeries(
        id=ERRORS_PANEL,
        title="Errors",
        description="Errors: writes that failed (they are tried again) and readings that were lost. Rejected: damaged "
        "or impossible readings that were left out. Refused: readings that the database did not take.",
        targets=_exporter(
            *('sum("errors") AS "errors"', 'sum("rejects") AS "rejected"', 'sum("dead_letters") AS "refused"'),
            fill=Fill.ZERO,
        ),
        field=Field(unit="none", minimum=0, no_value=NO_EXPORTER),
        width=HALF,
        interval="1m",
        bars=True,
    )
    yield _line(
        11, "Waiting on the disk", "What waits on the disk for the database.", "decbytes", "spool_bytes", "waiting"
    )
    yield _line(12, "Age of the oldest", "How long the oldest of what waits has waited.", "s", "spool_age", "oldest")
    yield _line(13, "Time of a write", "How long the database takes for a write.", "s", "write_time", "time of a write")
    yield _line(14, "Devices not reached", "How many devices nothing reaches.", "none", "devices_down", "not reached")


def _line(panel_id: int, title: str, description: str, unit_id: str, column: str, name: str) -> Panel:
    return TimeSeries(
        id=panel_id,
        title=title,
        description=description,
        targets=_exporter(f'max("{column}") AS "{name}"'),
        field=Field(unit=unit_id, minimum=0, no_value=NO_EXPORTER),
        width=HALF,
        interval="1m",
    )
