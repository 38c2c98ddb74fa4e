"""One simulated device with everything around it: its life, its roads, its power, its faults."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from tests.simulator.auth import Authenticator
from tests.simulator.device import VirtualDevice
from tests.simulator.faults import Fault
from tests.simulator.http_server import HttpServer
from tests.simulator.mqtt import MqttRoad
from tests.simulator.mqtt_client import DeviceClient, Settings

REBOOTING_S = 2.0
"""How long a soft reboot keeps a device off the network."""
STRICT_NONCES = (2,)
_LOGGER = logging.getLogger(__name__)


class Unit:
    """A device on its port; `start`, then `stop`."""

    def __init__(
        self, device: VirtualDevice, *, host: str, port: int = 0, mqtt_reconnect_s: float | None = None
    ) -> None:
        self.device = device
        self._clock = device.clock
        self._reconnect_s = mqtt_reconnect_s
        self._authenticator = Authenticator(
            device.id, device.clock.now, device.device_clock.now, strict=device.firmware.number >= STRICT_NONCES
        )
        self.http = HttpServer(device, self._authenticator, host=host, port=port)
        self._mqtt: MqttRoad | None = None
        self._mqtt_task: asyncio.Task[None] | None = None
        self._ghosts: list[DeviceClient] = []
        self._chores: set[asyncio.Task[None]] = set()
        self._switching = asyncio.Lock()
        device.on_reboot = self._on_reboot
        device.faults.listen(self._on_fault)

    def as_json(self) -> dict[str, Any]:
        """Return what `GET /devices` shows."""
        device = self.device
        return {
            "id": device.id,
            "model": device.model.name,
            "mac": device.mac,
            "host": self.http.host,
            "http_port": self.http.port,
            "profile": device.profile,
            "firmware": device.firmware.version,
            "topic_prefix": device.mqtt_config().get("topic_prefix") or device.id,
            "mqtt_connected": device.mqtt_connected,
            "faults": device.faults.active(),
        }

    async def start(self) -> None:
        """Switch on: listen, live, connect."""
        await self.http.start()
        self._begin(self.device.run())
        self._connect()

    async def stop(self) -> None:
        """Switch off for good."""
        await self.device.faults.close()
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self._go_dark(silently=False)
        self._bury()
        await self.http.stop()

    def _connect(self) -> None:
        settings = Settings.of(self.device.mqtt_config(), self.device.id)
        if settings is not None:
            self._mqtt = MqttRoad(self.device, settings, reconnect_cap_s=self._reconnect_s, on_connected=self._bury)
            self._mqtt_task = self._begin(self._mqtt.run())

    async def _go_dark(self, *, silently: bool) -> None:
        """End all roads; `silently` leaves the MQTT connection open and dead."""
        async with self._switching:
            self.http.shut()
            if (task := self._mqtt_task) is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            road, self._mqtt, self._mqtt_task = self._mqtt, None, None
            if road is not None and silently:
                self._abandon(road)
            elif road is not None:
                await road.drop()
            self.device.mqtt_connected = False

    async def _boot(self) -> None:
        """Come back, unless there is no power or something else has brought the device back already."""
        async with self._switching:
            if self.device.powered or "power_cut" in self.device.faults:
                return
            self._authenticator.reset()
            self.device.boot()
            self._connect()
            if "refused" not in self.device.faults.web_cuts:
                await self.http.open()

    async def _reboot(self) -> None:
        await self._go_dark(silently=False)
        await self._clock.sleep(REBOOTING_S)
        await self._boot()

    def _abandon(self, road: MqttRoad) -> None:
        if (ghost := road.abandon()) is not None:
            self._ghosts.append(ghost)

    def _bury(self) -> None:
        for ghost in self._ghosts:
            ghost.bury()
        self._ghosts.clear()

    def _on_reboot(self) -> None:
        self._begin(self._reboot())

    def _on_fault(self, fault: Fault, begins: bool) -> None:
        match fault.kind:
            case "power_cut" if begins:
                self.device.power_off()
                self._begin(self._go_dark(silently=True))
            case "power_cut":
                self._begin(self._power_back(float(fault.parameters["unsynced_s"])))
            case "link_cut" if begins and self._mqtt is not None and fault.parameters["mode"] == "silent":
                self._abandon(self._mqtt)
            case "mqtt_cut" | "link_cut" if begins and self._mqtt is not None:
                self._begin(self._mqtt.drop())
            case "online_stuck" if self._mqtt is not None:
                self._mqtt.publish_online(online=not begins)
            case "clock":
                self._set_clock(skew_s=float(fault.parameters["skew_s"]) if begins else 0.0)
            case "counter_reset" if self.device.meter is not None:
                self.device.meter.reset()
        if fault.kind in {"http_cut", "link_cut"}:
            self._cut_http(str(fault.parameters["mode"]), begins=begins)

    def _cut_http(self, mode: str, *, begins: bool) -> None:
        if not begins:
            self.http.reset_connections()
            if self.device.powered and "refused" not in self.device.faults.web_cuts:
                self._begin(self.http.open())
        elif mode == "refused":
            self.http.shut()
        elif mode == "reset":
            self.http.reset_connections()

    async def _power_back(self, unsynced_s: float) -> None:
        self._set_clock(synced=False)
        await self._boot()
        await self._clock.sleep(unsynced_s)
        self._set_clock(synced=True)

    def _set_clock(self, *, skew_s: float | None = None, synced: bool | None = None) -> None:
        """Change what the device believes the time is; what flowed until now is counted by the old belief."""
        self.device.settle()
        if skew_s is not None:
            self.device.device_clock.skew_s = skew_s
        if synced is not None:
            self.device.device_clock.synced = synced

    def _begin(self, chore: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        task.add_done_callback(_report)
        return task


def _report(task: asyncio.Task[None]) -> None:
    """Log what ended a task that nobody awaits."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOGGER.error("%s ended", task.get_coro(), exc_info=error)
