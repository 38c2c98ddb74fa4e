"""The board *Energy*: what was drawn and fed in, when, and what it cost."""

from shelly_boards.board import Board
from shelly_boards.fields import Field
from shelly_boards.kinds import Text
from shelly_boards.sources import Source
from shelly_boards.variables import EXPORT_PRICE, PRICE, READINGS, ROLLUPS, TIME_ZONE, Choice, Query

from .calendar import months, week
from .days import hours_and_days, sums
from .demand import counters, demand

UID = "shelly-energy"

_DEVICE = Query(
    name="device",
    label="Device",
    description="Whose energy is added up: choose devices that do not measure the same energy twice",
    query='SHOW TAG VALUES FROM "energy_1d" WITH KEY = "device"',
    source=Source.ROLLUPS,
)
_CHANNEL = Query(
    name="channel",
    label="Channel",
    description="Which clamps of single-phase meters or metered relays; three-phase meters have 0 only",
    query='SHOW TAG VALUES FROM "energy_1d" WITH KEY = "channel"',
    source=Source.ROLLUPS,
)
_PHASE = Choice(
    name="phase",
    label="Phase",
    description="The whole meter, or one of its phases",
    values=("total", "a", "b", "c"),
)

_NOTE = Text(
    id=14,
    title="About these numbers",
    description="Where the numbers come from.",
    field=Field(unit="none"),
    height=5,
    content=(
        "Energy comes from the meters' own counters, so nothing is lost while the network is down. Hours and days are "
        "those of the time zone set in the app. Today, this month and the present hour still grow. Prices and the time "
        "zone are set in the app's options."
    ),
)

BOARD = Board(
    uid=UID,
    title="Energy",
    description="What was drawn and fed in, when, and what it cost.",
    time_from="now-30d/d",
    refresh="5m",
    variables=(READINGS, ROLLUPS, _DEVICE, _CHANNEL, _PHASE, TIME_ZONE, PRICE, EXPORT_PRICE),
    panels=(*sums(), *hours_and_days(), *months(), week(), *demand(), counters(), _NOTE),
)
