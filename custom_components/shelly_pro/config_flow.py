"""Add a device: found on the network or on the broker, or by its address; and change what is known of it."""

from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import ConfigEntry, ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_DEVICE, CONF_HOST, CONF_PASSWORD, CONF_PORT
from homeassistant.core import callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.service_info.hassio import HassioServiceInfo
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.util.network import is_ipv6_address
from yarl import URL

from .const import CONF_PROTECTED, CONF_TOPIC_PREFIX, DEFAULT_PORT, DOMAIN
from .entity import default_title
from .flow_device import async_protect, async_read_device
from .flow_discovery import Found, async_scan_mqtt, found_on_network
from .flow_mqtt import MqttSteps
from .flow_options import ShellyProOptionsFlow, unmetered_relays
from .settings import mqtt_topic_prefix
from .shelly_core import (
    AuthError,
    DeviceInfo,
    DeviceMismatchError,
    ShellyError,
    UnsupportedDeviceError,
    fetch_info,
    supported,
)

CONF_PROTECT = "protect"
BY_ADDRESS = "by_address"
"""The choice of the list that is no device."""

PASSWORD = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password"))
ADDRESS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_HOST): TextSelector(),
        vol.Required(CONF_PORT, default=DEFAULT_PORT): cv.port,
        vol.Required(CONF_PROTECT, default=False): bool,
    }
)
CONFIRM_SCHEMA = vol.Schema({vol.Required(CONF_PROTECT, default=False): bool})
PASSWORD_SCHEMA = vol.Schema({vol.Required(CONF_PASSWORD): PASSWORD})
RECONFIGURE_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_HOST): TextSelector(),
        vol.Required(CONF_PORT): cv.port,
        vol.Optional(CONF_PASSWORD): PASSWORD,
    }
)


