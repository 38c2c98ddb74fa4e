"""Where things are: folders, ports and system users, as they are in the app; tests and the demo choose others."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Folders: `data` goes with the app, `config` outlives it, `ssl` is the person's, `run` is new at each start."""

    data: Path = Path("/data")
    config: Path = Path("/config")
    ssl: Path = Path("/ssl")
    run: Path = Path("/run/shelly-pro")
    boards: Path = Path("/usr/share/shelly-pro/boards")
    """The boards as they are shipped."""
    auth_plugin: Path | None = Path("/usr/lib/shelly-pro/ask_control.so")
    """Lets Mosquitto ask `control_socket` whether a user of Home Assistant may log in; `None`: there is no plug-in."""

    @property
    def secrets(self) -> Path:
        """Passwords and tokens that are made here."""
        return self.data / "secrets"

    @property
    def mosquitto_data(self) -> Path:
        """Retained messages and sessions."""
        return self.data / "mosquitto"

    @property
    def certificates(self) -> Path:
        """The generated certificate authority and the broker's certificate."""
        return self.data / "certificates"

    @property
    def exporter_data(self) -> Path:
        """The exporter's spool."""
        return self.data / "exporter"

    @property
    def grafana_data(self) -> Path:
        """Grafana's own database."""
        return self.data / "grafana"

    @property
    def influxdb_data(self) -> Path:
        """InfluxDB's files: below `config`, so that removing the app does not remove the history."""
        return self.config / "influxdb"

    @property
    def mosquitto(self) -> Path:
        """Rendered: mosquitto.conf, passwords, acl."""
        return self.run / "mosquitto"

    @property
    def nginx(self) -> Path:
        """Rendered: nginx.conf, roles.map and what nginx writes."""
        return self.run / "nginx"

    @property
    def grafana(self) -> Path:
        """Rendered: grafana.ini, provisioning, boards."""
        return self.run / "grafana"

    @property
    def influxdb(self) -> Path:
        """Rendered: config.yaml of InfluxDB."""
        return self.run / "influxdb"

    @property
    def exporter(self) -> Path:
        """Rendered: the settings of the exporter."""
        return self.run / "exporter" / "exporter.yaml"

    @property
    def writer_token(self) -> Path:
        """The exporter's token for our InfluxDB, for the exporter to read; missing until InfluxDB has made it."""
        return self.run / "exporter" / "token"

    @property
    def control(self) -> Path:
        """Rendered: what the control daemon has to know."""
        return self.run / "control" / "control.json"

    @property
    def services(self) -> Path:
        """Rendered: which services run, and how."""
        return self.run / "services.json"

    @property
    def control_socket(self) -> Path:
        """Where Mosquitto asks about users of Home Assistant."""
        return self.run / "control" / "logins.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports inside the container. InfluxDB, Grafana, the exporter's and control's pages are on 127.0.0.1 only."""

    mqtt: int = 1883
    mqtts: int = 8883
    gateway: int = 8099
    """Where Supervisor connects."""
    https: int = 8443
    """Where browsers connect without Supervisor."""
    influxdb: int = 8086
    grafana: int = 3000
    exporter: int = 9433
    control: int = 9434


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """System users the services run as; `None`: whoever starts them."""

    mosquitto: str | None = "mosquitto"
    nginx: str | None = "www-data"
    influxdb: str | None = "influxdb"
    grafana: str | None = "grafana"
    exporter: str | None = "shelly-exporter"
    control: str | None = "shelly-control"


NOBODY_ELSE = Accounts(mosquitto=None, nginx=None, influxdb=None, grafana=None, exporter=None, control=None)
"""All services run as the user who starts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All of it together."""

    places: Places = field(default_factory=Places)
    ports: Ports = field(default_factory=Ports)
    accounts: Accounts = field(default_factory=Accounts)
    host: str = "0.0.0.0"  # noqa: S104  # the container's own address; what is published is set in Home Assistant
    """Where the broker and the gateway listen."""
    ingress_peer: str = "172.30.32.2"
    """Supervisor: the only one the gateway listens to."""
