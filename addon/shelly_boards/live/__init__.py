"""The board *Live*: what flows now, and what switches."""

from shelly_boards.board import Board
from shelly_boards.fields import Field, Override
from shelly_boards.kinds import Table
from shelly_boards.panel import Panel
from shelly_boards.query import HERE, select
from shelly_boards.target import table
from shelly_boards.transformations import MERGED, arranged, newest_by
from shelly_boards.variables import BREAKER, DEVICE, PHASE, READINGS, TIME_ZONE

from .power import now, power, quantities
from .relays import relays

UID = "shelly-live"


def _freshness() -> Panel:
    tables = (("em_wide", "total_act_power"), ("em1", "act_power"), ("switch", "output_i"))
    return Table(
        id=12,
        title="Newest reading",
        description="When each device told something last.",
        # One selector a query, or the time were the start of the time shown.
        targets=tuple(
            table(select(f'last("{field}") AS "value"', measurement, where=HERE, by=("device",)))
            for measurement, field in tables
        ),
        field=Field(unit="none"),
        overrides=(Override(name="Newest reading", properties={"unit": "dateTimeFromNow"}),),
        transformations=(
            MERGED,
            newest_by("device"),
            arranged("device", "Time (max)", names={"device": "Device", "Time (max)": "Newest reading"}),
        ),
        height=6,
    )


BOARD = Board(
    uid=UID,
    title="Live",
    description="What flows and switches now.",
    time_from="now-3h",
    refresh="10s",
    variables=(READINGS, DEVICE, PHASE, TIME_ZONE, BREAKER),
    panels=(*power(), now(), *quantities(), *relays(), _freshness()),
)
