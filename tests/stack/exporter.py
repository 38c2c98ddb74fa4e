"""The real exporter as a process: `python -m shelly_exporter run`, next to a broker and a store of the stack."""

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import yaml

from tests.stack import REPOSITORY
from tests.stack.mosquitto import Account
from tests.stack.processes import Process, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.stack.fleet import SimulatedDevice
    from tests.stack.home_assistant import Reachable

START_S = 30.0
PATHS = (REPOSITORY / "addon", REPOSITORY / "custom_components" / "shelly_pro")


def exporter_account(user: str = "exporter") -> Account:
    """Return the login of an exporter: it hears all devices and asks them, and nothing else."""
    return Account(user=user, rules=("read #", "read $SYS/#", "write +/rpc"))


class Exporter:
    """One exporter; `directory` has its settings, its spool and its log. `settings` are laid over ours, by section."""

    def __init__(
        self,
        directory: Path,
        *,
        broker: Reachable,
        store: str,
        kind: str = "influxdb1",
        user: str = "exporter",
        devices: Sequence[SimulatedDevice] = (),
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        top: Mapping[str, Any] | None = None,
    ) -> None:
        self.directory = directory
        self.broker = broker
        self.user = user
        self.port = free_port()
        self.devices = tuple(devices)
        self._store = store
        self._kind = kind
        self._settings = dict(settings or {})
        self._top = dict(top or {})
        argv = (sys.executable, "-m", "shelly_exporter", "--config", self.config, "run")
        self.process = Process("The exporter", argv, log=directory / "exporter.log", env=self.env)

    @property
    def config(self) -> Path:
        """The file with its settings."""
        return self.directory / "exporter.yaml"

    @property
    def env(self) -> dict[str, str]:
        """What its commands need to be found."""
        return {"PYTHONPATH": os.pathsep.join(map(str, PATHS))}

    @property
    def spool(self) -> Path:
        """Where it keeps everything."""
        return self.directory / "data"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Write the settings and start; returns when it answers."""
        self.write_settings()
        await self.process.start()
        await self.process.wait_until(self._answers, START_S, "The exporter answers")

    async def stop(self) -> None:
        """End orderly: what it has taken goes to the store."""
        await self.process.stop()

    async def kill(self) -> None:
        """End at once, as a crash would."""
        await self.process.kill()

    def reconfigure(self, **sections: Mapping[str, Any]) -> None:
        """Change the settings, for the next start."""
        for section, values in sections.items():
            self._settings[section] = {**self._settings.get(section, {}), **values}

    def reload(self, **sections: Mapping[str, Any]) -> None:
        """Change the settings and let it read them again."""
        self.reconfigure(**sections)
        self.write_settings()
        self.process.send(signal.SIGHUP)

    def write_settings(self) -> None:
        """Write the file, which has passwords."""
        ours: dict[str, dict[str, Any]] = {
            "mqtt": {
                "host": self.broker.host,
                "port": self.broker.port,
                "username": self.user,
                "password": self.broker.password(self.user),
                "client_id": self.user,
            },
            "devices": {"addresses": {device.id: f"{device.host}:{device.http_port}" for device in self.devices}},
            "influxdb": {"kind": self._kind, "url": self._store, "batch_s": 0.2},
            "spool": {"directory": str(self.spool)},
            "web": {"port": self.port},
            "log": {"format": "json", "level": "debug"},
        }
        for section, values in self._settings.items():
            ours[section] = {**ours.get(section, {}), **values}
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config.touch(mode=0o600)
        self.config.write_text(
            yaml.safe_dump({"time_zone": "Europe/Berlin", "instance": self.user, **self._top, **ours})
        )

    async def health(self) -> dict[str, Any]:
        """Return what /health says."""
        _, text = await self._get("/health")
        report: dict[str, Any] = json.loads(text)
        return report

    async def metrics(self) -> dict[str, float]:
        """Return the numbers of /metrics by name and labels, such as `shelly_exporter_devices`."""
        _, text = await self._get("/metrics")
        rows = (row.rpartition(" ") for row in text.splitlines() if not row.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    async def hop(self, name: str) -> dict[str, Any]:
        """Return one hop of /health, such as `broker`."""
        return next(hop for hop in (await self.health())["hops"] if hop["name"] == name)

    async def drained(self, deadline_s: float = 30.0) -> None:
        """Wait until all that it has taken is in the store."""

        async def empty() -> bool:
            metrics = await self.metrics()
            return not any(value for name, value in metrics.items() if name.startswith("shelly_exporter_spool_bytes"))

        await wait_until(empty, deadline_s, "The spool is empty")

    async def connected(self, deadline_s: float = 30.0) -> None:
        """Wait until every device is connected."""

        async def all_ok() -> bool:
            try:
                hops = {hop["name"]: hop["level"] for hop in (await self.health())["hops"]}
            except aiohttp.ClientError:
                return False  # it reads its settings again
            return all(hops.get(f"device:{device.id}") == "ok" for device in self.devices)

        await wait_until(all_ok, deadline_s, "The exporter has reached every device")

    def said(self) -> list[dict[str, Any]]:
        """Return its log."""
        return [json.loads(line) for line in self.process.log.read_text().splitlines() if line.startswith("{")]

    async def _answers(self) -> bool:
        try:
            await self._get("/health")
        except aiohttp.ClientError:
            return False
        return True

    async def _get(self, path: str) -> tuple[int, str]:
        timeout = aiohttp.ClientTimeout(total=10)
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            return response.status, await response.text()
