"""Does Home Assistant show what the devices said? Every entity against the simulator's ledger, and relays both ways."""

import asyncio
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.stack.processes import StackError

if TYPE_CHECKING:
    from tests.stack.fleet import SimulatedDevice, Truth
    from tests.stack.hass_client import State
    from tests.stack.stage import Household

AGREE_S = 20.0
PAUSE_S = 0.2
SWITCH_S = 5.0
LOCAL_SWITCH_S = 1.0
"""A change at the device has to show within this time."""

# Which units Home Assistant may show a field in, and what one of them is in the device's unit.
UNITS: dict[str, dict[str | None, float]] = {
    "act_power": {"W": 1, "kW": 1000},
    "aprt_power": {"VA": 1, "kVA": 1000},
    "current": {"A": 1, "mA": 0.001},
    "voltage": {"V": 1},
    "pf": {None: 1},
    "freq": {"Hz": 1},
    "act_energy": {"Wh": 1, "kWh": 1000},
    "act_ret_energy": {"Wh": 1, "kWh": 1000},
    "act": {"Wh": 1, "kWh": 1000},
    "act_ret": {"Wh": 1, "kWh": 1000},
    "temperature": {"°C": 1},
}
READING = re.compile(rf"(?:[abcn]_)?(?:total_)?({'|'.join(UNITS)})")
"""The name of a field that is measured, and in it the quantity; the other entities show settings, or what follows."""
NEVER = "never reported"
STATES = {"switch": "output", "input": "state"}
"""What the entity shows that stands for a whole component, by kind."""
MEASURING = ("em:", "em1:", "emdata:", "em1data:", "temperature:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One entity beside what its device reported last."""

    device: str
    name: str
    entity_id: str
    shown: str
    reported: str
    agrees: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """One change of a relay: ordered where, confirmed where, in how many seconds."""

    device: str
    relay: str
    order: str
    seconds: float | None
    problem: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether it came out as ordered."""
        return self.problem is None


async def compare_values(household: Household, patience_s: float = AGREE_S) -> list[Comparison]:
    """Compare every enabled entity of every added device, repeating those that differ until `patience_s` have passed.

    A value may change between the two questions, so it agrees with what was reported just before or just after.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    results: dict[str, Comparison] = {}
    while True:
        for device in _added(household):
            entities = await household.entities(device)
            before = await household.fleet.truth(device)
            states = dict(household.client.states)
            after = await household.fleet.truth(device)
            for name, entity_id in entities.items():
                if is_reading(name) and (entity_id not in results or not results[entity_id].agrees):
                    results[entity_id] = _compare(device, name, states.get(entity_id), entity_id, (before, after))
        if all(result.agrees for result in results.values()) or loop.time() > deadline:
            return list(results.values())
        await asyncio.sleep(PAUSE_S)


async def fields_without_entity(household: Household) -> list[str]:
    """Return what the added devices measure and Home Assistant has no entity for, disabled ones counted."""
    return [
        f"{device.id} {name}"
        for device in _added(household)
        for name in measured(await household.fleet.truth(device)) - set(await household.entities(device, enabled=False))
    ]


def measured(truth: Truth) -> set[str]:
    """Return every number that a device told about its measuring components, as `<component key>-<field>`."""
    return {
        f"{key}-{'temperature' if field == 'tC' else field}"
        for key, status in truth.reported.items()
        if key.startswith(MEASURING)
        for field, value in status.items()
        if isinstance(value, int | float) and field not in {"id", "tF"}
    }


async def switch_relays(household: Household) -> list[Switching]:
    """Switch every relay both ways through Home Assistant, then both ways at the device."""
    results = []
    for device in _added(household):
        for name, entity_id in sorted((await household.entities(device)).items()):
            if name.startswith("switch:") and "-" not in name:
                number = int(name.removeprefix("switch:"))
                wanted = household.client.states[entity_id].state == "off"
                for switch in (switch_in_home_assistant, switch_at_device):
                    for on in (wanted, not wanted):
                        results += [await switch(household, device, number, entity_id, on=on)]
    return results


async def switch_in_home_assistant(
    household: Household, device: SimulatedDevice, number: int, entity_id: str, *, on: bool
) -> Switching:
    """Order by Home Assistant's service; confirmed by the device's ledger and by the entity."""
    word = "on" if on else "off"
    since = (await household.fleet.truth(device)).ts
    loop = asyncio.get_running_loop()
    begun = loop.time()
    seconds, problem = None, None
    try:
        await household.client.call_service(f"switch.turn_{word}", entity_id)
        await household.client.wait_for_state(entity_id, word, SWITCH_S)
        seconds = loop.time() - begun
        problem = await _ledger_problem(household, device, number, since=since, on=on)
    except StackError as error:
        problem = str(error)
    order = f"{word} in Home Assistant"
    return Switching(device=device.id, relay=f"switch:{number}", order=order, seconds=seconds, problem=problem)


async def switch_at_device(
    household: Household, device: SimulatedDevice, number: int, entity_id: str, *, on: bool
) -> Switching:
    """Switch as a person at the device does; the entity has to follow within `LOCAL_SWITCH_S`."""
    word = "on" if on else "off"
    loop = asyncio.get_running_loop()
    seconds, problem = None, None
    begun = loop.time()
    try:
        await household.fleet.set_switch(device, number, on)
        await household.client.wait_for_state(entity_id, word, LOCAL_SWITCH_S)
        seconds = loop.time() - begun
    except StackError as error:
        problem = str(error)
    return Switching(
        device=device.id, relay=f"switch:{number}", order=f"{word} at the device", seconds=seconds, problem=problem
    )


async def _ledger_problem(
    household: Household, device: SimulatedDevice, number: int, *, since: float, on: bool
) -> str | None:
    """Return what is wrong at the device after an order, None when its relay changed once and is where it should be."""
    edges = [e for e in await household.fleet.edges(device, since) if e["kind"] == "switch" and e["id"] == number]
    output = (await household.fleet.truth(device)).true[f"switch:{number}"]["output"]
    if [edge["on"] for edge in edges] != [on] or output is not on:
        return f"the device's ledger has {edges or 'no edge'}, its output is {output}"
    return None


def _added(household: Household) -> list[SimulatedDevice]:
    return [device for device in household.fleet.devices if device.id in household.entries]


def _compare(
    device: SimulatedDevice, name: str, state: State | None, entity_id: str, told: tuple[Truth, Truth]
) -> Comparison:
    """Compare one entity with either of two moments; `name` is `<component key>[-<field>]`."""
    values = [reported_value(truth, name) for truth in told]
    agrees = state is not None and any(shows(state, name, value) for value in values)
    unit = (state and state.attributes.get("unit_of_measurement")) or ""
    return Comparison(
        device=device.id,
        name=name,
        entity_id=entity_id,
        shown="no state" if state is None else f"{state.state} {unit}".strip(),
        reported=str(values[-1]),
        agrees=agrees,
    )


def is_reading(name: str) -> bool:
    """Tell whether an entity shows what its device reports, as it is: `em:0-a_current`, `switch:0`, `input:0`."""
    key, _, field = name.partition("-")
    kind = key.partition(":")[0]
    return kind in STATES if not field else key.startswith((*MEASURING, "switch:")) and bool(READING.fullmatch(field))


def reported_value(truth: Truth, name: str) -> Any:
    """Return what the device last told about `<component key>[-<field>]`, NEVER when it did not."""
    key, _, field = name.partition("-")
    value: Any = truth.reported.get(key, {})
    path = {
        "": STATES.get(key.partition(":")[0], ""),
        "temperature": "tC" if key.startswith("temperature:") else "temperature.tC",
    }.get(field, field)
    for step in path.split("."):
        value = value.get(step, NEVER) if isinstance(value, dict) else NEVER
    return value


def shows(state: State, name: str, value: Any) -> bool:
    """Tell whether a state is `value` in a unit that fits, to the last decimal it shows."""
    if value is None or value == NEVER:
        return value is None and state.state == "unknown"
    if isinstance(value, bool):
        return state.state == ("on" if value else "off")
    reading = READING.fullmatch(name.partition("-")[2])
    if reading is None:
        return False
    units = UNITS[reading[1]]
    unit = state.attributes.get("unit_of_measurement")
    if unit not in units or not state.known:
        return False
    return math.isclose(float(state.state) * units[unit], value, rel_tol=1e-11, abs_tol=1e-9)
