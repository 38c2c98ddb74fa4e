"""One device in Home Assistant: its client, who hears of a change, and what is said when it comes or goes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, override

from homeassistant.components import mqtt
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.core import Event as BusEvent
from homeassistant.exceptions import ConfigEntryAuthFailed, HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import CONF_TOPIC_PREFIX, DOMAIN, LOGGER
from .mqtt_link import MqttLink
from .settings import DeviceSettings, mqtt_topic_prefix
from .shelly_core import (
    AuthError,
    Client,
    Component,
    Device,
    DeviceMismatchError,
    Event,
    HttpLink,
    Json,
    LinkError,
    Policy,
    RpcError,
    ShellyError,
    Update,
)

type ShellyProConfigEntry = ConfigEntry[ShellyProCoordinator]
type Watcher = Callable[[Component | None], None]
type EventWatcher = Callable[[Event], None]


POLICY = Policy()


class ShellyProCoordinator(DataUpdateCoordinator[Device]):
    """Holds one device; tells each entity only of changes of its own component.

    It has no interval: the client asks for itself what is to be asked, on the link that is to be asked.
    """

    config_entry: ShellyProConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ShellyProConfigEntry) -> None:
        """Prepare the roads to the device of this entry; nothing is sent yet."""
        super().__init__(hass, LOGGER, config_entry=entry, name=entry.title, always_update=False)
        self._source = f"homeassistant-{entry.entry_id.lower()}"
        self._watchers: dict[str, list[Watcher]] = {}
        self._event_watchers: dict[str, list[EventWatcher]] = {}
        self.settings = DeviceSettings(self)
        self._ready = False
        self._has_mqtt = self._wants_mqtt()
        self.client = Client(
            source=self._source,
            mqtt=self._mqtt_link() if self._has_mqtt else None,
            http=self._http_link(),
            policy=POLICY,
            clock=hass.loop.time,
        )
        entry.async_on_unload(self.client.subscribe(self._handle_update))
        entry.async_on_unload(self.client.watch(self._handle_links))
        entry.async_on_unload(async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._handle_entries))
        entry.async_on_unload(hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, self._handle_stop))

    @property
    def device(self) -> Device:
        """The device as last heard of; available once the coordinator is set up."""
        return self.client.device

    @override
    async def _async_setup(self) -> None:
        """Connect over MQTT where Home Assistant and the device both use it, else over HTTP."""
        with self._translated_errors():
            await self.client.connect(self.config_entry.unique_id)
            await self._follow_topic_prefix()

    @override
    async def _async_update_data(self) -> Device:
        """Return the device, which is always the same object: entities hear of changes by `async_watch`."""
        if not self.client.available:
            # Asked for by hand, by the action `homeassistant.update_entity`: it must not make old values look new.
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="no_answer",
                translation_placeholders=self._no_answer(f"{self.client.health().reason}"),
            )
        if not self._ready:
            self._ready = True
            self.settings.async_start()
        self._follow_mqtt()
        return self.device

    @callback
    def async_watch(self, key: str, watcher: Watcher) -> CALLBACK_TYPE:
        """Call `watcher` with component `key` whenever it changes, until the returned function is called."""
        watchers = self._watchers.setdefault(key, [])
        watchers.append(watcher)
        return partial(watchers.remove, watcher)

    @callback
    def async_watch_events(self, key: str, watcher: EventWatcher) -> CALLBACK_TYPE:
        """Call `watcher` with each event of component `key`, as `input:0`, until the returned function is called."""
        watchers = self._event_watchers.setdefault(key, [])
        watchers.append(watcher)
        return partial(watchers.remove, watcher)

    async def async_call(self, method: str, params: Mapping[str, Any] | None = None) -> Json:
        """Ask the device for something that does no harm if it is done twice. Raises `HomeAssistantError`."""
        with self.command_errors():
            return await self.client.call(method, params)

    @contextmanager
    def command_errors(self) -> Iterator[None]:
        """Raise what the core raises as an error for the person who gave a command."""
        try:
            yield
        except AuthError as err:
            self.config_entry.async_start_reauth(self.hass)
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="invalid_auth") from err
        except RpcError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="refused", translation_placeholders={"error": err.message}
            ) from err
        except ShellyError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="not_confirmed", translation_placeholders={"error": str(err)}
            ) from err

    @callback
    def async_show_info(self) -> None:
        """Show who the device is now: its firmware may be another."""
        registry = dr.async_get(self.hass)
        mac = f"{self.config_entry.unique_id}"
        found = registry.async_get_device_by_identifier((DOMAIN, mac), config_entry_id=self.config_entry.entry_id)
        if found is not None:
            registry.async_update_device(found.id, sw_version=self.device.info.firmware)
        self.async_update_listeners()

    async def async_disconnect(self) -> None:
        """Close the links to the device."""
        await self.client.close()

    @callback
    def _handle_update(self, update: Update) -> None:
        """Show what the device said."""
        for key in update.changed & self._watchers.keys():
            component = self.device.get(key)
            for watcher in self._watchers[key]:
                watcher(component)
        for event in update.events:
            for event_watcher in self._event_watchers.get(event.component, ()):
                event_watcher(event)
        if self._ready:
            self.settings.async_handle_update(update)

    @callback
    def _handle_links(self) -> None:
        """Show that the device came or went, and say so once; ask for the password when it is refused."""
        if not self._ready:
            return
        if self.client.password_refused:
            self.config_entry.async_start_reauth(self.hass)
        available = self.client.available
        if available is self.last_update_success:
            return
        self.last_update_success = available
        if available:
            LOGGER.info("%s is back over %s", self.name, f"{self.client.active}".upper())
        else:
            LOGGER.warning("%s is unavailable: %s", self.name, self.client.health().reason)
        self.async_update_listeners()

    @callback
    def _handle_entries(self, _change: ConfigEntryChange, entry: ConfigEntry) -> None:
        if entry.domain == mqtt.DOMAIN and self._ready:
            self._follow_mqtt()

    @callback
    def _follow_mqtt(self) -> None:
        """Take MQTT into use when it is added to Home Assistant, and forget it when it is removed."""
        if self._wants_mqtt() is not self._has_mqtt:
            self._has_mqtt = not self._has_mqtt
            link = self._mqtt_link() if self._has_mqtt else None
            self.config_entry.async_create_background_task(
                self.hass, self.client.replace_mqtt(link), f"{self.name} with or without MQTT"
            )

    async def _handle_stop(self, _event: BusEvent) -> None:
        await self.client.close()

    async def _follow_topic_prefix(self) -> None:
        """Notice that MQTT was set up on the device, switched off, or given another prefix, and move there."""
        topic_prefix = mqtt_topic_prefix(self.device)
        if topic_prefix == self.config_entry.data.get(CONF_TOPIC_PREFIX):
            return
        data = {**self.config_entry.data, CONF_TOPIC_PREFIX: topic_prefix}
        self.hass.config_entries.async_update_entry(self.config_entry, data=data)
        self._has_mqtt = self._wants_mqtt()
        await self.client.replace_mqtt(self._mqtt_link() if self._has_mqtt else None)
        await self.client.connect(self.config_entry.unique_id)

    def _wants_mqtt(self) -> bool:
        """Tell whether both sides use MQTT. Without it in Home Assistant, that the device uses it is no fault.

        `mqtt.mqtt_config_entry_enabled` would still say so of an entry just removed, whose socket is not closed yet.
        """
        used = self.config_entry.data.get(CONF_TOPIC_PREFIX) is not None
        return used and self.hass.config_entries.async_has_entries(
            mqtt.DOMAIN, include_disabled=False, include_ignore=False
        )

    def _mqtt_link(self) -> MqttLink:
        topic_prefix = self.config_entry.data[CONF_TOPIC_PREFIX]
        return MqttLink(self.hass, topic_prefix=topic_prefix, source=self._source)

    def _http_link(self) -> HttpLink:
        data = self.config_entry.data
        session = async_get_clientsession(self.hass)
        return HttpLink(session, data[CONF_HOST], port=data[CONF_PORT], password=data.get(CONF_PASSWORD))

    def _no_answer(self, error: str) -> dict[str, str]:
        return {"host": self.config_entry.data[CONF_HOST], "error": error}

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
                translation_placeholders=self._no_answer(str(err)),
                retry_after=err.retry_after_s if isinstance(err, LinkError) else None,
            ) from err
