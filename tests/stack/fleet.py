"""Simulated devices in a process of their own, and a typed client of their control API."""

import asyncio
import json
import os
import sys
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import yaml

from tests.stack import REPOSITORY
from tests.stack.mosquitto import DEVICES, Broker
from tests.stack.processes import Process, StackError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """A device to simulate: model such as `pro3em`, firmware such as `1.7.5`, the name its owner gave it.

    Devices of the same `house` share its electricity: a meter sees what relays switch. None: a house of its own.
    `unwired` are phases without clamp and voltage, such as `bc`.
    """

    model: str
    firmware: str | None = None
    name: str | None = None
    password: str | None = field(default=None, repr=False)
    cadence_s: float | None = None
    house: str | None = None
    unwired: str | None = None
    neutral_ct: bool | None = None
    mqtt: bool = True

    def as_yaml(self) -> dict[str, Any]:
        """Return a line of the simulator's file."""
        keys = {"cadence_s": "cadence"}
        given = {keys.get(name, name): value for name, value in asdict(self).items() if name != "mqtt"}
        line = {key: value for key, value in given.items() if value is not None}
        return line if self.mqtt else line | {"mqtt": {"enable": False}}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedDevice:
    """Where to find a simulated device and what it pretends to be."""

    id: str
    model: str
    mac: str
    host: str
    http_port: int
    profile: str | None
    firmware: str
    topic_prefix: str

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read the simulator's announcement; it may say more than we keep."""
        told: dict[str, Any] = {known.name: data.get(known.name) for known in fields(cls)}
        return cls(**told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A device at `ts`: the status it would measure now, and per component what it last told anybody."""

    ts: float
    true: dict[str, dict[str, Any]]
    reported: dict[str, dict[str, Any]]
    reported_at: dict[str, float]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read the answer of `/devices/{id}/state`."""
        told = data["reported"]
        return cls(
            ts=data["ts"],
            true=data["true"],
            reported={key: entry["status"] for key, entry in told.items()},
            reported_at={key: entry["ts"] for key, entry in told.items()},
        )


class Fleet:
    """`python -m tests.simulator`; with a broker the devices come with MQTT set up for it, unless their spec denies."""

    def __init__(
        self,
        directory: Path,
        specs: Sequence[DeviceSpec],
        *,
        broker: Broker | None = None,
        seed: int = 1,
        options: Sequence[str] = (),
    ) -> None:
        self.devices: tuple[SimulatedDevice, ...] = ()
        self.specs = tuple(specs)
        self._directory = directory
        self._announcement = directory / "simulator.json"
        self._session: aiohttp.ClientSession | None = None
        config = directory / "fleet.yaml"
        argv: list[str | Path] = [
            sys.executable,
            "-m",
            "tests.simulator",
            "--config",
            config,
            "--seed",
            str(seed),
            *options,
        ]
        env = {"PYTHONPATH": os.pathsep.join((str(REPOSITORY), os.environ.get("PYTHONPATH", ""))).rstrip(os.pathsep)}
        if broker is not None:
            argv += ["--mqtt", f"{broker.host}:{broker.port}", "--mqtt-user", DEVICES]
            env["SHELLY_SIM_MQTT_PASSWORD"] = broker.password(DEVICES)
        self.process = Process(
            "The simulator", argv, log=directory / "simulator.log", stdout=self._announcement, env=env, cwd=REPOSITORY
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the devices; returns when they all listen."""
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "fleet.yaml"
        config.touch(mode=0o600)
        config.write_text(yaml.safe_dump({"devices": [spec.as_yaml() for spec in self.specs]}))
        await self.process.start()
        await self.process.wait_until(self._announced, START_S, "The simulated devices listen")
        announced = json.loads(self._announcement.read_text())
        self.devices = tuple(map(SimulatedDevice.from_json, announced["devices"]))
        self._session = aiohttp.ClientSession(announced["control"])

    async def stop(self) -> None:
        """Stop the devices."""
        if self._session is not None:
            await self._session.close()
        await self.process.stop(grace_s=5)

    async def join(self, device: SimulatedDevice, server: str, user: str, password: str) -> None:
        """Enter a broker in the device's own settings, over its HTTP API as a person or an app does, and restart it."""
        config = {"enable": True, "server": server, "user": user, "pass": password, "rpc_ntf": True, "enable_rpc": True}
        for method, params in (("Mqtt.SetConfig", {"config": config}), ("Shelly.Reboot", {})):
            url = f"http://{device.host}:{device.http_port}/rpc/{method}"
            async with aiohttp.ClientSession() as session, session.post(url, json=params) as response:
                if not response.ok:
                    raise StackError(f"{device.id} refused {method}: {await response.text()}")

    async def connected(self) -> bool:
        """Tell whether every device that has MQTT has reached the broker."""
        told = await self._ask("GET", "/devices")
        return all(told["mqtt_connected"] for told, spec in zip(told, self.specs, strict=True) if spec.mqtt)

    async def truth(self, device: SimulatedDevice, ts: float | None = None) -> Truth:
        """Return what the device measures now, or at `ts` if nobody touches a load, and what it last told."""
        params = {} if ts is None else {"ts": str(ts)}
        return Truth.from_json(await self._ask("GET", f"/devices/{device.id}/state", params=params))

    async def ledger(self, device: SimulatedDevice, since: float = 0.0) -> dict[str, Any]:
        """Return energy, counters, edges and frames since `since` (Unix seconds of the simulation)."""
        ledger: dict[str, Any] = await self._ask("GET", f"/devices/{device.id}/ledger", params={"since": str(since)})
        return ledger

    async def told(self, device: SimulatedDevice, since: float = 0.0) -> list[dict[str, Any]]:
        """Return what the device told from `since` on, by true time, and the broker or an HTTP client took.

        Each with `ts` as the device stamped it, `at` the true time, `road`, `kind` and `params`. Only of a fleet that
        was started with `options=["--keep-told"]`; see the simulator's README for what is in it.
        """
        told: list[dict[str, Any]] = await self._ask("GET", f"/devices/{device.id}/told", params={"since": str(since)})
        return told

    async def http_counts(self, device: SimulatedDevice) -> dict[int, int]:
        """Return how many answers the web server has given since the start, by status code; 101 is a WebSocket."""
        return {int(status): count for status, count in (await self.ledger(device))["http"].items()}

    async def http_in_flight_max(self, device: SimulatedDevice) -> int:
        """Return how many HTTP requests the device served at the same time at most, since the start."""
        return int((await self.ledger(device))["http_in_flight_max"])

    async def edges(self, device: SimulatedDevice, since: float) -> list[dict[str, Any]]:
        """Return the relay's and input's edges since `since`, with `kind`, `id`, `on`, `source`."""
        edges: list[dict[str, Any]] = (await self.ledger(device, since))["edges"]
        return edges

    async def set_switch(self, device: SimulatedDevice, switch_id: int, on: bool) -> None:
        """Switch a relay as a person at the switchboard does."""
        await self._ask("POST", f"/devices/{device.id}/switch", json={"id": switch_id, "on": on})

    async def press_input(self, device: SimulatedDevice, input_id: int, action: str) -> None:
        """Act on an input: on, off, toggle, single_push and the like."""
        await self._ask("POST", f"/devices/{device.id}/input", json={"id": input_id, "action": action})

    async def set_load(self, device: SimulatedDevice, phase: str, power_w: float, *, pf: float = 1.0) -> None:
        """Add or replace a load of its own on `phase`; negative feeds in."""
        body = {"phase": phase, "power_w": power_w, "pf": pf, "name": "test"}
        await self._ask("POST", f"/devices/{device.id}/load", json=body)

    async def set_fault(self, device: SimulatedDevice, kind: str, *, seconds: float = 0, **parameters: Any) -> None:
        """Let `kind` of fault act for `seconds`; 0 until `clear_faults`."""
        await self._ask("POST", f"/devices/{device.id}/fault", json={"kind": kind, "seconds": seconds} | parameters)

    async def set_fault_everywhere(
        self,
        kind: str,
        *,
        devices: Sequence[SimulatedDevice] | None = None,
        seconds: float = 0,
        **parameters: Any,
    ) -> None:
        """As `set_fault` for all devices, or for `devices`, at once."""
        chosen = self.devices if devices is None else devices
        await asyncio.gather(*(self.set_fault(device, kind, seconds=seconds, **parameters) for device in chosen))

    async def clear_faults_everywhere(self) -> None:
        """End every fault of every device."""
        await asyncio.gather(*map(self.clear_faults, self.devices))

    async def clear_faults(self, device: SimulatedDevice) -> None:
        """End every fault of the device."""
        await self._ask("DELETE", f"/devices/{device.id}/fault")

    async def set_cadence(self, device: SimulatedDevice, seconds: float) -> None:
        """Let a meter report every `seconds`."""
        await self._ask("POST", f"/devices/{device.id}/cadence", json={"seconds": seconds})

    def _announced(self) -> bool:
        return self._announcement.read_text().endswith("\n")

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        if self._session is None:
            raise StackError("The simulated devices do not run: start the fleet first")
        async with self._session.request(method, path, **options) as response:
            if not response.ok:
                raise StackError(f"The simulator refused {method} {path}: {await response.text()}")
            return await response.json()
