"""The file that InfluxDB reads, and how it is started.

Its options: docs.influxdata.com/influxdb/v2/reference/config-options.
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

from shelly_app.files import File, Files
from shelly_app.options import DatabaseMode, LogLevel
from shelly_app.places import Places
from shelly_app.setup import Setup

from .memory import available, limits

# InfluxDB has no level between these, and its `info` tells each compaction.
_LEVELS = {LogLevel.DEBUG: "debug", LogLevel.INFO: "info", LogLevel.WARNING: "error", LogLevel.ERROR: "error"}
_MIB = 1024 * 1024


def enabled(setup: Setup) -> bool:
    """Tell whether our InfluxDB runs."""
    return setup.options.database.mode is DatabaseMode.INTERNAL


def bolt(places: Places) -> Path:
    """Return the file with users, tokens and buckets; it is there as soon as InfluxDB has run once."""
    return places.influxdb_data / "influxd.bolt"


def files(setup: Setup) -> Files:
    """Return the file; nothing when our InfluxDB does not run."""
    if not enabled(setup):
        return {}
    text = yaml.safe_dump(dict(_document(setup)), sort_keys=False)
    return {_path(setup): File(text=text, owner=setup.layout.accounts.influxdb)}


def command(_: Setup) -> tuple[str, ...]:
    """Return how InfluxDB is started; it stays in the foreground, and finds its file by `environment`."""
    return ("influxd",)


def environment(setup: Setup) -> Mapping[str, str]:
    """Return the variables that InfluxDB needs."""
    heap = limits(available()).heap // _MIB
    return {"INFLUXD_CONFIG_PATH": str(_path(setup)), "GOMEMLIMIT": f"{heap}MiB"}


def _path(setup: Setup) -> Path:
    return setup.layout.places.influxdb / "config.yaml"


def _document(setup: Setup) -> Mapping[str, str | int | bool]:
    places, memory = setup.layout.places, limits(available())
    return {
        "http-bind-address": f"127.0.0.1:{setup.layout.ports.influxdb}",
        "bolt-path": str(bolt(places)),
        "engine-path": str(places.influxdb_data / "engine"),
        "sqlite-path": str(places.influxdb_data / "influxd.sqlite"),
        "log-level": _LEVELS[setup.options.log_level],
        "reporting-disabled": True,
        "ui-disabled": True,
        "pprof-disabled": True,
        # The exporter makes the rollups, so there is nothing to schedule.
        "no-tasks": True,
        "storage-cache-max-memory-size": memory.cache,
        "storage-cache-snapshot-memory-size": memory.snapshot,
        "query-concurrency": memory.queries,
        "query-memory-bytes": memory.query,
        "query-max-memory-bytes": memory.queries * memory.query,
        "query-queue-size": 64,
    }
