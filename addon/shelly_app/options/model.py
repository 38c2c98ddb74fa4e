"""What a person can set, with its defaults: the options of the app in Home Assistant, or variables with Compose."""

from dataclasses import dataclass, field
from enum import StrEnum


class LogLevel(StrEnum):
    """How much the services say."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class BrokerMode(StrEnum):
    """Whose broker is used."""

    AUTO = "auto"
    """Another app's if Home Assistant has one, else ours."""
    INTERNAL = "internal"
    EXTERNAL = "external"


class TlsMode(StrEnum):
    """Whether our broker takes encrypted connections, and with whose certificate."""

    OFF = "off"
    GENERATED = "generated"
    """Ours, from a certificate authority that is made at the first start."""
    OWN = "own"
    """The person's, from `/ssl`."""


class DatabaseMode(StrEnum):
    """Where readings are stored."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    OFF = "off"
    """Nowhere: no exporter, no database, no boards."""


class DatabaseKind(StrEnum):
    """What an external database is."""

    INFLUXDB1 = "influxdb1"
    INFLUXDB2 = "influxdb2"
    INFLUXDB3 = "influxdb3"


class Role(StrEnum):
    """What somebody may do in Grafana who is not an administrator of Home Assistant."""

    VIEWER = "Viewer"
    EDITOR = "Editor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login of our broker. Without a password it is a user of Home Assistant, whose password is asked for there."""

    username: str
    password: str | None = field(default=None, repr=False)
    publish: tuple[str, ...] = ()
    """Topic filters, as all that follow; nothing else is allowed."""
    subscribe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Encryption of our broker; names of files in `/ssl`, used with `TlsMode.OWN` only."""

    mode: TlsMode = TlsMode.OFF
    certfile: str = "fullchain.pem"
    keyfile: str = "privkey.pem"
    cafile: str | None = None
    """Whose certificates clients may show; without it, with `require_certificate`, those of our own authority."""
    require_certificate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt:
    """The broker. Host, port, username and password are those of an external one."""

    mode: BrokerMode = BrokerMode.AUTO
    host: str | None = None
    port: int | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls = field(default_factory=Tls)
    devices: tuple[str, ...] = ()
    """Ids of Shelly devices, such as `shellypro3em-3ce90e6ff1a0`: each gets a login of its own name."""
    logins: tuple[Login, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where readings are stored. All but the retention is for an external database only."""

    mode: DatabaseMode = DatabaseMode.INTERNAL
    retention_days: int = 60
    """How long readings are kept, 30 to 90."""
    rollup_retention_days: int = 0
    """How long hourly and daily energy is kept; 0: for ever."""
    kind: DatabaseKind = DatabaseKind.INFLUXDB2
    url: str | None = None
    organisation: str | None = None
    bucket: str = "shelly"
    rollup_bucket: str = "shelly_rollups"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    reader_username: str | None = None
    """Grafana's own login, which may read only; without it the one above is used."""
    reader_password: str | None = field(default=None, repr=False)
    reader_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boards:
    """Grafana and its boards."""

    enabled: bool = True
    role: Role = Role.VIEWER
    price_per_kwh: float = 0.30
    export_price_per_kwh: float = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """When Grafana warns. Voltages in V, current in A per phase."""

    enabled: bool = True
    offline_minutes: int = 5
    voltage_min: float = 207.0
    voltage_max: float = 253.0
    breaker_a: float = 32.0
    """The rating of the main breaker; the warning comes at nine tenths of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that can be set."""

    log_level: LogLevel = LogLevel.INFO
    time_zone: str | None = None
    """Whose hours and days energy is counted by; `None`: Home Assistant's."""
    device_password: str | None = field(default=None, repr=False)
    """The password of the devices themselves, needed when a device is asked over HTTP."""
    mqtt: Mqtt = field(default_factory=Mqtt)
    database: Database = field(default_factory=Database)
    boards: Boards = field(default_factory=Boards)
    alerts: Alerts = field(default_factory=Alerts)
