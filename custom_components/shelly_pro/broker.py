"""Where a device is to connect, and what Home Assistant's own MQTT suggests for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final

from homeassistant.components import network
from homeassistant.components.mqtt.const import CONF_BROKER, CONF_CERTIFICATE, CONF_TLS_INSECURE, DOMAIN
from homeassistant.const import CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

PLAIN_PORT: Final = 1883
TLS_PORT: Final = 8883
USABLE_PORTS: Final = frozenset({PLAIN_PORT, TLS_PORT})
SYSTEM_CAS: Final = "auto"
"""Home Assistant's word for the authorities that everybody trusts."""

ONLY_HERE: Final = (".local", ".localhost", ".localdomain", ".internal", ".hass.io")
"""How names end that a device cannot look up: mDNS, and what means something on one computer alone."""


class Tls(StrEnum):
    """How a device protects its connection to the broker."""

    NONE = "none"
    VERIFIED = "verified"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where a device is to connect; `ca` is a certificate authority in PEM, `None` for those that everybody trusts."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: Tls = Tls.NONE
    ca: str | None = field(default=None, repr=False)

    @property
    def server(self) -> str:
        """The address as the device takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def async_suggest_broker(hass: HomeAssistant, device_host: str) -> Broker | None:
    """Return what Home Assistant's MQTT suggests for the device at `device_host`; `None` while it has no MQTT.

    Home Assistant's own login is not handed out: a device gets a user name as a suggestion and no password.
    """
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=False, include_disabled=False)
    if not entries:
        return None
    data = entries[0].data
    host = data[CONF_BROKER]
    if not is_known_to_devices(host):
        host = await _own_address(hass, device_host)
    tls, ca = _protection(data)
    port = data.get(CONF_PORT, PLAIN_PORT)
    if port not in USABLE_PORTS and data.get("transport") == "websockets":
        port = PLAIN_PORT if tls is Tls.NONE else TLS_PORT
    return Broker(host=host, port=port, username=data.get(CONF_USERNAME), password=None, tls=tls, ca=ca)


def is_known_to_devices(host: str) -> bool:
    """Tell whether a device finds a host by this name: it does not know mDNS, nor the names of apps."""
    try:
        address = ip_address(host)
    except ValueError:
        return "." in host and not host.lower().rstrip(".").endswith(ONLY_HERE)
    return not (address.is_loopback or address.is_unspecified or address.is_link_local)


def _protection(data: Mapping[str, Any]) -> tuple[Tls, str | None]:
    """Return how Home Assistant protects its own connection, and the authority that it trusts."""
    certificate = data.get(CONF_CERTIFICATE)
    if certificate is None:
        return Tls.NONE, None
    if data.get(CONF_TLS_INSECURE):
        return Tls.UNVERIFIED, None
    return Tls.VERIFIED, None if certificate == SYSTEM_CAS else certificate


async def _own_address(hass: HomeAssistant, device_host: str) -> str:
    """Return the address at which the device finds this computer; empty if it has none."""
    try:
        target = str(ip_address(device_host))
    except ValueError:
        target = network.const.PUBLIC_TARGET_IP
    try:
        return await network.async_get_source_ip(hass, target_ip=target)
    except HomeAssistantError:
        return ""
