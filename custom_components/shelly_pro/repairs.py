"""Mends what Home Assistant can mend by itself: brings a device to the MQTT broker."""

from typing import Any

import voluptuous as vol
from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from .broker import Broker, Tls, async_suggest_broker
from .const import CONF_TLS
from .coordinator import ShellyProCoordinator
from .flow_device import open_client
from .flow_mqtt import BROKER_SCHEMA
from .provisioning import Plan, as_rows, async_provision, make_plan
from .services import loaded_coordinator


async def async_create_fix_flow(
    hass: HomeAssistant, _issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow for an issue about a device and its broker. Raises `HomeAssistantError` if it is not set up."""
    told = data or {}
    return ShellyProMqttFlow(loaded_coordinator(hass, f"{told.get('entry_id')}"))


class ShellyProMqttFlow(RepairsFlow):
    """Asks where the device is to connect, shows what will change, and does it."""

    _plan: Plan

    def __init__(self, coordinator: ShellyProCoordinator) -> None:
        """Mend the device of a coordinator."""
        self._coordinator = coordinator
        self._suggested: Broker | None = None
        self._error = ""

    async def async_step_init(self, _user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin with the broker."""
        return await self.async_step_broker()

    async def async_step_broker(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask for the broker and the login."""
        entry = self._coordinator.config_entry
        if self._suggested is None:
            self._suggested = await async_suggest_broker(self.hass, entry.data[CONF_HOST])
        suggested = self._suggested
        if user_input is not None:
            tls = Tls(user_input[CONF_TLS])
            broker = Broker(
                host=user_input[CONF_HOST].strip(),
                port=user_input[CONF_PORT],
                username=user_input.get(CONF_USERNAME),
                password=user_input.get(CONF_PASSWORD),
                tls=tls,
                ca=suggested.ca if suggested is not None and tls is Tls.VERIFIED else None,
            )
            self._plan = make_plan(self._coordinator.device, broker)
            return await self.async_step_preview()
        told: dict[str, Any] = {CONF_USERNAME: self._coordinator.device.config.get("mqtt", {}).get("user")}
        if suggested is not None:
            told |= {CONF_HOST: suggested.host, CONF_PORT: suggested.port, CONF_TLS: suggested.tls}
        placeholders = {f"{name}": f"{value}" for name, value in (self.data or {}).items()}
        return self.async_show_form(
            step_id="broker",
            data_schema=self.add_suggested_values_to_schema(BROKER_SCHEMA, told),
            errors={"base": "failed"} if self._error else {},
            description_placeholders={**placeholders, "device": entry.title, "error": self._error},
        )

    async def async_step_preview(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show what will change, and do it. The device restarts, so this takes up to two minutes."""
        entry = self._coordinator.config_entry
        if user_input is None:
            return self.async_show_form(
                step_id="preview",
                data_schema=vol.Schema({}),
                description_placeholders={"changes": as_rows(self._plan), "device": entry.title},
            )
        try:
            with self._coordinator.command_errors():
                async with open_client(self.hass, entry.data, self.flow_id, entry.unique_id) as client:
                    await async_provision(self.hass, client, self._plan)
        except HomeAssistantError as err:
            self._error = str(err)
            return await self.async_step_broker()
        await self._coordinator.settings.async_read()
        return self.async_create_entry(data={})
