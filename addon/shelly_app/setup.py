"""All that rendering needs to know, gathered once: nothing is asked or decided while files are written."""

from dataclasses import dataclass, field

from .options import Options
from .places import Layout
from .secret_store import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where the app runs, as Supervisor or the environment has told."""

    supervised: bool
    """Whether there is a Supervisor; without one people log in to Grafana themselves."""
    time_zone: str = "UTC"
    hostname: str = "localhost"
    """The app's name in Supervisor's network."""
    ingress_entry: str = ""
    """The path below which Home Assistant shows the app, such as `/api/hassio_ingress/<token>`."""
    addresses: tuple[str, ...] = ()
    """Names and addresses by which devices may reach the broker."""
    certificate: tuple[str, str] | None = None
    """Certificate and key for HTTPS, as file names in `/ssl`; only without Supervisor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    """The broker that the exporter uses."""

    internal: bool
    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All of it together."""

    options: Options
    secrets: Secrets
    layout: Layout
    home: Home
    broker: BrokerAccess

    @property
    def time_zone(self) -> str:
        """The zone whose hours and days count."""
        chosen = self.options.time_zone
        return self.home.time_zone if chosen is None else chosen
