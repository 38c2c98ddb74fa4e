"""One table of what Home Assistant shows of each device, phase, meter and relay."""

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.demo.printing import table
from tests.stack.stage import DOMAIN, Household

if TYPE_CHECKING:
    from tests.stack.hass_client import State

# Column title → the end of the unique ids of the values it shows, the first that a row has.
COLUMNS = {
    "output": ("switch",),
    "power": ("total_act_power", "act_power"),
    "voltage": ("voltage",),
    "current": ("total_current", "current"),
    "power factor": ("pf",),
    "energy": ("total_act", "total_act_energy"),
    "returned": ("total_act_ret", "total_act_ret_energy"),
    "temperature": ("temperature",),
}


async def live_values(household: Household) -> str:
    """Return the table, a row for each device of the registry in the order of their names."""
    names = {device["id"]: device["name_by_user"] or device["name"] for device in await household.client.devices()}
    parents = {device["id"]: _parent(device) for device in await household.client.devices()}
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for entity in await household.client.entities(DOMAIN):
        state = household.client.states.get(entity["entity_id"])
        if state is not None and (column := _column(entity["unique_id"])):
            found[entity["device_id"]].setdefault(column, shown(state))

    def label(device_id: str) -> str:
        parent = parents.get(device_id)
        return names[device_id] if parent is None else f"{names[parent]} / {names[device_id]}"

    rows = [[label(key), *(found[key].get(column, "") for column in COLUMNS)] for key in sorted(found, key=label)]
    return table(["device", *COLUMNS], rows)


def shown(state: State) -> str:
    """Return a state with its unit."""
    return f"{state.state} {state.attributes.get('unit_of_measurement') or ''}".strip()


def _column(unique_id: str) -> str | None:
    """Return the column for a unique id `<MAC>-<component key>[-<field>]`."""
    _, key, *field = unique_id.split("-", 2)
    name = field[0].removeprefix("a_").removeprefix("b_").removeprefix("c_") if field else key.partition(":")[0]
    return next((column for column, endings in COLUMNS.items() if name in endings), None)


def _parent(device: dict[str, str | None]) -> str | None:
    return device.get("parent_device_id") or device.get("via_device_id")
