"""Devices that cannot be reached, and readings that are missing."""

from shelly_boards import quality
from shelly_boards.quality.coverage import GAP_S, GAPS_PANEL
from shelly_boards.quality.devices import LINK_PANEL
from shelly_boards.quality.exporter import ERRORS_PANEL
from shelly_boards.query import SHOWN, Fill, select, select_from

from .rule import Rule
from .thresholds import Thresholds

ERRORS = 5
"""In a quarter of an hour; a write that failed is tried again and counts each time."""
_DOWN = 2
_DAY_S = 86_400


def offline(thresholds: Thresholds) -> Rule:
    """Warn of a device that nothing reaches."""
    return Rule(
        uid="shelly-offline",
        title="Device offline",
        # The exporter tells this of every device it knows: a device that is silent keeps its series.
        query=select('last("level_i")', "link", where=SHOWN, by=("device",)),
        seconds=_DAY_S,
        reducer="last",
        comparison="gt",
        limit=_DOWN - 0.5,
        lasting=f"{thresholds.offline_minutes}m",
        summary="{{ $labels.device }} cannot be reached",
        remedy=(
            f"Nothing has come from {{{{ $labels.device }}}} for {thresholds.offline_minutes} minutes, neither over "
            "MQTT nor over HTTP. See whether it has power and network, and whether its own page opens in a browser."
        ),
        board=quality.UID,
        panel=LINK_PANEL,
        severity="critical",
    )


def gap() -> Rule:
    """Tell that a meter was silent for a while."""
    silences = select('elapsed("act_power", 1s) AS "gap"', "em", "em1", where=SHOWN, by=("device", "channel", "phase"))
    return Rule(
        uid="shelly-gap",
        title="Gap in the readings",
        query=select_from(silences, 'max("gap")', by=("device", "channel")),
        seconds=3600,
        reducer="last",
        comparison="gt",
        limit=GAP_S,
        lasting="0s",
        summary="{{ $labels.device }}: no readings for {{ $values.B.Value }} s",
        remedy=(
            "Readings came again, but in the last hour there was a time without any. Energy is not lost: the meter's "
            "own record of these minutes is fetched back. If it happens often, see the board Pipeline & data quality."
        ),
        board=quality.UID,
        panel=GAPS_PANEL,
    )


def exporter_errors() -> Rule:
    """Warn that readings are not stored, or that the exporter is silent."""
    return Rule(
        uid="shelly-exporter-errors",
        title="Readings are not stored as they should be",
        query=select('sum("errors")', "exporter", where=SHOWN, by=("time(1m)",), fill=Fill.NONE),
        seconds=900,
        reducer="sum",
        comparison="gt",
        limit=ERRORS,
        lasting="5m",
        summary=(
            "{{ if $values.B.Value }}{{ $values.B.Value }} errors while readings were stored, in 15 minutes"
            "{{ else }}No readings are stored{{ end }}"
        ),
        remedy=(
            "The exporter tells of errors, or tells nothing at all. See the log of the app: does the database run, is "
            "the disk full, is the exporter started again and again? Readings wait on the disk and are written later."
        ),
        board=quality.UID,
        panel=ERRORS_PANEL,
        severity="critical",
        silent="Alerting",
        failed="Error",
    )
