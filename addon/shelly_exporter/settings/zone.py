"""The time zone that this system runs in."""

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

_ETC = Path("/etc")
_FOLDER = "zoneinfo/"
"""What stands before a zone's name in a path such as /usr/share/zoneinfo/Europe/Berlin."""


def zone_named(name: str) -> ZoneInfo | None:
    """Return the time zone called `name`; `None` if there is none."""
    try:
        return ZoneInfo(name)
    except OSError, ValueError, LookupError:  # a folder such as Europe, a path, and what is in no database
        return None


def zone_of_variable(environ: Mapping[str, str]) -> ZoneInfo | None:
    """Return the zone that TZ names, as a name or a path; `None` if it is not set or is a rule such as CET-1CEST."""
    return zone_named(_name_in(environ.get("TZ", "").removeprefix(":")))


def system_zone(environ: Mapping[str, str], etc: Path = _ETC) -> ZoneInfo:
    """Return the zone of TZ, else of /etc/localtime, else of /etc/timezone, else UTC."""
    return zone_of_variable(environ) or _zone_of_files(etc) or ZoneInfo("UTC")


def _zone_of_files(etc: Path) -> ZoneInfo | None:
    path = etc / "localtime"
    if path.is_symlink() and (zone := zone_named(_name_in(str(path.resolve())))) is not None:
        return zone
    try:
        if (zone := zone_named((etc / "timezone").read_text().strip())) is not None:
            return zone
    except OSError, UnicodeDecodeError:
        pass
    try:
        with path.open("rb") as file:  # a copy without a name, as in some containers
            return ZoneInfo.from_file(file, key="localtime")
    except OSError, ValueError:
        return None


def _name_in(path: str) -> str:
    return path.rpartition(_FOLDER)[2]
