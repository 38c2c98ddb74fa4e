"""What is done with a device over HTTP alone: read all of it, and give it a password or take it away."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .shelly_core import Client, Device, HttpLink

USER: Final = "admin"
"""The only user that a device has."""
PASSWORD_BYTES: Final = 12


def http_client(hass: HomeAssistant, data: Mapping[str, Any], source: str) -> Client:
    """Return a client that is not connected yet, for the HTTP road of the data of an entry."""
    session = async_get_clientsession(hass)
    link = HttpLink(session, data[CONF_HOST], port=data[CONF_PORT], password=data.get(CONF_PASSWORD))
    return Client(http=link, source=f"homeassistant-{source.lower()}")


@asynccontextmanager
async def open_client(
    hass: HomeAssistant, data: Mapping[str, Any], source: str, mac: str | None
) -> AsyncIterator[Client]:
    """Hold a client that is connected over HTTP alone. Raises `ShellyError`."""
    client = http_client(hass, data, source)
    try:
        await client.connect(mac)
        yield client
    finally:
        await client.close()


async def async_read_device(hass: HomeAssistant, data: Mapping[str, Any], source: str, mac: str | None) -> Device:
    """Read the whole device over HTTP. Raises `ShellyError`."""
    async with open_client(hass, data, source, mac) as client:
        return client.device


async def async_protect(hass: HomeAssistant, data: Mapping[str, Any], source: str, mac: str | None) -> str:
    """Give an open device a password of its own, and return it once the device asks for it. Raises `ShellyError`."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    async with open_client(hass, data, source, mac) as client:
        await client.call("Shelly.SetAuth", auth(client.device.info.id, password))
    await async_read_device(hass, {**data, CONF_PASSWORD: password}, source, mac)
    return password


async def async_unprotect(hass: HomeAssistant, data: Mapping[str, Any], source: str, mac: str | None) -> None:
    """Take the password away again. Raises `ShellyError`."""
    async with open_client(hass, data, source, mac) as client:
        await client.call("Shelly.SetAuth", auth(client.device.info.id, None))


def auth(device_id: str, password: str | None) -> dict[str, str | None]:
    """Return what Shelly.SetAuth takes; the password itself is never sent."""
    text = f"{USER}:{device_id}:{password}"
    ha1 = None if password is None else hashlib.sha256(text.encode()).hexdigest()
    return {"user": USER, "realm": device_id, "ha1": ha1}
