"""What flows: power, voltage, current, frequency and power factor."""

from collections.abc import Iterator

from shelly_boards.fields import FREQUENCY, POWER, VOLTAGE, Colors, Field, dashed, unit
from shelly_boards.kinds import Stat, Table, TimeSeries
from shelly_boards.panel import HALF, Panel
from shelly_boards.query import EACH, HERE, PHASES, Fill, select
from shelly_boards.target import Target, table
from shelly_boards.transformations import MERGED, SHORT_NAMES, arranged

VOLTAGE_PANEL = 5
CURRENT_PANEL = 6
"""Alert rules link to these."""


def _by_phase(expression: str) -> tuple[Target, Target]:
    """Ask three-phase meters by phase, and single-phase ones by channel."""
    return (
        Target(
            query=select(expression, "em", where=PHASES, by=(EACH, "device", "phase"), fill=Fill.NULL),
            alias="$tag_device $tag_phase",
        ),
        Target(
            query=select(expression, "em1", where=HERE, by=(EACH, "device", "channel"), fill=Fill.NULL),
            alias="$tag_device channel $tag_channel",
        ),
    )


def _total() -> tuple[Target, Target]:
    """Ask for the power of whole meters."""
    query = select('mean("total_act_power")', "em_wide", where=HERE, by=(EACH, "device"), fill=Fill.NULL)
    return Target(query=query, alias="$tag_device"), _by_phase('mean("act_power")')[1]


def power() -> Iterator[Panel]:
    """Yield the panels of power."""
    yield Stat(
        id=1,
        title="Power now",
        description="The power of each meter now. Green and below zero: power is fed in.",
        targets=_total(),
        field=Field(unit="watt", steps=POWER, colors=Colors.STEPS),
        transformations=(SHORT_NAMES,),
        graph=True,
        interval="10s",
    )
    yield TimeSeries(
        id=2,
        title="Power",
        description="The power of each meter, all phases together. Below zero, power is fed in.",
        targets=_total(),
        field=Field(unit="watt"),
        transformations=(SHORT_NAMES,),
        interval="10s",
    )
    yield TimeSeries(
        id=3,
        title="Power of each phase",
        description="The power of each phase. Below zero, power is fed in on that phase.",
        targets=_by_phase('mean("act_power")'),
        field=Field(unit="watt"),
        transformations=(SHORT_NAMES,),
        interval="10s",
    )


def now() -> Panel:
    """Return a table of everything, now."""
    quantities = (
        ("act_power", "Power", "watt", 0),
        ("voltage", "Voltage", "volt", 1),
        ("current", "Current", "amp", 2),
        ("pf", "Power factor", "none", 2),
        ("freq", "Frequency", "hertz", 2),
        ("aprt_power", "Apparent power", "voltamp", 0),
    )
    columns = ", ".join(f'last("{name}") AS "{title}"' for name, title, _, _ in quantities)
    return Table(
        id=4,
        title="Now",
        description="The newest reading of each phase.",
        targets=(
            table(select(columns, "em", where=PHASES, by=("device", "phase"))),
            table(select(columns, "em1", where=HERE, by=("device", "channel"))),
        ),
        field=Field(unit="none"),
        overrides=tuple(unit(title, name, decimals) for _, title, name, decimals in quantities),
        transformations=(
            MERGED,
            arranged(
                *("device", "phase", "channel", *(title for _, title, _, _ in quantities)),
                hidden=("Time",),
                names={"device": "Device", "phase": "Phase", "channel": "Channel"},
            ),
        ),
    )


def quantities() -> Iterator[Panel]:
    """Yield the panels of everything but power."""
    voltage, one_voltage = _by_phase('mean("voltage")')
    current, one_current = _by_phase('max("current")')
    yield TimeSeries(
        id=VOLTAGE_PANEL,
        title="Voltage",
        description="The voltage of each phase. The lines mark 230 V plus and minus ten percent, what EN 50160 allows.",
        targets=(voltage, one_voltage),
        field=Field(unit="volt", decimals=1, steps=VOLTAGE),
        transformations=(SHORT_NAMES,),
        width=HALF,
        interval="10s",
        limits=True,
    )
    # A query is about readings; these are there, whatever kind of meter there is.
    breaker = select('max("level_i") * 0 + ${breaker:raw}', "link", where=HERE, by=(EACH,), fill=Fill.NONE)
    yield TimeSeries(
        id=CURRENT_PANEL,
        title="Current",
        description="The highest current of each phase. The dashed line is the rating of the main breaker.",
        targets=(current, one_current, Target(query=breaker, alias="breaker")),
        field=Field(unit="amp", minimum=0),
        overrides=(dashed("breaker"),),
        transformations=(SHORT_NAMES,),
        width=HALF,
        interval="10s",
    )
    yield TimeSeries(
        id=7,
        title="Frequency",
        description="The frequency of the grid. The lines mark 50 Hz plus and minus one percent.",
        targets=_by_phase('mean("freq")'),
        field=Field(unit="hertz", decimals=2, steps=FREQUENCY),
        transformations=(SHORT_NAMES,),
        width=HALF,
        interval="10s",
        limits=True,
    )
    yield TimeSeries(
        id=8,
        title="Power factor",
        description="Active power as a part of apparent power: 1 is best; motors and power supplies make it low.",
        targets=_by_phase('abs(mean("act_power")) / mean("aprt_power")'),
        field=Field(unit="none", decimals=2, minimum=0, maximum=1),
        transformations=(SHORT_NAMES,),
        width=HALF,
        interval="10s",
    )
