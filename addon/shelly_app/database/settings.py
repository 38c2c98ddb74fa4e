"""What the service `database` has to know, as it is written down by `prepare`. Nothing in here is a secret."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from shelly_app.files import File, Files
from shelly_app.options import Database, LogLevel
from shelly_app.places import Places
from shelly_app.setup import Setup

from .configuration import enabled
from .tokens import TokenFile, reader_file, writer_file

ORGANISATION = "home"
USERNAME = "shelly-pro"
"""InfluxDB wants a user; nobody logs in as this one."""
READINGS = Database().bucket
ROLLUPS = Database().rollup_bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it."""

    url: str
    retention_days: Mapping[str, int]
    """How long each bucket keeps points, by its name; 0: for ever."""
    writer: TokenFile
    reader: TokenFile | None
    """`None`: nobody reads, because Grafana is off."""
    log_level: LogLevel

    @classmethod
    def of(cls, setup: Setup) -> Self:
        """Return what follows from what is set."""
        database = setup.options.database
        return cls(
            url=f"http://127.0.0.1:{setup.layout.ports.influxdb}",
            retention_days={READINGS: database.retention_days, ROLLUPS: database.rollup_retention_days},
            writer=writer_file(setup.layout),
            reader=reader_file(setup.layout) if setup.options.boards.enabled else None,
            log_level=setup.options.log_level,
        )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Return what was written down."""
        reader = values["reader"]
        return cls(
            url=values["url"],
            retention_days=values["retention_days"],
            writer=TokenFile.parse(values["writer"]),
            reader=None if reader is None else TokenFile.parse(reader),
            log_level=LogLevel(values["log_level"]),
        )


def files(setup: Setup) -> Files:
    """Return the file; nothing when our InfluxDB does not run.

    It is for root alone, and not in InfluxDB's folder: it says which files root writes and hands over.
    """
    if not enabled(setup):
        return {}
    text = json.dumps(asdict(Settings.of(setup)), indent=1, default=str) + "\n"
    return {_path(setup.layout.places): File(text=text)}


def load(places: Places) -> Settings:
    """Return what was written down; FileNotFoundError when nothing was prepared."""
    return Settings.parse(json.loads(_path(places).read_text()))


def _path(places: Places) -> Path:
    return places.run / "database.json"
