"""What can be added: devices that were found on the network, and those that talk on Home Assistant's broker."""

import asyncio
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from .const import DEFAULT_PORT
from .shelly_core import DeviceInfo, ShellyError, supported

SCAN_S: Final = 2.0
"""How long the broker is listened to: what it has kept comes at once, and the devices answer within a second."""
QUIET_S: Final = 0.5
"""With nothing under way for so long, nothing more will come."""
ONLINE: Final = "/online"
TOPICS: Final = ("+/online", "+/+/online")
"""Where a device says that it is connected; prefixes of more than two parts are not looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A device that can be added; `host` is `None` where it did not tell its address."""

    mac: str
    name: str
    host: str | None
    port: int = DEFAULT_PORT

    @property
    def label(self) -> str:
        """The device as it stands in the list."""
        return self.name if self.host is None else f"{self.name} ({self.host})"


def found_on_network(flows: Iterable[ConfigFlowResult]) -> list[Found]:
    """Return the devices whose discovery waits for a person."""
    found = []
    for flow in flows:
        placeholders = flow["context"].get("title_placeholders") or {}
        mac = flow["context"].get("unique_id")
        if mac is not None and CONF_HOST in placeholders:
            host, port = placeholders[CONF_HOST], int(placeholders[CONF_PORT])
            found.append(Found(mac=mac, name=placeholders["name"], host=host, port=port))
    return found


async def async_scan_mqtt(hass: HomeAssistant, scan_s: float = SCAN_S) -> list[Found]:
    """Return the Pro 3 and Pro 3EM on Home Assistant's broker; none where there is no broker.

    Whoever says to be online is asked who it is, by RPC only: the command topics make old firmware switch relays.
    """
    scan = _Scan(hass)
    try:
        await scan.listen(scan_s)
    except HomeAssistantError:
        return []
    return list(scan.found.values())


class _Scan:
    """One look at the broker."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.found: dict[str, Found] = {}
        self._hass = hass
        self._source = f"homeassistant-{secrets.token_hex(8)}"
        self._asked: dict[int, tuple[str, str | None]] = {}
        """Prefix, and the MAC where it is known already, of each request."""
        self._prefixes: set[str] = set()
        self._moved = asyncio.Event()

    async def listen(self, scan_s: float) -> None:
        """Listen for some seconds, less if nothing happens. Raises `HomeAssistantError` without MQTT."""
        stops = [await mqtt.async_subscribe(self._hass, f"{self._source}/rpc", self._take_answer, encoding=None)]
        try:
            stops += [await mqtt.async_subscribe(self._hass, topic, self._take_online) for topic in TOPICS]
            async with asyncio.timeout(scan_s):
                while True:
                    self._moved.clear()
                    await asyncio.wait_for(self._moved.wait(), scan_s if self._asked else QUIET_S)
        except TimeoutError:
            return
        finally:
            for stop in stops:
                stop()

    @callback
    def _take_online(self, message: mqtt.ReceiveMessage) -> None:
        """Ask who lives there; a device that says to be offline may be there all the same."""
        prefix = message.topic.removesuffix(ONLINE)
        if prefix not in self._prefixes:
            self._prefixes.add(prefix)
            self._ask(prefix, None)

    def _ask(self, prefix: str, mac: str | None) -> None:
        number = secrets.randbits(31)
        self._asked[number] = (prefix, mac)
        method = "Shelly.GetDeviceInfo" if mac is None else "Shelly.GetStatus"
        request = json.dumps({"id": number, "src": self._source, "method": method})
        self._hass.async_create_task(mqtt.async_publish(self._hass, f"{prefix}/rpc", request, qos=0, retain=False))
        self._moved.set()

    @callback
    def _take_answer(self, message: mqtt.ReceiveMessage) -> None:
        try:
            frame = json.loads(message.payload)
            prefix, mac = self._asked.pop(frame["id"])
            result = frame["result"]
        except ValueError, KeyError, TypeError:
            return
        self._moved.set()
        if mac is None:
            self._take_info(prefix, result)
        elif isinstance(result, dict):
            self.found[mac] = replace(self.found[mac], host=address_of(result))

    def _take_info(self, prefix: str, result: Any) -> None:
        try:
            info = DeviceInfo.parse(result)
        except ShellyError:
            return
        if supported(info):
            mac = info.mac.lower()
            self.found[mac] = Found(mac=mac, name=info.name or info.id, host=None)
            self._ask(prefix, mac)


def address_of(status: dict[str, Any]) -> str | None:
    """Return the address in a device's status; the wired one rather than the other."""
    for component, field in (("eth", "ip"), ("wifi", "sta_ip")):
        told = status.get(component)
        if isinstance(told, dict) and isinstance(told.get(field), str):
            return str(told[field])
    return None
