"""Calendars of zones that are not like the others."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from shelly_exporter.rollups.local_time import Calendar

ZONES = (
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Havana",
    "UTC",
    "Antarctica/Casey",
)
CALENDARS = {zone: Calendar(ZoneInfo(zone)) for zone in ZONES}


def unix(text: str) -> int:
    """The Unix seconds of a moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
