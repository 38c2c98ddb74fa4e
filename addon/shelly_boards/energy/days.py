"""Sums of today, this month and so on, and the energy of hours and days."""

from collections.abc import Iterator
from functools import partial

from shelly_boards.fields import ENERGY, MONEY, Field
from shelly_boards.kinds import BarChart, Stat, TimeSeries
from shelly_boards.panel import HALF, Panel
from shelly_boards.query import COUNTED, Fill, select
from shelly_boards.sources import Source
from shelly_boards.target import Target, table

from .columns import COSTS, KWH, NO_ENERGY, SUMS, UNITS, by_choice


def sums() -> Iterator[Panel]:
    """Yield the panels that show sums."""
    times = (
        (1, "Today", "Since midnight.", "now/d", None),
        (2, "Yesterday", "The day before today.", "now/d", "1d"),
        (3, "This month", "Since the first of the month.", "now/M", None),
        (4, "Time that is shown", "All days of the time chosen at the top.", None, None),
    )
    for panel_id, title, description, time_from, time_shift in times:
        yield Stat(
            id=panel_id,
            title=title,
            description=f"{description} Cost and earnings are in the currency of the prices set in the app's options.",
            targets=(Target(query=by_choice(SUMS, "energy_1d"), source=Source.ROLLUPS),),
            field=Field(unit=ENERGY, decimals=2, no_value=NO_ENERGY),
            overrides=UNITS,
            width=HALF,
            time_from=time_from,
            time_shift=time_shift,
        )


def hours_and_days() -> Iterator[Panel]:
    """Yield the panels that show each hour and each day."""
    yield TimeSeries(
        id=5,
        title="Energy of each hour",
        description="What was drawn (up) and fed in (down) in each hour of yesterday and today.",
        targets=(
            Target(
                query=select(
                    'sum("import_kwh") AS "drawn", sum("export_kwh") * -1 AS "fed in"',
                    "energy_1h",
                    where=COUNTED,
                    by=("time(1h)",),
                    fill=Fill.NONE,
                    zoned=True,
                ),
                source=Source.ROLLUPS,
            ),
        ),
        field=Field(unit=ENERGY, no_value=NO_ENERGY),
        time_from="now-1d/d",
        bars=True,
    )
    by_day = partial(by_choice, by=("time(1d)",), fill=Fill.NONE, zoned=True)
    yield BarChart(
        id=6,
        title="Energy of each day",
        description="What was drawn and fed in on each day.",
        targets=(table(by_day(KWH, "energy_1d"), Source.ROLLUPS),),
        field=Field(unit=ENERGY, no_value=NO_ENERGY),
    )
    yield BarChart(
        id=7,
        title="Cost of each day",
        description="What the energy of each day cost and earned, at the prices that are set now in the app's options.",
        targets=(table(by_day(COSTS, "energy_1d"), Source.ROLLUPS),),
        field=Field(unit=MONEY, decimals=2, no_value=NO_ENERGY),
    )
