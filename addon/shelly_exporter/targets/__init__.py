"""What the points are written to: what all stores do alike, what they answer, and in `DIALECTS` how they differ.

Points are idempotent: InfluxDB keeps one point for a series and a time, and the last write of a field wins. So a batch
may be written twice, and an hour's energy again when it has grown.

VictoriaMetrics is not last-write-wins. Without deduplication it keeps every sample it was ever sent, so that a batch
written twice counts twice. It must run with `-dedup.minScrapeInterval=1ms`: then one sample is left for a series and a
time, but not the last: 1.112 keeps the largest, 1.79 any. Repetitions are harmless so; a correction to a smaller value
is lost. It says that it has points before they are on its disk: `kill -9` takes the last of them. It has no buckets
(both of ours end in one), its retention is its own flag `-retentionPeriod` (one month if nobody sets it), strings
become a series of zeros, and a line that it cannot parse, or that is too old, is dropped in silence.
"""

import email.utils
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import aiohttp

from shelly_exporter.settings import Kind
from shelly_exporter.settings import Target as Settings

TIMEOUT_S = 30.0
"""How long a store may take for a batch."""


class Refused(Exception):  # noqa: N818  # what the store did, as `Unavailable` is
    """Something in the body is wrong: written again as it is, it would be refused again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unavailable(Exception):  # noqa: N818  # no error of ours: a state of the store
    """Nothing can be written for now; to be tried again for ever. The text is a sentence."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        """When the store wants to be asked again, if it says so."""


class Denied(Unavailable):
    """The login is wrong, or may not do this; the text names the remedy."""


class Missing(Unavailable):
    """There is no such database, bucket or organisation, or no such store; the text names the remedy."""


class Target(Protocol):
    """A store. All methods raise `Unavailable`; what goes wrong on the way to it is one, too."""

    async def prepare(self) -> tuple[str, ...]:
        """Create what is missing, if that is wanted, and return what could not be set up: sentences with a remedy.

        Retention is lengthened, never shortened: that would delete data which somebody may want.
        """

    async def write(self, bucket: str, body: bytes) -> None:
        """Write lines with timestamps in milliseconds, joined by newlines. Raises `Refused` for what is in them."""

    async def read_back(self, bucket: str, measurement: str, tag: tuple[str, str], ts_ms: int) -> dict[str, Any] | None:
        """Return the fields and tags of a point; None: it is not there (yet: VictoriaMetrics shows it within seconds).

        Raises `Refused` if the question is.
        """

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one store differs from the others."""

    name: str
    login: str
    """The settings that hold the login."""
    bucket: str = "bucket"
    """Its word for a bucket."""
    organised: bool = False
    """Whether buckets belong to an organisation, are made by the v2 API and are mapped to InfluxQL's databases."""
    configured: bool = False
    """Whether databases are made by InfluxDB 3's API."""
    influxql: bool = True
    """Whether it answers InfluxQL; else PromQL's export."""
    basic: bool = False
    """Whether the login is a name with a password, as HTTP knows it; else a token."""


DIALECTS = {
    Kind.INFLUXDB1: Dialect(
        name="InfluxDB 1", login="influxdb.username and influxdb.password", bucket="database", basic=True
    ),
    Kind.INFLUXDB2: Dialect(name="InfluxDB 2", login="influxdb.token", organised=True),
    Kind.INFLUXDB3: Dialect(name="InfluxDB 3", login="influxdb.token", bucket="database", configured=True),
    Kind.VICTORIAMETRICS: Dialect(
        name="VictoriaMetrics", login="influxdb.username and influxdb.password", influxql=False, basic=True
    ),
}


def target_for(settings: Settings, session: aiohttp.ClientSession) -> Target:
    """Return the store that is set; `session` stays the caller's."""
    # Loaded when needed: influxdb-client takes 30 MB that InfluxDB 1 does not need.
    if settings.kind is Kind.INFLUXDB1:
        from .influxdb_v1 import InfluxV1  # noqa: PLC0415

        return InfluxV1(settings, session)
    from .influxdb_v2 import InfluxV2  # noqa: PLC0415

    return InfluxV2(settings)


def base_url(settings: Settings) -> str:
    """Return the address without a login: one in a URL would be in logs and errors."""
    parts = urlsplit(settings.url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def compressed(settings: Settings) -> bool:
    """Tell whether bodies are compressed: on loopback it costs more than it saves."""
    if settings.gzip is not None:
        return settings.gzip
    host = urlsplit(settings.url).hostname
    try:
        return host is None or not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def retentions(settings: Settings) -> dict[str, int]:
    """Return how many days each bucket keeps points, 0 for ever; the longer time where both are one."""
    if settings.bucket != settings.rollup_bucket:
        return {settings.bucket: settings.retention_days, settings.rollup_bucket: settings.rollup_retention_days}
    days = (settings.retention_days, settings.rollup_retention_days)
    return {settings.bucket: 0 if 0 in days else max(days)}


def left_to_you(what: str, command: str) -> str:
    """Return the complaint about a bucket that keeps points longer than it should."""
    return (
        f"{what} keeps points longer than the settings say. Shortening deletes data, so that is left to you: run "
        f"`{command}`, or change influxdb.retention_days or influxdb.rollup_retention_days"
    )


class Answer(NamedTuple):
    """What a store answered that was no success."""

    status: int
    body: str
    retry_after: str | None = None


def fault(settings: Settings, answer: Answer) -> Refused | Unavailable:
    """Return the exception for an answer."""
    dialect = DIALECTS[settings.kind]
    message = message_of(answer.body)
    who = f"{dialect.name} at {base_url(settings)}"
    said = f"{answer.status}" if message is None else f"{answer.status}: {message}"
    if answer.status == 413:  # noqa: PLR2004  # also a proxy's, which has no message
        return Refused("the body is too large" if message is None else message)
    match answer.status:
        case 400 | 422 if message is not None:
            return Refused(message)
        case 401:
            return Denied(f"{who} refuses the login ({said}): check {dialect.login}")
        case 403:
            return Denied(f"{who} does not allow this ({said}): check the rights that {dialect.login} has")
        case 404 if message is not None:
            return Missing(f"{who} misses something ({said}): create the {dialect.bucket}, or set influxdb.create")
        case 200 | 201 | 202 | 300 | 301 | 302 | 303 | 307 | 308 | 400 | 404 | 405:
            return Missing(
                f"No {dialect.name} answers at {base_url(settings)} ({said}): check influxdb.url and influxdb.kind"
            )
    return Unavailable(f"{who} cannot take points now ({said})", _seconds(answer.retry_after))


def unreachable(settings: Settings, error: Exception) -> Unavailable:
    """Return the exception for a connection that failed."""
    detail = str(error) or type(error).__name__
    return Unavailable(f"{DIALECTS[settings.kind].name} at {base_url(settings)} does not answer: {detail}")


def message_of(body: str) -> str | None:
    """Return what InfluxDB says in an error's body; None: that is not InfluxDB's."""
    try:
        data = json.loads(body)
    except ValueError:
        return None
    if not isinstance(data, dict) or not isinstance(message := data.get("message", data.get("error")), str):
        return None
    # InfluxDB 3 says what is wrong line by line.
    details = data.get("data")
    lines = details if isinstance(details, list) else []
    reasons = [str(line["error_message"]) for line in lines if isinstance(line, dict) and "error_message" in line]
    return "; ".join((message, *reasons))


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which may be a date."""
    if retry_after is None:
        return None
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except TypeError, ValueError:
        return None