class ShellyProConfigFlow(MqttSteps, domain=DOMAIN):
    """Add one device, or change how it is reached."""

    VERSION = 1

    _found: dict[str, Found]
    _host: str | None = None
    _port: int = DEFAULT_PORT
    _info: DeviceInfo
    _protect: bool = False

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the options of a device."""
        return ShellyProOptionsFlow()

    @classmethod
    @callback
    @override
    def async_supports_options_flow(cls, config_entry: ConfigEntry) -> bool:
        """Tell whether a device has anything to choose: a relay that measures no power."""
        coordinator = getattr(config_entry, "runtime_data", None)
        return coordinator is not None and bool(unmetered_relays(coordinator.device))

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Look for devices; ask for an address if none is found."""
        await self._look()
        return await (self.async_step_pick() if self._found else self.async_step_address())

    async def async_step_pick(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the person choose among the devices that were found."""
        if user_input is not None:
            chosen = self._found.get(user_input[CONF_DEVICE])
            if chosen is not None and chosen.host is not None:
                # Its address may not be true from here, as in another network: then the form shows it.
                return await self.async_step_address(
                    {CONF_HOST: chosen.host, CONF_PORT: chosen.port, CONF_PROTECT: False}
                )
            return await self.async_step_address()
        options = [SelectOptionDict(value=mac, label=found.label) for mac, found in self._found.items()]
        choice = SelectSelectorConfig(
            options=[*options, SelectOptionDict(value=BY_ADDRESS, label="…")],
            mode=SelectSelectorMode.LIST,
            translation_key="found",
        )
        return self.async_show_form(
            step_id="pick", data_schema=vol.Schema({vol.Required(CONF_DEVICE): SelectSelector(choice)})
        )

    async def async_step_address(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the address of the device."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                await self._find(*split_address(user_input[CONF_HOST], user_input[CONF_PORT]))
                await self._identify(raise_on_progress=False)
                return await self._go_on(protect=user_input[CONF_PROTECT])
            except ShellyError as err:
                errors["base"] = error_key(err)
        return self.async_show_form(
            step_id="address",
            data_schema=self.add_suggested_values_to_schema(ADDRESS_SCHEMA, user_input),
            errors=errors,
        )

    async def async_step_credentials(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the password that protects the device."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._read(user_input[CONF_PASSWORD])
            except ShellyError as err:
                errors["base"] = error_key(err)
        return self.async_show_form(
            step_id="credentials",
            data_schema=PASSWORD_SCHEMA,
            errors=errors,
            description_placeholders={"device": self._info.id},
        )

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Handle a device that announced itself on the network."""
        port = DEFAULT_PORT if discovery_info.port is None else discovery_info.port
        try:
            await self._find(discovery_info.host, port)
        except ShellyError as err:
            return self.async_abort(reason=error_key(err))
        await self._identify(raise_on_progress=True)
        self.context["title_placeholders"] = {
            "name": self._info.name or self._info.id,
            CONF_HOST: discovery_info.host,
            CONF_PORT: str(port),
        }
        return await self.async_step_confirm()

    @override
    async def async_step_hassio(self, discovery_info: HassioServiceInfo) -> ConfigFlowResult:
        """Handle our app, which tells that it is there: entries are made for devices, so look for those."""
        await self.async_set_unique_id(discovery_info.uuid)
        await self._look()
        if not self._found:
            return self.async_abort(reason="app_found")
        self.context["title_placeholders"] = {"name": discovery_info.name}
        return await self.async_step_pick()

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether to add the device that was found."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._go_on(protect=user_input.get(CONF_PROTECT, False))
            except ShellyError as err:
                errors["base"] = error_key(err)
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}) if self._info.auth_enabled else CONFIRM_SCHEMA,
            errors=errors,
            description_placeholders={"device": self._info.name or self._info.id, "host": f"{self._host}"},
        )

    async def async_step_reauth(self, _entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Start over with the password when the device refuses the one we have."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the password that the device has now."""
        errors: dict[str, str] = {}
        entry = self._get_reauth_entry()
        if user_input is not None:
            data = {**entry.data, CONF_PASSWORD: user_input[CONF_PASSWORD]}
            try:
                await async_read_device(self.hass, data, self.flow_id, entry.unique_id)
            except ShellyError as err:
                errors["base"] = error_key(err)
            else:
                return self.async_update_reload_and_abort(entry, data=data)
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=PASSWORD_SCHEMA,
            errors=errors,
            description_placeholders={"device": entry.title},
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask where the device is now, and for its password if that is another one."""
        errors: dict[str, str] = {}
        entry = self._get_reconfigure_entry()
        if user_input is not None:
            host, port = split_address(user_input[CONF_HOST], user_input[CONF_PORT])
            data = {**entry.data, CONF_HOST: host, CONF_PORT: port}
            if user_input.get(CONF_PASSWORD):
                data[CONF_PASSWORD] = user_input[CONF_PASSWORD]
            try:
                device = await async_read_device(self.hass, data, self.flow_id, entry.unique_id)
            except ShellyError as err:
                errors["base"] = error_key(err)
            else:
                if not device.info.auth_enabled:
                    data.pop(CONF_PASSWORD, None)
                return self.async_update_reload_and_abort(entry, data=data)
        known = {CONF_HOST: entry.data[CONF_HOST], CONF_PORT: entry.data[CONF_PORT]}
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(RECONFIGURE_SCHEMA, user_input or known),
            errors=errors,
            description_placeholders={"device": entry.title},
        )

    @override
    async def async_finish(self) -> ConfigFlowResult:
        """Create the entry; of an open device that a person wants to protect, with its new password."""
        if not self._protect:
            return self.async_create_entry(title=default_title(self.device), data=self.data)
        try:
            password = await async_protect(self.hass, self.data, self.flow_id, self.unique_id)
        except ShellyError:
            return await self.async_step_not_protected()
        return self.async_create_entry(
            title=default_title(self.device),
            data={**self.data, CONF_PASSWORD: password, CONF_PROTECTED: True},
            description="protected",
            description_placeholders={"password": password},
        )

    async def async_step_not_protected(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say that the device took no password, and let the person try again or leave it open."""
        return self.async_show_menu(step_id="not_protected", menu_options=["protect_again", "leave_open"])

    async def async_step_protect_again(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Try once more to give the device a password."""
        return await self.async_finish()

    async def async_step_leave_open(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add the device without a password."""
        self._protect = False
        return await self.async_finish()

    async def _look(self) -> None:
        """Look for devices on the network and on the broker that are not set up yet."""
        known = self._async_current_ids(include_ignore=False)
        on_network = found_on_network(self._async_in_progress(include_uninitialized=True))
        found = [*await async_scan_mqtt(self.hass), *on_network]
        self._found = {each.mac: each for each in found if each.mac not in known}

    async def _find(self, host: str, port: int) -> None:
        """Ask who lives at this address, which needs no password."""
        info = await fetch_info(async_get_clientsession(self.hass), host, port)
        if not supported(info):
            raise UnsupportedDeviceError(info.model)
        self._host, self._port, self._info = host, port, info

    async def _identify(self, *, raise_on_progress: bool) -> None:
        """Recognise a device that is configured already, and follow it to its new address."""
        await self.async_set_unique_id(self._info.mac.lower(), raise_on_progress=raise_on_progress)
        self._abort_if_unique_id_configured(updates={CONF_HOST: self._host, CONF_PORT: self._port})

    async def _go_on(self, *, protect: bool) -> ConfigFlowResult:
        if self._info.auth_enabled:
            return await self.async_step_credentials()
        self._protect = protect
        return await self._read()

    async def _read(self, password: str | None = None) -> ConfigFlowResult:
        """Read the device, and offer what can be done for it. Raises `ShellyError`."""
        data: dict[str, Any] = {CONF_HOST: self._host, CONF_PORT: self._port}
        if password is not None:
            data[CONF_PASSWORD] = password
        self.device = await async_read_device(self.hass, data, self.flow_id, self.unique_id)
        self.data = {**data, CONF_TOPIC_PREFIX: mqtt_topic_prefix(self.device)}
        return await self.async_offer_mqtt()


def split_address(text: str, port: int) -> tuple[str, int]:
    """Return host and port of an address as people paste it, such as `http://192.168.1.50/`."""
    text = text.strip()
    if is_ipv6_address(text):
        return text, port
    try:
        url = URL(text if "//" in text else f"//{text}")
    except ValueError:
        return text, port
    return url.host or text, url.explicit_port or port


def error_key(err: ShellyError) -> str:
    """Choose the message that tells a person what to do about an error."""
    match err:
        case AuthError():
            return "invalid_auth"
        case UnsupportedDeviceError():
            return "not_supported"
        case DeviceMismatchError():
            return "wrong_device"
        case _:
            return "cannot_connect"
