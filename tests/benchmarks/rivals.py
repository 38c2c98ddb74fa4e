"""The two integrations under test: how a device is added, and which entities both have."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, override

from tests.stack.fleet import SimulatedDevice
from tests.stack.hass_client import HassClient
from tests.stack.home_assistant import INTEGRATION, set_up_mqtt
from tests.stack.mosquitto import Broker
from tests.stack.processes import StackError
from tests.stack.stage import enter_address

PHASE_FIELDS = ("act_power", "aprt_power", "current", "freq", "pf", "voltage")
ENERGY_FIELDS = ("total_act_energy", "total_act_ret_energy")
SHARED_FIELDS = frozenset(
    {
        *(f"em:0-{phase}_{field}" for phase in "abc" for field in PHASE_FIELDS),
        *(f"emdata:0-{phase}_{field}" for phase in "abc" for field in ENERGY_FIELDS),
        *(f"em:0-total_{field}" for field in ("act_power", "aprt_power", "current")),
        *(f"emdata:0-total_{field}" for field in ("act", "act_ret")),
        "temperature:0-temperature",
    }
)
"""What both show of a Pro 3EM without a neutral clamp. Only these are enabled, in both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An enabled entity: the MAC (upper case) and the field that it shows."""

    entity_id: str
    mac: str
    field: str


class Rival(ABC):
    """An integration, and the road by which it hears of a device."""

    name: ClassVar[str]
    domain: ClassVar[str]
    road: ClassVar[str]
    custom_components: ClassVar[Sequence[Path]]

    @abstractmethod
    async def add(self, client: HassClient, devices: Sequence[SimulatedDevice], broker: Broker) -> None:
        """Set all devices up through the config flow."""

    async def check_loaded(self, client: HassClient) -> None:
        """Raise StackError unless every entry is set up."""
        failed = {entry["state"] for entry in await client.entries(self.domain)} - {"loaded"}
        if failed:
            raise StackError(
                f"Home Assistant could not set {self.name} up ({', '.join(failed)}); its log names what is missing"
            )

    def field_of(self, field: str) -> str:
        """Return the shared name of a field of this integration."""
        return field

    async def align(self, client: HassClient, devices: Sequence[SimulatedDevice]) -> None:
        """Enable what both have and disable the rest; takes effect with the next start of Home Assistant."""
        for entity in await client.entities(self.domain):
            wanted = self._shown(entity).field in SHARED_FIELDS
            if wanted is (entity["disabled_by"] is not None):
                change = {"entity_id": entity["entity_id"], "disabled_by": None if wanted else "user"}
                await client.socket.command("config/entity_registry/update", **change)
        await self.shown(client, devices)

    async def shown(self, client: HassClient, devices: Sequence[SimulatedDevice]) -> list[Shown]:
        """Return the enabled entities; StackError unless they are exactly the shared ones of every device."""
        entities = [e for e in await client.entities(self.domain) if e["disabled_by"] is None]
        shown = [self._shown(entity) for entity in entities]
        expected = {(device.mac, field) for device in devices for field in SHARED_FIELDS}
        found = {(entity.mac, entity.field) for entity in shown}
        if found != expected or len(shown) != len(expected):
            differing = sorted({field for _, field in found ^ expected})
            raise StackError(f"{self.name} does not have the entities to compare: {', '.join(differing)}")
        return shown

    def _shown(self, entity: dict[str, Any]) -> Shown:
        mac, _, field = entity["unique_id"].partition("-")
        return Shown(entity_id=entity["entity_id"], mac=mac.upper(), field=self.field_of(field))


class Ours(Rival):
    """This integration over MQTT."""

    name = "shelly_pro (MQTT)"
    domain = "shelly_pro"
    road = "mqtt"
    custom_components = (INTEGRATION,)

    @override
    async def add(self, client: HassClient, devices: Sequence[SimulatedDevice], broker: Broker) -> None:
        await set_up_mqtt(client, broker)
        for device in devices:
            step = await enter_address(client, device.host, device.http_port)
            if step.entry is None:
                raise StackError(f"{self.name} refused {device.id}: {step.errors or step.reason or step.step}")


class Core(Rival):
    """Home Assistant's own integration over WebSocket."""

    name = "shelly (WebSocket)"
    domain = "shelly"
    road = "ws"
    custom_components = ()

    @override
    async def add(self, client: HassClient, devices: Sequence[SimulatedDevice], broker: Broker) -> None:
        for device in devices:
            step = await client.start_flow(self.domain)
            if step.step == "user":  # it has heard of real devices on the network
                step = await client.submit(step, {"device": "manual"})
            address = {"host": device.host, "port": device.http_port, "verify_ssl": False}
            step = await client.submit(step, address)
            if step.entry is None:
                raise StackError(f"{self.name} refused {device.id}: {step.errors or step.reason}")

    @override
    def field_of(self, field: str) -> str:
        return field.removesuffix("_tc")
