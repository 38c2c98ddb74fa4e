"""Announces a device to Home Assistant as zeroconf does, which looks at no network here: `announcer.announce`."""

from ipaddress import ip_address
from typing import Final

import voluptuous as vol
from homeassistant.config_entries import SOURCE_ZEROCONF
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import discovery_flow
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.helpers.typing import ConfigType

DOMAIN: Final = "announcer"
TYPE: Final = "_shelly._tcp.local."
SCHEMA: Final = vol.Schema({vol.Required("host"): str, vol.Required("port"): int, vol.Required("device"): str})
CONFIG_SCHEMA = cv.empty_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Offer the action: `host`, `port` and the id of a device."""

    @callback
    def announce(call: ServiceCall) -> None:
        address, device = ip_address(call.data["host"]), call.data["device"]
        info = ZeroconfServiceInfo(
            ip_address=address,
            ip_addresses=[address],
            hostname=f"{device}.local.",
            name=f"{device}.{TYPE}",
            port=call.data["port"],
            type=TYPE,
            properties={"gen": "2"},
        )
        discovery_flow.async_create_flow(hass, "shelly_pro", context={"source": SOURCE_ZEROCONF}, data=info)

    hass.services.async_register(DOMAIN, "announce", announce, schema=SCHEMA)
    return True
