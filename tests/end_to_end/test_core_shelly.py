"""Home Assistant's own `shelly` integration takes simulated devices for real, sets all up and shows live values."""

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.simulator.fleet import Fleet
from tests.simulator.options import from_mapping
from tests.stack.home_assistant import HomeAssistant
from tests.stack.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.simulator.unit import Unit
    from tests.stack.hass_client import HassClient

PASSWORD = "correct horse"
MODELS = ("pro3", "pro3em", "pro3em-mono", "pro3em400")
RELEASES = ("1.1.0", "1.4.4", "1.7.5", "2.0.1")
# Core's names of what it shows by default, and the device's names of the same.
SHOWN = {
    "em": {f"{phase}_act_power": f"{phase}_act_power" for phase in ("a", "b", "c", "total")},
    "em1": {"power_em1": "act_power"},
}


@dataclass(frozen=True)
class Scene:
    """A running Home Assistant, every simulated device, and core's entity of each `<MAC>-<component>-<value>`."""

    client: HassClient
    fleet: Fleet
    entities: dict[str, str]
    home_assistant: HomeAssistant

    def state(self, unique_id: str) -> str:
        """Return the state shown for `unique_id`."""
        return self.client.states[self.entities[unique_id]].state

    def shows(self, unit: Unit) -> dict[str, tuple[float, float]]:
        """Return what core shows and what the device last told, by unique id."""
        pairs = {}
        for key, told in unit.device.ledger.reported.items():
            for shown, field in SHOWN.get(key.partition(":")[0], {}).items():
                unique_id = f"{unit.device.mac}-{key}-{shown}"
                pairs[unique_id] = (float(self.state(unique_id)), float(told["status"][field]))
        return pairs


def _fleet() -> Fleet:
    lines: list[dict[str, Any]] = [
        {"model": model, "firmware": release, "name": f"{model} {release}{' locked' if locked else ''}"}
        | ({"password": PASSWORD} if locked else {})
        for model in MODELS
        for release in RELEASES
        for locked in (False, True)
    ]
    return Fleet(from_mapping({"devices": lines, "cadence": 1.0}))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    directory: Path = tmp_path_factory.mktemp("core")
    # Bluetooth and zeroconf come with core's integration: they are given the loopback interface and nothing else.
    (directory / ".storage").mkdir()
    network = {"version": 1, "minor_version": 1, "key": "core.network", "data": {"configured_adapters": ["lo"]}}
    (directory / ".storage" / "core.network").write_text(json.dumps(network))
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(_fleet())
        home_assistant = await stack.enter_async_context(HomeAssistant(directory, custom_components=()))
        client = await stack.enter_async_context(home_assistant.client())
        for unit in fleet.units.values():
            await _set_up(client, unit)
        registry = await client.entities("shelly")
        entities = {entry["unique_id"]: entry["entity_id"] for entry in registry if entry["disabled_by"] is None}
        yield Scene(client, fleet, entities, home_assistant)


async def _set_up(client: HassClient, unit: Unit) -> None:
    answers: list[dict[str, Any]] = [{"host": "127.0.0.1", "port": unit.http.port}]
    if unit.device.auth_ha1 is not None:
        answers.append({"password": PASSWORD})
    entry = await client.set_up("shelly", *answers)
    assert entry["title"] == unit.device.info()["name"]


async def test_every_device_is_loaded(scene: Scene) -> None:
    entries = await scene.client.entries("shelly")
    assert len(entries) == len(MODELS) * len(RELEASES) * 2
    assert {entry["state"] for entry in entries} == {"loaded"}


async def test_meters_show_live_values(scene: Scene) -> None:
    meters = [unit for unit in scene.fleet.units.values() if unit.device.profile]
    for unit in meters:
        unit.device.set_load("a", power_w=9000.0, name="oven")

    def shown() -> bool:
        pairs = [pair for unit in meters for pair in scene.shows(unit).values()]
        expected = sum(4 if unit.device.profile == "triphase" else 3 for unit in meters)
        return len(pairs) == expected and all(shown == told for shown, told in pairs)

    def oven() -> bool:
        first = [next(iter(scene.shows(unit).values()))[0] for unit in meters]
        return all(power > 6000 for power in first)  # by day, the sun takes up to 2 kW off

    await wait_until(oven, 60, "every meter's phase A shows the oven")
    await wait_until(shown, 60, "everything shown is what was told", interval_s=0.1)


async def test_relays_are_switched_from_both_sides(scene: Scene) -> None:
    for unit in [unit for unit in scene.fleet.units.values() if unit.device.model.relays]:
        for relay in unit.device.switchboard.relays:
            unique_id = f"{unit.device.mac}-switch:{relay.id}"
            for on in (True, False):
                state = "on" if on else "off"
                await scene.client.call_service(f"switch.turn_{state}", scene.entities[unique_id])
                assert relay.output is on
                await scene.client.wait_for_state(scene.entities[unique_id], state)
            unit.device.set_switch(relay.id, True, "button")
            await scene.client.wait_for_state(scene.entities[unique_id], "on", 10.0)


async def test_nothing_is_complained_about(scene: Scene) -> None:
    for logger in ("homeassistant.components.shelly", "aioshelly"):
        assert scene.home_assistant.complaints(logger) == []
