"""The steps of a config flow that set up MQTT on the device for the person."""

import asyncio
from abc import abstractmethod
from typing import Any, Final, override

import voluptuous as vol
from homeassistant.components.mqtt.const import DOMAIN as MQTT
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .broker import Broker, Tls, async_suggest_broker, is_known_to_devices
from .const import CONF_TLS, CONF_TOPIC_PREFIX
from .flow_device import open_client
from .provisioning import (
    Plan,
    ProvisioningError,
    as_rows,
    async_answers_over_mqtt,
    async_provision,
    async_text_of,
    make_plan,
)
from .settings import mqtt_topic_prefix
from .shelly_core import Device, ShellyError

ANSWER_S: Final = 3.0
"""How long a device that says it uses MQTT may need to answer over it."""
BROKER_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_HOST): TextSelector(),
        vol.Required(CONF_PORT): cv.port,
        vol.Optional(CONF_USERNAME): TextSelector(TextSelectorConfig(autocomplete="off")),
        vol.Optional(CONF_PASSWORD): TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password")
        ),
        vol.Required(CONF_TLS, default=Tls.NONE): SelectSelector(
            SelectSelectorConfig(options=[*Tls], translation_key=CONF_TLS)
        ),
    }
)


class MqttSteps(ConfigFlow):
    """Offers to set up MQTT, shows what will change, does it, and goes on over HTTP if it does not work."""

    data: dict[str, Any]
    """What the entry will have."""
    device: Device
    _suggested: Broker | None = None
    _plan: Plan
    _task: asyncio.Task[ProvisioningError | None] | None = None
    _error: ProvisioningError | None = None

    @abstractmethod
    async def async_finish(self) -> ConfigFlowResult:
        """Create the entry from `data`."""

    async def async_offer_mqtt(self) -> ConfigFlowResult:
        """Offer MQTT, unless Home Assistant has none or the device is on its broker already."""
        if not self.hass.config_entries.async_entries(MQTT, include_ignore=False, include_disabled=False):
            return await self.async_finish()
        prefix = mqtt_topic_prefix(self.device)
        if prefix is not None and await async_answers_over_mqtt(self.hass, prefix, self.device.info.mac, ANSWER_S):
            return await self.async_finish()
        return await self.async_step_offer()

    async def async_step_offer(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the person choose between both roads and HTTP alone."""
        return self.async_show_menu(
            step_id="offer",
            menu_options=["mqtt_broker", "http_only"],
            description_placeholders={"device": self.device.info.name or self.device.info.id},
        )

    async def async_step_http_only(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Go on without MQTT on the device."""
        return await self.async_finish()

    async def async_step_mqtt_broker(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask where the device is to connect, and with which login."""
        errors: dict[str, str] = {}
        if self._suggested is None:
            self._suggested = await async_suggest_broker(self.hass, self.data[CONF_HOST])
        suggested = self._suggested
        if user_input is not None:
            broker = self._broker(user_input)
            if not self._is_known(broker.host):
                errors[CONF_HOST] = "unknown_to_device"
            else:
                self._plan = make_plan(self.device, broker)
                return await self.async_step_mqtt_preview()
        elif suggested is not None:
            user_input = {
                CONF_HOST: suggested.host,
                CONF_PORT: suggested.port,
                CONF_TLS: suggested.tls,
                CONF_USERNAME: self.device.info.id,
            }
        return self.async_show_form(
            step_id="mqtt_broker",
            data_schema=self.add_suggested_values_to_schema(BROKER_SCHEMA, user_input),
            errors=errors,
        )

    async def async_step_mqtt_preview(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show exactly what will change on the device."""
        if user_input is not None:
            return await self.async_step_mqtt_provision()
        return self.async_show_form(
            step_id="mqtt_preview_lost" if self._plan.irrecoverable else "mqtt_preview",
            data_schema=vol.Schema({}),
            description_placeholders={"changes": as_rows(self._plan)},
        )

    async_step_mqtt_preview_lost = async_step_mqtt_preview

    async def async_step_mqtt_provision(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Do it while a progress is shown: the device restarts, which takes up to a minute."""
        if self._task is None:
            self._task = self.hass.async_create_task(self._provision(), eager_start=False)
        if not self._task.done():
            return self.async_show_progress(
                step_id="mqtt_provision", progress_action="mqtt_provision", progress_task=self._task
            )
        task, self._task = self._task, None
        self._error = task.result()
        return self.async_show_progress_done(next_step_id="mqtt_done" if self._error is None else "mqtt_failed")

    async def async_step_mqtt_done(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Create the entry with the prefix that the device has now."""
        self.data[CONF_TOPIC_PREFIX] = self._plan.prefix
        return await self.async_finish()

    async def async_step_mqtt_failed(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say what went wrong, and let the person try again or do without."""
        error = "" if self._error is None else await async_text_of(self.hass, self._error)
        return self.async_show_menu(
            step_id="mqtt_failed",
            menu_options=["mqtt_broker", "http_only"],
            description_placeholders={"error": error},
        )

    @callback
    @override
    def async_remove(self) -> None:
        """Stop when the person closes the dialog; what was changed on the device is put back."""
        if self._task is not None:
            self._task.cancel()

    async def _provision(self) -> ProvisioningError | None:
        """Set the device up; returns what went wrong."""
        try:
            async with open_client(self.hass, self.data, self.flow_id, self.unique_id) as client:
                await async_provision(self.hass, client, self._plan)
        except ProvisioningError as err:
            return err
        except ShellyError as err:
            return ProvisioningError("provisioning_refused", error=str(err))
        return None

    def _broker(self, user_input: dict[str, Any]) -> Broker:
        tls = Tls(user_input[CONF_TLS])
        trusted = self._suggested if tls is Tls.VERIFIED else None
        return Broker(
            host=user_input[CONF_HOST].strip(),
            port=user_input[CONF_PORT],
            username=user_input.get(CONF_USERNAME),
            password=user_input.get(CONF_PASSWORD),
            tls=tls,
            ca=None if trusted is None else trusted.ca,
        )

    def _is_known(self, host: str) -> bool:
        """Tell whether the device finds the broker; one that is at a loopback address itself finds others there."""
        return is_known_to_devices(host) or not is_known_to_devices(self.data[CONF_HOST])
