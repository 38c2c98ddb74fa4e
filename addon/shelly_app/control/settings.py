"""What the control daemon has to know, and nothing else: written by `prepare`, read when the daemon starts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shelly_app.files import File, Files
from shelly_app.options import DatabaseMode, TlsMode
from shelly_app.setup import Setup

_ABOUT = "Here the app remembers what it has done once, so that it does not undo what you have changed since.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it; passwords of our broker are empty if it is switched off."""

    port: int
    """Where the daemon listens on 127.0.0.1."""
    socket: Path
    """Where Mosquitto asks about users of Home Assistant."""
    memory: Path
    """A folder that outlives the container."""
    log_level: str
    role: str
    """What somebody may do in Grafana who is not an administrator."""
    alert_token: str = field(repr=False)
    broker: bool
    """Whether our broker runs."""
    hostname: str
    """The app's name in Supervisor's network."""
    mqtt_port: int
    homeassistant_password: str = field(repr=False)
    apps_password: str = field(repr=False)
    logins: tuple[str, ...]
    """Users of Home Assistant who may log in to our broker."""
    services: Mapping[str, int]
    """Ports of all that runs, by name."""
    offer: Mapping[str, Any]
    """What the integration is told about the app; no secret."""


def files(setup: Setup) -> Files:
    """Return the daemon's file, and one that makes the folder for what it remembers."""
    owner = setup.layout.accounts.control
    settings = settings_of(setup)
    text = json.dumps(asdict(settings), indent=1, default=str) + "\n"
    return {
        setup.layout.places.control: File(text=text, owner=owner),
        settings.memory / "about.txt": File(text=_ABOUT, owner=owner),
    }


def load(path: Path) -> Settings:
    """Return what `files` has written."""
    values = json.loads(path.read_text())
    socket, memory, logins = (values.pop(name) for name in ("socket", "memory", "logins"))
    return Settings(socket=Path(socket), memory=Path(memory), logins=tuple(logins), **values)


def settings_of(setup: Setup) -> Settings:
    """Choose from all that is known what the daemon needs."""
    layout, secrets, ours = setup.layout, setup.secrets, setup.broker.internal
    logins = setup.options.mqtt.logins if ours and setup.home.supervised else ()
    return Settings(
        port=layout.ports.control,
        socket=layout.places.control_socket,
        memory=layout.places.data / "control",
        log_level=setup.options.log_level,
        role=setup.options.boards.role,
        alert_token=secrets.alert_token,
        broker=ours,
        hostname=setup.home.hostname,
        mqtt_port=layout.ports.mqtt,
        homeassistant_password=secrets.homeassistant_password if ours else "",
        apps_password=secrets.apps_password if ours else "",
        logins=tuple(login.username for login in logins if login.password is None),
        services=_services(setup),
        offer=_offer(setup),
    )


def _services(setup: Setup) -> dict[str, int]:
    ports, options = setup.layout.ports, setup.options
    stored = options.database.mode is not DatabaseMode.OFF
    https = not setup.home.supervised and setup.home.certificate is not None
    enabled = {
        "broker": (setup.broker.internal, ports.mqtt),
        "gateway": (True, ports.https if https else ports.gateway),
        "exporter": (stored, ports.exporter),
        "influxdb": (options.database.mode is DatabaseMode.INTERNAL, ports.influxdb),
        "grafana": (stored and options.boards.enabled, ports.grafana),
    }
    return {name: port for name, (runs, port) in enabled.items() if runs}


def _offer(setup: Setup) -> dict[str, Any]:
    ports, options = setup.layout.ports, setup.options
    encrypted = setup.broker.internal and options.mqtt.tls.mode is not TlsMode.OFF
    boards = options.boards.enabled and options.database.mode is not DatabaseMode.OFF
    return {
        "host": setup.home.hostname,
        "broker": setup.broker.internal,
        "mqtt_port": ports.mqtt if setup.broker.internal else None,
        "mqtts_port": ports.mqtts if encrypted else None,
        "devices": list(options.mqtt.devices),
        "database": str(options.database.mode),
        "boards": boards,
        "alerts": boards and options.alerts.enabled,
    }
