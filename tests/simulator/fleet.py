"""All devices of a run and the control API over them."""

import asyncio
import logging
from typing import Any, Self

from aiohttp import web

from tests.simulator import noise
from tests.simulator.auth import ha1
from tests.simulator.clock import Clock
from tests.simulator.control import Control
from tests.simulator.device import VirtualDevice
from tests.simulator.house import House
from tests.simulator.options import DeviceOptions, OptionError, Options
from tests.simulator.rpc import RpcFault
from tests.simulator.unit import Unit

_LOGGER = logging.getLogger(__name__)


class Fleet:
    """Everything one run simulates; use as a context manager."""

    def __init__(self, options: Options, clock: Clock | None = None) -> None:
        self.clock = Clock(speed=options.speed) if clock is None else clock
        self._options = options
        self.units: dict[str, Unit] = {}
        self._houses: dict[str, House] = {}
        self.control_port = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def control_url(self) -> str:
        """The address of the control API."""
        return f"http://{self._options.host}:{self.control_port}"

    def unit(self, model: str) -> Unit:
        """Return the first device of `model`."""
        return next(unit for unit in self.units.values() if unit.device.model.name == model)

    def as_json(self) -> dict[str, Any]:
        """Return what the simulator prints when everything listens."""
        keys = ("id", "model", "mac", "host", "http_port", "profile", "firmware", "topic_prefix")
        devices = [{key: unit.as_json()[key] for key in keys} for unit in self.units.values()]
        return {"control": self.control_url, "devices": devices}

    async def start(self) -> None:
        """Build the devices, switch them on, open the control API. OptionError when a port is taken."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        lines = [line for line in self._options.devices for _ in range(line.count)]
        for index, line in enumerate(lines):
            self._add(line, index)
        for unit in self.units.values():
            await unit.start()
        self._runner = web.AppRunner(Control(self.units).app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._options.host, self._options.control_port)
        try:
            await site.start()
        except OSError as error:
            raise OptionError(f"control_port {self._options.control_port} is taken: give another, or 0") from error
        self.control_port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Switch everything off."""
        if self._runner is not None:
            await self._runner.cleanup()
        results = await asyncio.gather(*(unit.stop() for unit in self.units.values()), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):
                _LOGGER.error("a device did not stop", exc_info=error)

    def _add(self, line: DeviceOptions, index: int) -> None:
        options = self._options
        seed = options.seed if line.seed is None else line.seed
        port = options.http_port + index if options.http_port else 0
        device = VirtualDevice(
            line.model,
            line.firmware,
            clock=self.clock,
            seed=seed,
            index=index,
            cadence_s=options.cadence if line.cadence is None else line.cadence,
            name=line.name,
            house=None if line.house is None else self._house(line.house),
            unwired=line.unwired,
            neutral_ct=line.neutral_ct,
            network=line.network,
        )
        device.auth_ha1 = ha1(device.id, line.password) if line.password else None
        device.user_ca = options.user_ca
        if options.keep_told:
            device.ledger.keep_told()
        _configure(device, options.mqtt | line.mqtt)
        try:
            unit = Unit(device, host=options.host, port=port, mqtt_reconnect_s=options.mqtt_reconnect_s)
        except OSError as error:
            raise OptionError(f"http_port {port} on {options.host} is not free ({error.strerror}): give 0") from error
        self.units[device.id] = unit

    def _house(self, name: str) -> House:
        """Return the house of that name; its furniture depends on the run's seed, not on who moves in first."""
        return self._houses.setdefault(name, House(noise.key_of(self._options.seed, name)))


def _configure(device: VirtualDevice, mqtt: dict[str, Any]) -> None:
    """Set up MQTT as the device's owner would have done before this run; `{id}` in the prefix is the device's id."""
    if not mqtt:
        return
    config = {"enable": "server" in mqtt} | mqtt
    if "topic_prefix" in config:
        config["topic_prefix"] = config["topic_prefix"].replace("{id}", device.id)
    try:
        device.handle("Mqtt.SetConfig", {"config": config}, source="init")
    except RpcFault as fault:
        raise OptionError(f"mqtt: the device refuses this configuration: {fault.message}") from fault
    device.restart_required = False
