"""How many readings are there, and how many are missing."""

from collections.abc import Iterator

from shelly_boards.fields import SHARE, Field, unit
from shelly_boards.kinds import Table, TimeSeries
from shelly_boards.panel import HALF, Panel
from shelly_boards.query import HERE, SHOWN, Fill, select, select_from
from shelly_boards.target import Target, table
from shelly_boards.transformations import MERGED, SHORT_NAMES, arranged

GAPS_PANEL = 7
"""An alert rule links to it."""
GAP_S = 120
"""A longer silence of a meter is a gap: the slowest tell something every 15 seconds."""

_METERS = (("em_wide", "total_act_power"), ("em1", "act_power"))
_METER = "$tag_device $tag_channel"
_CHANNEL = ("device", "channel")
_HOURS = ("time(1h)", *_CHANNEL)
_SHARE = "/ 60.0 * 100"


def coverage() -> Iterator[Panel]:
    """Yield the panels that show how many minutes have readings."""
    yield _hourly(
        5,
        "Minutes with readings",
        "The share of the minutes of each hour in which a meter told something.",
        tuple(_told(*meter) for meter in _METERS),
    )
    yield _hourly(
        6,
        "Minutes on record",
        "The share of the minutes of each hour of which the meter's own record is stored. What was missed is fetched "
        "back from the meter, so this fills up by itself.",
        (_recorded("emdata_1m", f"\"phase\" = 'a' AND {HERE}"), _recorded("em1data_1m", HERE)),
    )


def _told(measurement: str, field: str) -> Target:
    minutes = select(
        f'count("{field}") AS "n"', measurement, where=HERE, by=("time(1m)", *_CHANNEL), fill=Fill.NONE, zoned=True
    )
    query = select_from(minutes, f'count("n") {_SHARE}', where=SHOWN, by=_HOURS, fill=Fill.ZERO, zoned=True)
    return Target(query=query, alias=_METER)


def _recorded(measurement: str, where: str) -> Target:
    query = select(f'count("avg_voltage") {_SHARE}', measurement, where=where, by=_HOURS, fill=Fill.ZERO, zoned=True)
    return Target(query=query, alias=_METER)


def _hourly(panel_id: int, title: str, description: str, targets: tuple[Target, ...]) -> Panel:
    return TimeSeries(
        id=panel_id,
        title=title,
        description=f"{description} The present hour is still filling.",
        targets=targets,
        field=Field(unit="percent", minimum=0, maximum=100, steps=SHARE),
        transformations=(SHORT_NAMES,),
        width=HALF,
        limits=True,
    )


def gaps() -> Iterator[Panel]:
    """Yield the panels that show when there were no readings."""
    shown = arranged(
        *("Time", "device", "channel", "gap"),
        names={"Time": "Readings again", "device": "Device", "channel": "Channel", "gap": "Silent for"},
    )
    yield Table(
        id=GAPS_PANEL,
        title="Gaps",
        description=f"Times longer than {GAP_S // 60} minutes without a reading of a meter: when readings came again, "
        "and how long there were none.",
        targets=tuple(
            table(select_from(_silences(*meter), '"gap"', where=f'"gap" > {GAP_S}', by=_CHANNEL)) for meter in _METERS
        ),
        field=Field(unit="none", no_value="No gaps in this time"),
        overrides=(unit("Silent for", "s", 0),),
        transformations=(MERGED, shown),
        width=HALF,
    )
    yield TimeSeries(
        id=8,
        title="Longest silence of each hour",
        description="The longest time between two readings of a meter.",
        targets=tuple(
            Target(
                query=select_from(_silences(*meter), 'max("gap")', where=SHOWN, by=_HOURS, fill=Fill.NONE, zoned=True),
                alias=_METER,
            )
            for meter in _METERS
        ),
        field=Field(unit="s", minimum=0),
        transformations=(SHORT_NAMES,),
        width=HALF,
    )


def _silences(measurement: str, field: str) -> str:
    return select(f'elapsed("{field}", 1s) AS "gap"', measurement, where=HERE, by=_CHANNEL)
