"""The options of a device: what the loads at its relays draw."""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import UnitOfPower
from homeassistant.helpers.selector import NumberSelector, NumberSelectorConfig, NumberSelectorMode

from .const import CONF_RATED_POWER
from .coordinator import ShellyProConfigEntry
from .shelly_core import Device, SwitchStatus

HIGHEST_W = 10_000


def field_of(key: str) -> str:
    """Return the name of the field for a relay, such as `rated_power_2` for `switch:1`."""
    return f"{CONF_RATED_POWER.removesuffix('_w')}_{int(key.partition(':')[2]) + 1}"


def unmetered_relays(device: Device) -> list[str]:
    """Return the keys of the relays that measure no power."""
    return [key for key, switch in device.components(SwitchStatus).items() if switch.act_power_w is None]


class ShellyProOptionsFlow(OptionsFlowWithReload):
    """Ask for the load of each relay that measures nothing itself."""

    config_entry: ShellyProConfigEntry

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the loads; a field that is left empty ends the estimate."""
        device = self.config_entry.runtime_data.device
        keys = unmetered_relays(device)
        if user_input is not None:
            loads = {key: float(user_input[field_of(key)]) for key in keys if user_input.get(field_of(key))}
            return self.async_create_entry(data={**self.config_entry.options, CONF_RATED_POWER: loads})
        watts = NumberSelectorConfig(
            min=0, max=HIGHEST_W, step=1, mode=NumberSelectorMode.BOX, unit_of_measurement=UnitOfPower.WATT
        )
        schema = vol.Schema({vol.Optional(field_of(key)): NumberSelector(watts) for key in keys})
        known: Mapping[str, float] = self.config_entry.options.get(CONF_RATED_POWER, {})
        suggested = {field_of(key): load for key, load in known.items()}
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(schema, suggested),
            description_placeholders={"relays": ", ".join(_called(device, key) for key in keys)},
        )


def _called(device: Device, key: str) -> str:
    number = int(key.partition(":")[2]) + 1
    name = device.name_of(key)
    return f"{number}" if name is None else f"{number} {name}"
