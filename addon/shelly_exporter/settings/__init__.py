"""What the exporter can be told, with every default; `source.load` fills it from file and environment."""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from .zone import system_zone

_WEEK_S = 7 * 24 * 3600


class SettingsError(Exception):
    """The settings make no sense; each of `problems` names a key, as in the file and as variable, and the remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Protocol(StrEnum):
    """A version of MQTT; AUTO is 5, and 3.1.1 where a broker refuses that."""

    AUTO = "auto"
    V5 = "5"
    V311 = "3.1.1"


class Kind(StrEnum):
    """What the points are written to."""

    INFLUXDB1 = "influxdb1"
    INFLUXDB2 = "influxdb2"
    INFLUXDB3 = "influxdb3"
    VICTORIAMETRICS = "victoriametrics"


class LogFormat(StrEnum):
    """Lines for people, or JSON for machines."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important thing that is still logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """An encrypted connection to the broker; all files are PEM."""

    ca: Path | None = None
    """Who vouches for the broker; None: whom the system trusts."""
    certificate: Path | None = None
    """What the exporter shows of itself; goes with `key`."""
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt:
    """The broker and the session on it."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_id: str = "shelly-exporter"
    """Names the session, so it stays the same over restarts and is used once on a broker."""
    protocol: Protocol = Protocol.AUTO
    tls: Tls | None = None
    """None: not encrypted."""
    receive_maximum: int = 1000
    """How many messages the broker may send before one of them is acknowledged."""
    session_expiry_s: int = _WEEK_S
    """How long the broker keeps the session, and what arrives for it, while the exporter is away."""
    keepalive_s: int = 30
    prefixes: tuple[str, ...] = ("+",)
    """Topic prefixes of devices, as MQTT filters: `+` stands for one level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Which devices are taken, and how they are reached when MQTT does not deliver. Ids are in lower case."""

    include: tuple[str, ...] = ()
    """Ids, with `*` and `?`; empty: all."""
    exclude: tuple[str, ...] = ()
    """Ids, with `*` and `?`; wins over `include`."""
    http: bool = True
    """Whether a silent device is asked over HTTP."""
    password: str | None = field(default=None, repr=False)
    """The password of every device that `passwords` does not name."""
    passwords: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Passwords by id."""
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])
    """`host` or `host:port` by id, IPv6 as `[address]:port`; for devices that do not say it themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the points go; section `influxdb` in the file. For `Kind.INFLUXDB1` a bucket is a database."""

    kind: Kind = Kind.INFLUXDB2
    url: str = "http://127.0.0.1:8086"
    """Without a slash at its end."""
    organisation: str | None = None
    bucket: str = "shelly"
    rollup_bucket: str = "shelly_rollups"
    """Where hourly and daily energy goes."""
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    retention_days: int = 60
    """How long `bucket` keeps points; 0: for ever."""
    rollup_retention_days: int = 0
    create: bool = True
    """Whether missing buckets, retention and InfluxQL mappings are set up."""
    batch_lines: int = 5000
    batch_s: float = 1.0
    """How long a batch waits for more lines."""
    gzip: bool | None = None
    """None: yes unless `url` is on loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """The queue on disk."""

    directory: Path = Path("/var/lib/shelly-exporter")
    max_mib: int = 1024
    commit_ms: int = 20
    """How long messages are collected before they are written and acknowledged together."""
    sync: bool = True
    """Whether a write is waited for until it would survive a power cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Where /health and /metrics are served."""

    host: str = "127.0.0.1"
    port: int = 9433


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """How much is logged, and in which form."""

    format: LogFormat = LogFormat.CONSOLE
    level: LogLevel = LogLevel.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What several instances share; alone, both are None."""

    group: str | None = None
    """The group of the shared subscription."""
    redis_url: str | None = field(default=None, repr=False)
    """Redis or Valkey, which holds what they know of devices; may contain a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it."""

    mqtt: Mqtt = Mqtt()
    devices: Devices = Devices()
    target: Target = Target()
    spool: SpoolSettings = SpoolSettings()
    web: Web = Web()
    log: Log = Log()
    cluster: Cluster = Cluster()
    time_zone: ZoneInfo = field(default_factory=lambda: system_zone(os.environ))
    """Whose hours and days the rollups count."""
    instance: str = field(default_factory=socket.gethostname)
    """The name of this exporter among several."""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What works but should be known, in the form of a problem."""
