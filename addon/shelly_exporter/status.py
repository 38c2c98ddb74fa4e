"""`shelly-exporter status`: asks the exporter that runs on this machine how it is, and says it in plain language."""

import json
import shutil
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import aiohttp
from yarl import URL

from .health import BROKER, DEVICE, SPOOL, TARGET, Level
from .settings import Settings, Web
from .settings.schema import label
from .table import printable, table

TIMEOUT_S: Final = 5.0

EXIT_CODES: Final[Mapping[str, int]] = {Level.OK: 0, Level.DEGRADED: 1, Level.DOWN: 2}

_NAMES = {BROKER: "MQTT broker", SPOOL: "spool (queue on disk)", TARGET: "InfluxDB", "redis": "Redis"}
_WORDS = {Level.OK: "ok", Level.DEGRADED: "degraded", Level.DOWN: "DOWN"}
_SUMMARIES = {
    Level.OK: "The exporter is well.",
    Level.DEGRADED: "The exporter works, but not everything is as it should be.",
    Level.DOWN: "The exporter cannot do its work.",
}
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where it listens, not we


async def status(settings: Settings, out: TextIO | None = None) -> int:
    """Print how each hop is; returns 0 if all is well, 1 if something is degraded, 2 if it is down or does not run."""
    stream = sys.stdout if out is None else out
    url = health_url(settings.web)
    try:
        report = await _fetch(url)
        text = _told(report)
    except (aiohttp.ClientConnectorError, TimeoutError) as err:
        stream.write(_silence(url, _why(err)))
        return EXIT_CODES[Level.DOWN]
    except aiohttp.ClientError, ValueError, KeyError, TypeError, AttributeError:
        keys = f"{label('web.host')} and {label('web.port')}"
        stream.write(f"Something answers at {url}, but it is no exporter. Correct {keys}.\n")
        return EXIT_CODES[Level.DOWN]
    stream.write(text)
    return EXIT_CODES[report["status"]]


def health_url(settings: Web) -> URL:
    """Return where an exporter with these settings tells how it is, for a client on the same machine."""
    host = _EVERYWHERE.get(settings.host, settings.host)
    return URL.build(scheme="http", host=host, port=settings.port, path="/health")


async def _fetch(url: URL) -> dict[str, Any]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, allow_redirects=False) as response:
        report: dict[str, Any] = json.loads(await response.text())
        return report


def _told(report: Mapping[str, Any]) -> str:
    """Return the report as text. Raises what Python raises for something that is none."""
    level = Level(report["status"])
    rows = [("what", "how", "why"), *map(_row, report["hops"])]
    told = [_SUMMARIES[level], "", table(rows, shutil.get_terminal_size().columns)]
    if not any(hop["name"].startswith(DEVICE) for hop in report["hops"]):
        told += ["", "No device was found yet: `shelly-exporter check` says what is missing."]
    return "\n".join((*told, ""))


def _row(hop: Mapping[str, Any]) -> tuple[str, str, str]:
    name = hop["name"]
    shown = f"device {name.removeprefix(DEVICE)}" if name.startswith(DEVICE) else _NAMES.get(name, name)
    reason = hop["reason"]
    return shown, _WORDS[Level(hop["level"])], "" if reason is None else reason


def _silence(url: URL, why: str) -> str:
    return (
        f"No exporter answers at {url}: {why}.\n"
        "Start it with `shelly-exporter run`, best as a service of your system or in its container.\n"
        f"If it runs, correct {label('web.host')} and {label('web.port')}: give here what you gave there.\n"
    )


def _why(err: aiohttp.ClientConnectorError | TimeoutError) -> str:
    if not isinstance(err, aiohttp.ClientConnectorError):
        return "there was no answer in time"
    if isinstance(err.os_error, ConnectionRefusedError):
        return "nothing listens there"
    return printable(err.os_error.strerror or str(err.os_error))
