"""A real Home Assistant of this environment on loopback, with a configuration directory of its own."""

import contextlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import yaml

from tests.stack import REPOSITORY
from tests.stack.hass_client import HassClient
from tests.stack.mosquitto import HOME_ASSISTANT
from tests.stack.onboarding import frontend_is_up, long_lived_token
from tests.stack.processes import Process, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

INTEGRATION = REPOSITORY / "custom_components" / "shelly_pro"
USER = PASSWORD = "demo"
START_S = 180.0

# What `default_config` brings, except everything that looks for devices on the network or for services on the internet.
COMPONENTS = ("config", "diagnostics", "energy", "frontend", "history", "logbook", "repairs", "system_health")

LOG_ENTRY = re.compile(r"\d{4}-\d\d-\d\d \d\d:")
COMPLAINT = re.compile(r"\S+ \S+ (WARNING|ERROR|CRITICAL) ")
UNTESTED = "which has not been tested by Home Assistant"


class HomeAssistant:
    """One Home Assistant; `start`, then `client()` for a logged-in connection.

    `executable` is the Python that runs it, so that another version can be another environment.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        executable: Path = Path(sys.executable),
        custom_components: Sequence[Path] = (INTEGRATION,),
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.directory = directory
        self.port = free_port() if port is None else port
        self._custom_components = custom_components
        self._settings = settings or {}
        self._token: str | None = None
        argv = (executable, "-m", "homeassistant", "--config", directory, "--skip-pip", "--log-no-color")
        # Home Assistant writes its own log into its directory; this one also holds what is written before and outside.
        # Started elsewhere it would take the custom_components of the current directory for its own.
        self.process = Process("Home Assistant", argv, log=directory / "process.log", cwd=directory)

    @property
    def url(self) -> str:
        """The address to open in a browser."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """Where the recorder keeps states and statistics; `tests.stack.recorder` reads it."""
        return self.directory / "home-assistant_v2.db"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Write the configuration when there is none, start, onboard; returns when it runs and answers."""
        self._configure()
        await self.process.start()
        await self.process.wait_until(
            lambda: frontend_is_up(self.url), START_S, f"Home Assistant shows its pages at {self.url}"
        )
        self._token = self._token or await long_lived_token(self.url, USER, PASSWORD)
        async with self.client() as client:

            async def running() -> bool:
                return bool((await client.socket.command("get_config"))["state"] == "RUNNING")

            await self.process.wait_until(running, START_S, "Home Assistant has started")

    async def stop(self) -> None:
        """End orderly, the recorder's queue written."""
        await self.process.stop()

    async def restart(self) -> None:
        """Stop and start again with the same configuration and login."""
        await self.stop()
        await self.start()

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[HassClient]:
        """Connect as the owner."""
        if self._token is None:
            self._token = await long_lived_token(self.url, USER, PASSWORD)
        async with HassClient.connect(self.url, self._token) as client:
            yield client

    def complaints(self, about: str = "") -> list[str]:
        """Return the log's warnings and errors in which `about` occurs, with their tracebacks.

        That a custom integration is custom is not counted, nor are the folders Python itself is installed in.
        """
        entries: list[str] = []
        log = self.process.log.read_text(errors="replace") if self.process.log.exists() else ""
        for line in log.replace(sys.prefix, "").replace(sys.base_prefix, "").splitlines():
            if LOG_ENTRY.match(line) or not entries:
                entries.append(line)
            else:
                entries[-1] += f"\n{line}"
        return [entry for entry in entries if COMPLAINT.match(entry) and about in entry and UNTESTED not in entry]

    def _configure(self) -> None:
        (self.directory / ".storage").mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "configuration.yaml"
        if not configuration.exists():
            configuration.write_text(yaml.safe_dump(self._defaults() | self._settings, sort_keys=False))
            # `core_config` would make Home Assistant add weather, radio and speech services of the internet.
            self._store("onboarding", 4, {"done": ["core_config"]})
        # Home Assistant takes its address from here; given in YAML it is a trial, undone by a restart after 5 minutes.
        self._store("http", 1, {"server_host": ["127.0.0.1"], "server_port": self.port})
        for source in self._custom_components:
            link = self.directory / "custom_components" / source.name
            link.parent.mkdir(exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(source, target_is_directory=True)

    def _defaults(self) -> dict[str, Any]:
        home = {
            "name": "Shelly Pro demo",
            "latitude": 52.52,
            "longitude": 13.405,
            "elevation": 34,
            "unit_system": "metric",
            "time_zone": "Europe/Berlin",
            "currency": "EUR",
            "country": "DE",
            "language": "en",
        }
        return {"homeassistant": home, "recorder": {"commit_interval": 1}} | dict.fromkeys(COMPONENTS)

    def _store(self, key: str, version: int, data: dict[str, Any]) -> None:
        stored = {"version": version, "minor_version": 1, "key": key, "data": data}
        (self.directory / ".storage" / key).write_text(json.dumps(stored))


class Reachable(Protocol):
    """A broker, for those who only want to connect."""

    @property
    def host(self) -> str:
        """The address clients connect to."""

    port: int

    def password(self, user: str, /) -> str:
        """Return the password of `user`."""


async def set_up_mqtt(client: HassClient, broker: Reachable) -> dict[str, Any]:
    """Connect Home Assistant to `broker` through its own config flow and return the entry."""
    return await client.set_up(
        "mqtt",
        {
            "broker": broker.host,
            "port": broker.port,
            "protocol": "5",
            "username": HOME_ASSISTANT,
            "password": broker.password(HOME_ASSISTANT),
            "other_settings": {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"},
        },
    )
