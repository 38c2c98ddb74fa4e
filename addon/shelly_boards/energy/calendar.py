"""The energy of months, and of the hours of the week."""

from collections.abc import Iterator
from functools import partial

from shelly_boards.fields import ENERGY, Colors, Field, Override, unit
from shelly_boards.kinds import BarChart, Table
from shelly_boards.panel import Panel
from shelly_boards.query import COUNTED, Fill, select, select_from
from shelly_boards.sources import Source
from shelly_boards.target import Target, table
from shelly_boards.transformations import Transformation, arranged, matrix, number, sorted_by, summed_rows

from .columns import NO_ENERGY, SUMS, UNITS, by_choice

_WEEKDAYS = {"1": "Mon", "2": "Tue", "3": "Wed", "4": "Thu", "5": "Fri", "6": "Sat", "7": "Sun"}


def months() -> Iterator[Panel]:
    """Yield the panels that show each month."""
    by_month = partial(by_choice, by=("year", "month"))
    yield BarChart(
        id=8,
        title="Energy drawn each month",
        description="What was drawn in each of the last 13 months.",
        targets=(
            Target(
                query=by_month('sum("import_kwh")', "energy_1d"),
                alias="[[tag_year]]-[[tag_month]]",
                source=Source.ROLLUPS,
            ),
        ),
        field=Field(unit=ENERGY, no_value=NO_ENERGY),
        transformations=(summed_rows(), *sorted_by("Field")),
        time_from="now-12M/M",
        x="Field",
    )
    yield Table(
        id=9,
        title="Months",
        description="The last 13 months, the newest first.",
        targets=(table(by_month(SUMS, "energy_1d"), Source.ROLLUPS),),
        field=Field(unit="none", no_value=NO_ENERGY),
        overrides=UNITS,
        transformations=(
            *sorted_by("year", "month", descending=True),
            arranged(
                *("year", "month", "drawn", "fed in", "cost", "earned"),
                hidden=("Time",),
                names={"year": "Year", "month": "Month"},
            ),
        ),
        time_from="now-12M/M",
    )


def week() -> Panel:
    """Return the panel that shows the hours of the week."""
    hours = select(
        'sum("import_kwh") AS "kwh"',
        "energy_1h",
        where=COUNTED,
        by=("time(1h)", "dow", "hour"),
        fill=Fill.NONE,
        zoned=True,
    )
    means = select_from(hours, 'mean("kwh") AS "kwh"', by=("dow", "hour"))
    days = (unit(name, ENERGY, 2) for name in _WEEKDAYS.values())
    # The names of the columns are the values of `dow`, but only if those are numbers.
    steps: tuple[Transformation, ...] = (
        number("dow"),
        matrix(row="hour", column="dow", value="kwh"),
        arranged("hour\\dow", *_WEEKDAYS, names={"hour\\dow": "Hour", **_WEEKDAYS}),
    )
    return Table(
        id=10,
        title="Hours of the week",
        description="What is drawn on average in each hour of each day of the week; the darker, the more.",
        targets=(table(means, Source.ROLLUPS),),
        field=Field(unit="none", no_value=NO_ENERGY, colors=Colors.SHADES),
        overrides=(Override(name="Hour", properties={"custom.cellOptions": {"type": "auto"}}), *days),
        transformations=steps,
        height=22,
        painted=True,
    )
