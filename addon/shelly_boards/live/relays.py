"""What switches."""

from collections.abc import Iterator
from functools import partial

from shelly_boards.fields import ON_OFF, Field
from shelly_boards.kinds import BarGauge, StateTimeline, TimeSeries
from shelly_boards.panel import HALF, Panel
from shelly_boards.query import EACH, HERE, SHOWN, Fill, select, select_from
from shelly_boards.target import Target
from shelly_boards.transformations import SHORT_NAMES

_RELAY = ("device", "channel")
_STATES = partial(select, 'last("output_i") AS "on"', "switch", where=HERE, fill=Fill.PREVIOUS)


def relays() -> Iterator[Panel]:
    """Yield the panels of relays."""
    relay = "$tag_device relay $tag_channel"
    none = "No relay told its state in this time"
    yield StateTimeline(
        id=9,
        title="Relays",
        description="When each relay was on.",
        targets=(Target(query=_STATES(by=(EACH, *_RELAY)), alias=relay),),
        field=Field(unit="none", words=ON_OFF, no_value=none),
        transformations=(SHORT_NAMES,),
        interval="10s",
    )
    share = select_from(_STATES(by=(EACH, *_RELAY)), 'mean("on")', by=_RELAY)
    yield BarGauge(
        id=10,
        title="Relays: share of the time on",
        description="For how much of the time that is shown each relay was on.",
        targets=(Target(query=share, alias=relay),),
        field=Field(unit="percentunit", decimals=0, minimum=0, maximum=1, no_value=none),
        transformations=(SHORT_NAMES,),
        width=HALF,
        interval="10s",
    )
    hours = select_from(
        _STATES(by=("time(1m)", *_RELAY), zoned=True),
        'sum("on") / 60.0',
        where=SHOWN,
        by=("time(1d)", *_RELAY),
        fill=Fill.NONE,
        zoned=True,
    )
    yield TimeSeries(
        id=11,
        title="Relays: hours on each day",
        description="How long each relay was on, on each day of the last week; today so far.",
        targets=(Target(query=hours, alias=relay),),
        field=Field(unit="h", decimals=1, minimum=0, no_value=none),
        transformations=(SHORT_NAMES,),
        width=HALF,
        height=7,
        time_from="now-6d/d",
        bars=True,
    )
