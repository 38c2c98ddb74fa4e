"""One device in Home Assistant: its client, the choice of the link, and who hears of a change."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import override

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryError
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import CONF_TOPIC_PREFIX, DOMAIN, LOGGER
from .mqtt_link import MqttLink
from .shelly_core import (
    AuthError,
    Client,
    Component,
    Device,
    DeviceMismatchError,
    HttpLink,
    Link,
    LinkError,
    ShellyError,
    Transport,
    Update,
)

type ShellyProConfigEntry = ConfigEntry[ShellyProCoordinator]
type Watcher = Callable[[Component | None], None]

METER_POLL = timedelta(seconds=5)
RELAY_POLL = timedelta(seconds=10)
MQTT_CHECK = timedelta(seconds=60)
"""A device that said nothing over MQTT for half of this time is asked whether it is still there."""


class ShellyProCoordinator(DataUpdateCoordinator[Device]):
    """Holds one device; tells each entity only of changes of its own component."""

    config_entry: ShellyProConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ShellyProConfigEntry) -> None:
        """Prepare the roads to the device of this entry; nothing is sent yet."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, always_update=False)
        self._source = f"homeassistant-{entry.entry_id.lower()}"
        self._watchers: dict[str, list[Watcher]] = {}
        self.client = Client(self._http_link(), source=self._source, clock=hass.loop.time)
        self._unsubscribe_client = self.client.subscribe(self._handle_update)

    @property
    def device(self) -> Device:
        """The device as last heard of; available once the coordinator is set up."""
        return self.client.device

    @override
    async def _async_setup(self) -> None:
        """Connect over MQTT where Home Assistant and the device both use it, else over HTTP."""
        try:
            if not await self._connect_mqtt(self.config_entry.data.get(CONF_TOPIC_PREFIX)):
                await self._connect(self._http_link())
                await self._follow_topic_prefix()
        except AuthError as err:
            raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="invalid_auth") from err
        except DeviceMismatchError as err:
            raise ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key="wrong_device",
                translation_placeholders={"expected": err.expected, "found": err.found},
            ) from err
        except ShellyError as err:
            raise self._update_failed(err) from err
        LOGGER.debug("%s is connected over %s", self.name, self.client.transport)
        self.update_interval = self._update_interval_for(self.client.transport)

    @override
    async def _async_update_data(self) -> Device:
        """Ask the device for its whole status, unless it told us something just now.

        The entities have heard of every change by then (`_handle_update`): what is returned here is
        the same object each time, so that only a change of availability reaches all of them.
        """
        if self.update_interval is None or not self.client.heard_within(self.update_interval.total_seconds() / 2):
            try:
                await self.client.refresh()
            except AuthError as err:
                raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="invalid_auth") from err
            except ShellyError as err:
                raise self._update_failed(err) from err
        return self.device

    @callback
    def async_watch(self, key: str, watcher: Watcher) -> CALLBACK_TYPE:
        """Call `watcher` with component `key` whenever it changes, until the returned function is called."""
        watchers = self._watchers.setdefault(key, [])
        watchers.append(watcher)
        return partial(watchers.remove, watcher)

    async def async_disconnect(self) -> None:
        """Close the link to the device."""
        self._unsubscribe_client()
        await self.client.close()

    @callback
    def _handle_update(self, update: Update) -> None:
        """Show what the device said. Any word of it proves that it is there."""
        if not self.last_update_success:
            self.last_update_success = True
            LOGGER.info("%s is back", self.name)
            self.async_update_listeners()
            return
        for key in update.changed & self._watchers.keys():
            component = self.device.get(key)
            for watcher in self._watchers[key]:
                watcher(component)

    async def _connect_mqtt(self, topic_prefix: str | None) -> bool:
        """Try MQTT; `False` when it is not used on either side or the device does not answer there."""
        if topic_prefix is None or not mqtt.mqtt_config_entry_enabled(self.hass):
            return False
        try:
            await self._connect(MqttLink(self.hass, topic_prefix=topic_prefix, source=self._source))
        except LinkError as err:
            LOGGER.debug("%s does not answer over MQTT: %s", self.name, err)
            return False
        return True

    async def _connect(self, link: Link) -> None:
        await self.client.use(link)
        await self.client.connect(self.config_entry.unique_id)

    async def _follow_topic_prefix(self) -> None:
        """Notice over HTTP that MQTT was set up on the device, or given another prefix, and move there."""
        topic_prefix = mqtt_topic_prefix(self.device)
        if topic_prefix == self.config_entry.data.get(CONF_TOPIC_PREFIX):
            return
        data = {**self.config_entry.data, CONF_TOPIC_PREFIX: topic_prefix}
        self.hass.config_entries.async_update_entry(self.config_entry, data=data)
        if not await self._connect_mqtt(topic_prefix):
            await self._connect(self._http_link())

    def _http_link(self) -> HttpLink:
        data = self.config_entry.data
        session = async_get_clientsession(self.hass)
        return HttpLink(session, data[CONF_HOST], port=data[CONF_PORT], password=data.get(CONF_PASSWORD))

    def _update_interval_for(self, transport: Transport) -> timedelta:
        if transport is Transport.MQTT:
            return MQTT_CHECK
        return METER_POLL if self.device.keys("em") or self.device.keys("em1") else RELAY_POLL

    def _update_failed(self, err: ShellyError) -> UpdateFailed:
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key="no_answer",
            translation_placeholders={"host": self.config_entry.data[CONF_HOST], "error": str(err)},
        )


def mqtt_topic_prefix(device: Device) -> str | None:
    """Return the prefix of a device's MQTT topics; `None` while its MQTT, or what we need of it, is switched off."""
    config = device.config.get("mqtt", {})
    if not (config.get("enable") and config.get("rpc_ntf", True) and config.get("enable_rpc", True)):
        return None
    topic_prefix = config.get("topic_prefix")
    return topic_prefix if isinstance(topic_prefix, str) else device.info.id
