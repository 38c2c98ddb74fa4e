"""Statements in InfluxQL, and which devices and times they are about.

The format of every variable is written out: without one, what Grafana makes of a value depends on its version and on
the place in the statement.
"""

from enum import StrEnum

SHOWN = "$timeFilter"
"""The time that is shown. In a statement with a subquery it stands in the subquery, and outside only with `time()`:
InfluxDB 1 finds nothing otherwise."""
HERE = f'"device" =~ /^${{device:regex}}$/ AND {SHOWN}'
"""The chosen devices in the time that is shown."""
PHASES = f'"phase" =~ /^${{phase:regex}}$/ AND {HERE}'
"""The chosen phases of the chosen devices, in the time that is shown."""
CHANNELS = f'"channel" =~ /^${{channel:regex}}$/ AND {HERE}'
"""The chosen channels of the chosen devices, in the time that is shown."""
COUNTED = f"\"phase\" = '${{phase:raw}}' AND {CHANNELS}"
"""The one phase, or the total, whose energy is shown."""
EACH = "time($__interval)"
"""As fine as there is room for on the screen."""


class Fill(StrEnum):
    """What stands where nothing was told."""

    NONE = "none"
    """Nothing: the next value is joined to the one before."""
    NULL = "null"
    """A hole."""
    ZERO = "0"
    PREVIOUS = "previous"
    """What was before."""


def select(
    columns: str,
    *measurements: str,
    where: str,
    by: tuple[str, ...] = (),
    fill: Fill | None = None,
    zoned: bool = False,
) -> str:
    """Return a statement; `by` are tags and `time(…)`, and `zoned` where hours or days are those of the home."""
    names = ", ".join(f'"{name}"' for name in measurements)
    return f"SELECT {columns} FROM {names} WHERE {where}{_end(by, fill, zoned=zoned)}"  # noqa: S608  # all of it is ours


def select_from(
    inner: str,
    columns: str,
    *,
    where: str | None = None,
    by: tuple[str, ...] = (),
    fill: Fill | None = None,
    zoned: bool = False,
) -> str:
    """Return a statement about the answer of another; `zoned` must be so in both."""
    condition = "" if where is None else f" WHERE {where}"
    return f"SELECT {columns} FROM ({inner}){condition}{_end(by, fill, zoned=zoned)}"  # noqa: S608  # all of it is ours


def _end(by: tuple[str, ...], fill: Fill | None, *, zoned: bool) -> str:
    groups = ", ".join(name if name.startswith("time(") else f'"{name}"' for name in by)
    return "".join(
        (
            f" GROUP BY {groups}" if by else "",
            "" if fill is None else f" fill({fill})",
            " tz('${tz:raw}')" if zoned else "",
        )
    )
