"""How each device is reached."""

from collections.abc import Iterator

from shelly_boards.fields import LEVELS, ROADS, Field, counted_red, unit
from shelly_boards.kinds import StateTimeline, Table, TimeSeries
from shelly_boards.panel import HALF, Panel
from shelly_boards.query import EACH, HERE, Fill, select
from shelly_boards.sources import Source
from shelly_boards.target import Target, table
from shelly_boards.transformations import SHORT_NAMES, arranged

from .exporter import NO_EXPORTER

LINK_PANEL = 3
"""An alert rule links to it."""


def links() -> Iterator[Panel]:
    """Yield the panels that show the roads to each device."""
    yield StateTimeline(
        id=LINK_PANEL,
        title="Can each device be reached?",
        description="Ok: all is well. Degraded: readings come, but one of the two roads fails. Down: nothing comes.",
        targets=(_link('last("level_i")'),),
        field=Field(unit="none", words=LEVELS, no_value=NO_EXPORTER),
        transformations=(SHORT_NAMES,),
        interval="1m",
    )
    yield StateTimeline(
        id=4,
        title="Road in use",
        description="MQTT is preferred; HTTP takes over while MQTT does not deliver.",
        targets=(_link('last("transport")'),),
        field=Field(unit="none", words=ROADS, no_value=NO_EXPORTER),
        transformations=(SHORT_NAMES,),
        interval="1m",
    )


def _link(expression: str, alias: str = "$tag_device") -> Target:
    return Target(query=select(expression, "link", where=HERE, by=(EACH, "device"), fill=Fill.NULL), alias=alias)


def devices() -> Iterator[Panel]:
    """Yield the panels that show how well each device answers."""
    yield _of_devices(
        15, "Age of the newest reading", "How old the newest reading of each device is.", 'max("data_age")'
    )
    yield _of_devices(
        16,
        "Clocks",
        "How far the clock of each device is ahead of ours. Far off: see whether the device reaches a time server.",
        'mean("clock_offset")',
    )
    yield TimeSeries(
        id=17,
        title="Time of an answer",
        description="How long a device takes to answer, over MQTT and over HTTP.",
        targets=(
            _link('mean("mqtt_round_trip")', "$tag_device MQTT"),
            _link('mean("http_round_trip")', "$tag_device HTTP"),
        ),
        field=Field(unit="s", minimum=0),
        transformations=(SHORT_NAMES,),
        width=HALF,
        interval="1m",
    )
    yield TimeSeries(
        id=18,
        title="Changes of the road",
        description="How often the way to a device changed between MQTT and HTTP.",
        targets=(_link('non_negative_difference(last("switchovers"))'),),
        field=Field(unit="none", minimum=0, no_value=NO_EXPORTER),
        transformations=(SHORT_NAMES,),
        width=HALF,
        interval="1m",
        bars=True,
    )


def _of_devices(panel_id: int, title: str, description: str, expression: str) -> Panel:
    return TimeSeries(
        id=panel_id,
        title=title,
        description=description,
        targets=(_link(expression),),
        field=Field(unit="s", no_value=NO_EXPORTER),
        transformations=(SHORT_NAMES,),
        width=HALF,
        interval="1m",
    )


def tables() -> Iterator[Panel]:
    """Yield the panels that show what each device tells of itself."""
    columns = (("firmware", "Firmware"), ("uptime", "Running for"), ("rssi", "Wi-Fi signal"), ("name", "Name"))
    names = [title for _, title in columns]
    told = ", ".join(f'last("{field}") AS "{title}"' for field, title in columns)
    yield Table(
        id=19,
        title="What devices tell of themselves",
        description="What each device tells of itself. A device on a cable has no Wi-Fi signal.",
        targets=(table(select(told, "device", where=HERE, by=("device",))),),
        field=Field(unit="none"),
        overrides=(unit("Running for", "s"), unit("Wi-Fi signal", "dBm", 0)),
        transformations=(arranged("Name", "device", *names[:-1], hidden=("Time",), names={"device": "Device"}),),
    )
    total = f"\"phase\" = 'total' AND {HERE}"
    resets = select('sum("resets") AS "resets"', "energy_1d", where=total, by=("device",))
    yield Table(
        id=20,
        title="Counters that began anew",
        description="How often the energy counters of each device began anew, after a reset or an exchange.",
        targets=(table(resets, Source.ROLLUPS),),
        field=Field(unit="none", decimals=0),
        overrides=(counted_red("Began anew"),),
        transformations=(
            arranged("device", "resets", hidden=("Time",), names={"device": "Device", "resets": "Began anew"}),
        ),
        height=6,
        time_from="now-30d/d",
    )
