"""Ask where the device is, and for its password if it has one."""

from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig, TextSelectorType
from homeassistant.helpers.service_info.hassio import HassioServiceInfo
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.util.network import is_ipv6_address
from yarl import URL

from .const import CONF_TOPIC_PREFIX, DEFAULT_PORT, DOMAIN
from .entity import default_title
from .settings import mqtt_topic_prefix
from .shelly_core import (
    AuthError,
    Client,
    Device,
    DeviceInfo,
    DeviceMismatchError,
    HttpLink,
    ShellyError,
    UnsupportedDeviceError,
    fetch_info,
    supported,
)

ADDRESS_SCHEMA = vol.Schema(
    {vol.Required(CONF_HOST): TextSelector(), vol.Required(CONF_PORT, default=DEFAULT_PORT): cv.port}
)
PASSWORD_SCHEMA = vol.Schema(
    {vol.Required(CONF_PASSWORD): TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))}
)


class ShellyProConfigFlow(ConfigFlow, domain=DOMAIN):
    """Add one device: by its address, or as found on the network."""

    VERSION = 1

    _host: str
    _port: int
    _info: DeviceInfo

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the address of the device."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                await self._find(*split_address(user_input[CONF_HOST], user_input[CONF_PORT]))
                await self._identify(raise_on_progress=False)
                if self._info.auth_enabled:
                    return await self.async_step_credentials()
                return await self._create_entry()
            except ShellyError as err:
                errors["base"] = error_key(err)
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(ADDRESS_SCHEMA, user_input),
            errors=errors,
        )

    async def async_step_credentials(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the password that protects the device."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._create_entry(user_input[CONF_PASSWORD])
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
        self.context["title_placeholders"] = {"name": self._info.name or self._info.id}
        return await self.async_step_confirm()

    @override
    async def async_step_hassio(self, discovery_info: HassioServiceInfo) -> ConfigFlowResult:
        """Handle our app, which tells that it is there: entries are made for devices, so there is nothing to set up."""
        return self.async_abort(reason="app_found")

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether to add the device that was found."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if self._info.auth_enabled:
                return await self.async_step_credentials()
            try:
                return await self._create_entry()
            except ShellyError as err:
                errors["base"] = error_key(err)
        self._set_confirm_only()
        return self.async_show_form(
            step_id="confirm",
            errors=errors,
            description_placeholders={"device": self._info.name or self._info.id, "host": self._host},
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
                await self._read_device(data, entry.unique_id)
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

    async def _create_entry(self, password: str | None = None) -> ConfigFlowResult:
        """Create the entry, once the device has shown all of itself."""
        data: dict[str, Any] = {CONF_HOST: self._host, CONF_PORT: self._port}
        if password is not None:
            data[CONF_PASSWORD] = password
        device = await self._read_device(data, self.unique_id)
        data[CONF_TOPIC_PREFIX] = mqtt_topic_prefix(device)
        return self.async_create_entry(title=default_title(device), data=data)

    async def _read_device(self, data: Mapping[str, Any], mac: str | None) -> Device:
        """Read the whole device over HTTP; raises what the core raises."""
        session = async_get_clientsession(self.hass)
        link = HttpLink(session, data[CONF_HOST], port=data[CONF_PORT], password=data.get(CONF_PASSWORD))
        client = Client(http=link, source=f"homeassistant-{self.flow_id.lower()}")
        try:
            return await client.connect(mac)
        finally:
            await client.close()


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
