"""Demand, and the counters of the meters."""

from collections.abc import Iterator

from shelly_boards.fields import ENERGY, Field, unit
from shelly_boards.kinds import Table, TimeSeries
from shelly_boards.panel import HALF, Panel
from shelly_boards.query import CHANNELS, SHOWN, Fill, select, select_from
from shelly_boards.target import Target, table
from shelly_boards.transformations import MERGED, SHORT_NAMES, arranged


def _quarters(outer: str, every: str) -> tuple[Target, Target]:
    """Ask for the mean power of each quarter of an hour, which is what suppliers bill as demand."""
    each = ("device", "channel")

    def quarters(field: str, measurement: str) -> Target:
        inner = select(
            f'mean("{field}") AS "p"',
            measurement,
            where=CHANNELS,
            by=("time(15m)", *each),
            fill=Fill.NONE,
            zoned=True,
        )
        query = select_from(inner, f'{outer}("p") AS "p"', where=SHOWN, by=(every, *each), fill=Fill.NONE, zoned=True)
        return Target(query=query, alias="$tag_device $tag_channel")

    return quarters("total_act_power", "em_wide"), quarters("act_power", "em1")


def demand() -> Iterator[Panel]:
    """Yield the panels that show what suppliers bill as demand."""
    yield TimeSeries(
        id=11,
        title="Demand in 15 minutes",
        description="The mean power of each quarter of an hour, of the whole meter: the demand that suppliers bill.",
        targets=_quarters("mean", "time(15m)"),
        field=Field(unit="watt"),
        transformations=(SHORT_NAMES,),
        width=HALF,
        time_from="now-1d/d",
    )
    yield TimeSeries(
        id=12,
        title="Highest demand of each day",
        description="The quarter of an hour of each day with the highest mean power, of the whole meter.",
        targets=_quarters("max", "time(1d)"),
        field=Field(unit="watt"),
        transformations=(SHORT_NAMES,),
        width=HALF,
        bars=True,
    )


def counters() -> Panel:
    """Return the panel that shows where the counters stand."""

    def stands(drawn: str, fed_in: str, measurement: str) -> Target:
        columns = f'last("{drawn}") / 1000.0 AS "Drawn", last("{fed_in}") / 1000.0 AS "Fed in"'
        return table(select(columns, measurement, where=CHANNELS, by=("device", "channel")))

    return Table(
        id=13,
        title="Counters of the meters",
        description="Where the counters of each meter stand, since it was installed or reset.",
        targets=(
            stands("total_act", "total_act_ret", "emdata_wide"),
            stands("total_act_energy", "total_act_ret_energy", "em1data"),
        ),
        field=Field(unit="none"),
        overrides=(unit("Drawn", ENERGY, 3), unit("Fed in", ENERGY, 3)),
        transformations=(
            MERGED,
            arranged(
                *("device", "channel", "Drawn", "Fed in"),
                hidden=("Time",),
                names={"device": "Device", "channel": "Channel"},
            ),
        ),
        height=6,
    )
