"""One device in Home Assistant: its client, the choice of the link, and who hears of a change."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import override

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, HomeAssistantError
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
"""A device on MQTT tells every change, but not again what was missed while Home Assistant was off the broker."""


class ShellyProCoordinator(DataUpdateCoordinator[Device]):
    """Holds one device; tells each entity only of changes of its own component."""

    config_entry: ShellyProConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ShellyProConfigEntry) -> None:
        """Prepare the roads to the device of this entry; nothing is sent yet."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, always_update=False)
        self._source = f"homeassistant-{entry.entry_id.lower()}"
        self._watchers: dict[str, list[Watcher]] = {}
        self._stop_awaiting_mqtt: CALLBACK_TYPE | None = None
        self.client = Client(self._http_link(), source=self._source, clock=hass.loop.time)
        entry.async_on_unload(self.client.subscribe(self._handle_update))
        entry.async_on_unload(mqtt.async_subscribe_connection_status(hass, self._handle_broker))

    @property
    def device(self) -> Device:
        """The device as last heard of; available once the coordinator is set up."""
        return self.client.device

    @override
    async def _async_setup(self) -> None:
        """Connect over MQTT where Home Assistant and the device both use it, else over HTTP."""
        with self._translated_errors():
            if not await self._connect_mqtt():
                await self._connect(self._http_link())
                await self._follow_topic_prefix()
        self._set_pace()
        if self.client.transport is Transport.HTTP:
            await self._await_mqtt()

    @override
    async def _async_update_data(self) -> Device:
        """Ask the device for its whole status; `_async_setup` has just done so the first time.

        The entities have heard of every change by then (`_handle_update`): what is returned here is
        the same object each time, so that only a change of availability reaches all of them.
        """
        if self.data is not None:
            with self._translated_errors():
                await self.client.refresh()
        return self.device

    @callback
    def async_watch(self, key: str, watcher: Watcher) -> CALLBACK_TYPE:
        """Call `watcher` with component `key` whenever it changes, until the returned function is called."""
        watchers = self._watchers.setdefault(key, [])
        watchers.append(watcher)
        return partial(watchers.remove, watcher)

    async def async_disconnect(self) -> None:
        """Close the link to the device."""
        self._stop_awaiting()
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

    @callback
    def _handle_broker(self, _connected: bool) -> None:
        """Show at once that the broker is gone; ask for what was missed when it is back."""
        if self.config_entry.state is ConfigEntryState.LOADED and self.client.transport is Transport.MQTT:
            self.config_entry.async_create_background_task(self.hass, self.async_refresh(), f"{self.name} after broker")

    async def _connect_mqtt(self) -> bool:
        """Try MQTT; `False` when it is not used on either side or the device does not answer there."""
        topic_prefix = self.config_entry.data.get(CONF_TOPIC_PREFIX)
        if topic_prefix is None or not mqtt.mqtt_config_entry_enabled(self.hass):
            return False
        try:
            await self._connect(MqttLink(self.hass, topic_prefix=topic_prefix, source=self._source))
        except ShellyError as err:
            LOGGER.debug("%s does not answer over MQTT: %s", self.name, err)
            return False
        return True

    async def _connect(self, link: Link) -> None:
        await self.client.use(link)
        await self.client.connect(self.config_entry.unique_id)
        LOGGER.debug("%s is connected over %s", self.name, link.transport)

    async def _follow_topic_prefix(self) -> None:
        """Notice over HTTP that MQTT was set up on the device, or given another prefix, and move there."""
        topic_prefix = mqtt_topic_prefix(self.device)
        if topic_prefix == self.config_entry.data.get(CONF_TOPIC_PREFIX):
            return
        data = {**self.config_entry.data, CONF_TOPIC_PREFIX: topic_prefix}
        self.hass.config_entries.async_update_entry(self.config_entry, data=data)
        if not await self._connect_mqtt():
            await self._connect(self._http_link())

    async def _await_mqtt(self) -> None:
        """Move to MQTT once the device is heard there: after a power cut it finds the broker a minute after us."""
        topic_prefix = self.config_entry.data.get(CONF_TOPIC_PREFIX)
        if topic_prefix is None or not mqtt.mqtt_config_entry_enabled(self.hass):
            return

        @callback
        def heard(message: mqtt.ReceiveMessage) -> None:
            if not message.retain and self._stop_awaiting_mqtt is not None:
                self._stop_awaiting()
                self.config_entry.async_create_background_task(self.hass, self._move_to_mqtt(), f"{self.name} to MQTT")

        topic = f"{topic_prefix}/events/rpc"
        with suppress(HomeAssistantError):
            self._stop_awaiting_mqtt = await mqtt.async_subscribe(self.hass, topic, heard, encoding=None)

    @callback
    def _stop_awaiting(self) -> None:
        if self._stop_awaiting_mqtt is not None:
            self._stop_awaiting_mqtt()
            self._stop_awaiting_mqtt = None

    async def _move_to_mqtt(self) -> None:
        async with self._debounced_refresh.async_lock():  # no poll in between
            try:
                if not await self._connect_mqtt():
                    await self._connect(self._http_link())
            except ShellyError as err:
                LOGGER.debug("%s answers neither over MQTT nor over HTTP: %s", self.name, err)
                self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
                return
            self._set_pace()

    @callback
    def _set_pace(self) -> None:
        """Poll over HTTP as often as values change; over MQTT, ask now and then in case a change was missed."""
        if self.client.transport is Transport.MQTT:
            self.update_interval = MQTT_CHECK
        else:
            self.update_interval = METER_POLL if self.device.keys("em") or self.device.keys("em1") else RELAY_POLL

    def _http_link(self) -> HttpLink:
        data = self.config_entry.data
        session = async_get_clientsession(self.hass)
        return HttpLink(session, data[CONF_HOST], port=data[CONF_PORT], password=data.get(CONF_PASSWORD))

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Raise what the core raises as what Home Assistant acts upon."""
        try:
            yield
        except AuthError as err:
            raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="invalid_auth") from err
        except DeviceMismatchError as err:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="wrong_device",
                translation_placeholders={"expected": err.expected, "found": err.found},
            ) from err
        except ShellyError as err:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="no_answer",
                translation_placeholders={"host": self.config_entry.data[CONF_HOST], "error": str(err)},
                retry_after=err.retry_after_s if isinstance(err, LinkError) else None,
            ) from err


def mqtt_topic_prefix(device: Device) -> str | None:
    """Return the prefix of a device's MQTT topics; `None` while its MQTT, or what we need of it, is switched off."""
    config = device.config.get("mqtt", {})
    if not (config.get("enable") and config.get("rpc_ntf", True) and config.get("enable_rpc", True)):
        return None
    topic_prefix = config.get("topic_prefix")
    return topic_prefix if isinstance(topic_prefix, str) else device.info.id
