"""The whole stack in its order: broker, devices, Home Assistant, MQTT, our integration; what demo and tests play on."""

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.stack.fleet import DeviceSpec, Fleet, SimulatedDevice
from tests.stack.home_assistant import INTEGRATION, HomeAssistant, Reachable, set_up_mqtt
from tests.stack.mosquitto import Broker
from tests.stack.processes import StackError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.stack.hass_client import FlowStep, HassClient

DOMAIN = "shelly_pro"
FIRST_VALUES_S = 30.0

type Report = Callable[[str], AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def silent(_: str) -> AsyncIterator[None]:
    """Report nothing about a step."""
    yield


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where broker and Home Assistant listen; None takes a free port."""

    broker: int | None = None
    home_assistant: int | None = None


@dataclass(kw_only=True)
class Household:
    """Devices and a Home Assistant that knows them; `entries` by device id."""

    fleet: Fleet
    home_assistant: HomeAssistant
    client: HassClient
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def add_device(self, device: SimulatedDevice, *, password: str | None = None) -> dict[str, Any]:
        """Set the device up through our config flow and return the entry, once every value is there."""
        step = await enter_address(self.client, device.host, device.http_port)
        if step.step == "credentials":
            step = await self.client.submit(step, {"password": password})
        if step.step == "offer":
            step = await self.client.submit(step, {"next_step_id": "http_only"})
        if step.entry is None:
            raise StackError(f"{device.id} was not added: {step.errors or step.reason or step.step}")
        entry = self.entries[device.id] = step.entry
        await self.await_values(device)
        return entry

    async def remove_device(self, device: SimulatedDevice) -> None:
        """Delete the device's entry."""
        await self.client.remove_entry(self.entries.pop(device.id)["entry_id"])

    async def entities(self, device: SimulatedDevice, *, enabled: bool = True) -> dict[str, str]:
        """Return the device's entity ids by what follows the MAC in their unique ids, such as `em:0-a_act_power`."""
        mac = f"{mac_of(device)}-"
        return {
            entity["unique_id"].removeprefix(mac): entity["entity_id"]
            for entity in await self.client.entities(DOMAIN)
            if entity["unique_id"].startswith(mac) and not (enabled and entity["disabled_by"])
        }

    async def await_values(self, device: SimulatedDevice) -> float:
        """Return the seconds until every enabled entity of the device has a state that is not `unavailable`."""
        entity_ids = (await self.entities(device)).values()
        states = self.client.states

        def complete() -> bool:
            return all(e in states and states[e].state != "unavailable" for e in entity_ids)

        return await self.client.wait_for(complete, FIRST_VALUES_S, f"Every entity of {device.id} is available")


@dataclass(kw_only=True)
class Stage(Household):
    """The running stack, with a broker that tests can do things to."""

    broker: Broker


async def enter_address(client: HassClient, host: str, port: int) -> FlowStep:
    """Begin to add a device of ours by its address, whatever else was found, and return what is asked next."""
    step = await client.start_flow(DOMAIN)
    if step.step == "pick":
        step = await client.submit(step, {"device": "by_address"})
    return await client.submit(step, {"host": host, "port": port, "protect": False})


def mac_of(device: SimulatedDevice) -> str:
    """Return the MAC as unique ids spell it."""
    return device.mac.replace(":", "").lower()


@contextlib.asynccontextmanager
async def raise_stage(
    directory: Path,
    specs: Sequence[DeviceSpec],
    *,
    ports: Ports = Ports(),
    report: Report = silent,
    options: Sequence[str] = (),
    settings: dict[str, Any] | None = None,
    custom_components: Sequence[Path] = (),
    mqtt: bool = True,
) -> AsyncIterator[Stage]:
    """Start everything up to Home Assistant with MQTT set up; devices are added by `Stage.add_device`.

    `options` go to the simulator's command line, such as `("--speed", "60")`; `settings` are laid over Home Assistant's
    configuration.yaml, section by section; `custom_components` come beside ours. Without `mqtt` the devices reach the
    broker, but Home Assistant knows nothing of it.
    """
    async with contextlib.AsyncExitStack() as running:
        broker = Broker(directory / "mosquitto", port=ports.broker)
        async with report(f"Mosquitto on {broker.host}:{broker.port}"):
            await running.enter_async_context(broker)
        fleet = Fleet(directory / "simulator", specs, broker=broker, options=options)
        async with report(f"Virtual devices: {', '.join(spec.model for spec in specs)}"):
            await running.enter_async_context(fleet)
            await fleet.process.wait_until(fleet.connected, 60, "Every device reaches the broker")
        household = await running.enter_async_context(
            raise_household(
                directory,
                fleet,
                broker if mqtt else None,
                port=ports.home_assistant,
                report=report,
                settings=settings,
                custom_components=custom_components,
            )
        )
        yield Stage(broker=broker, fleet=fleet, home_assistant=household.home_assistant, client=household.client)


@contextlib.asynccontextmanager
async def raise_household(
    directory: Path,
    fleet: Fleet,
    broker: Reachable | None,
    *,
    port: int | None = None,
    report: Report = silent,
    settings: dict[str, Any] | None = None,
    custom_components: Sequence[Path] = (),
) -> AsyncIterator[Household]:
    """Start Home Assistant for devices that run already, with MQTT set up if there is a `broker`; see `raise_stage`."""
    async with contextlib.AsyncExitStack() as running:
        home_assistant = HomeAssistant(
            directory / "home-assistant",
            port=port,
            custom_components=(INTEGRATION, *custom_components),
            settings=settings,
        )
        async with report(f"Home Assistant at {home_assistant.url}"):
            await running.enter_async_context(home_assistant)
        client = await running.enter_async_context(home_assistant.client())
        await _forget_entries(client)
        if broker is not None:
            async with report("MQTT in Home Assistant, through its config flow"):
                await set_up_mqtt(client, broker)
        yield Household(fleet=fleet, home_assistant=home_assistant, client=client)


async def _forget_entries(client: HassClient) -> None:
    """Remove what an earlier run left in a kept configuration: its ports and passwords no longer hold."""
    for domain in (DOMAIN, "mqtt"):
        for entry in await client.entries(domain):
            await client.remove_entry(entry["entry_id"])
