"""The board *Pipeline & data quality*: whether all readings come through, and if not, where they stop."""

from shelly_boards.board import Board
from shelly_boards.fields import Field
from shelly_boards.kinds import Text
from shelly_boards.variables import DEVICE, READINGS, ROLLUPS, TIME_ZONE

from .coverage import coverage, gaps
from .devices import devices, links, tables
from .exporter import flow, now

UID = "shelly-quality"

_NOTE = Text(
    id=21,
    title="If something is red",
    description="Where to look first.",
    field=Field(unit="none"),
    height=7,
    content=(
        "- **Down**: does the device have power and network? Does its own page open in a browser?\n"
        "- **Degraded, road HTTP**: MQTT does not deliver. See the device's MQTT settings and the log of the app.\n"
        "- **Degraded, road MQTT**: HTTP does not answer, most often because the device's password is not set in the "
        "app's options.\n"
        "- **Waiting** grows: the database does not take readings. They are kept on the disk and written later.\n"
        "- **Rejected** grows: a device tells impossible values. See the log of the app for which."
    ),
)

BOARD = Board(
    uid=UID,
    title="Pipeline & data quality",
    description="Whether all readings come through, and if not, where they stop.",
    time_from="now-24h/h",
    refresh="30s",
    variables=(READINGS, ROLLUPS, DEVICE, TIME_ZONE),
    panels=(*now(), *links(), *coverage(), *gaps(), *flow(), *devices(), *tables(), _NOTE),
)
