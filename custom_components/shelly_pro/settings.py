"""The settings of one device: read again whenever they change, whoever changed them, and changed from here."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from homeassistant.core import CALLBACK_TYPE, callback

from .const import LOGGER
from .shelly_core import Device, DeviceInfo, InputStatus, ShellyError, SysStatus, Update

if TYPE_CHECKING:
    from .coordinator import ShellyProCoordinator

NAMESPACES: Final = {
    "em": "EM",
    "em1": "EM1",
    "input": "Input",
    "mqtt": "Mqtt",
    "switch": "Switch",
    "sys": "Sys",
}
"""The part of a method's name before the dot, by kind of component."""
SHOWN: Final = frozenset({"switch", "input", "em", "em1", "emdata", "em1data", "temperature"})
"""Kinds of components that have entities."""

type Watcher = Callable[[], None]


class DeviceSettings:
    """Follows the revision of the settings that the device tells, and its restarts, which may bring other firmware.

    When the device turns into another, because a person has chosen another profile, other types of inputs or other
    names, the config entry is reloaded: that alone adds and removes what belongs to it.
    """

    def __init__(self, coordinator: ShellyProCoordinator) -> None:
        """Follow the device of a coordinator from `async_start` on."""
        self._coordinator = coordinator
        self._watchers: dict[str, list[Watcher]] = {}
        self._revision: int | None = None
        self._uptime_s = 0.0
        self._shape: object = None
        self._reading = False
        self._again = False

    @callback
    def async_start(self) -> None:
        """Take what the device is now as what its entities were made for."""
        system = self._coordinator.device.get("sys")
        if isinstance(system, SysStatus):
            self._revision = system.cfg_rev
            self._uptime_s = system.uptime_s or 0.0
        self._shape = self._shape_now()

    def of(self, key: str) -> Mapping[str, Any]:
        """Return the settings of a component; empty if it has none."""
        return self._coordinator.device.config.get(key, {})

    @callback
    def async_watch(self, key: str, watcher: Watcher) -> CALLBACK_TYPE:
        """Call `watcher` whenever settings of component `key` change, until the returned function is called."""
        watchers = self._watchers.setdefault(key, [])
        watchers.append(watcher)
        return partial(watchers.remove, watcher)

    async def async_set(self, key: str, config: Mapping[str, Any]) -> None:
        """Change settings of a component, and show what the device made of it. Raises `HomeAssistantError`."""
        kind, _, number = key.partition(":")
        params: dict[str, Any] = {"config": config} if not number else {"id": int(number), "config": config}
        await self._coordinator.async_call(f"{NAMESPACES[kind]}.SetConfig", params)
        await self.async_read()

    @callback
    def async_handle_update(self, update: Update) -> None:
        """Read the settings again when the device tells that they are others, or that it has started anew."""
        if any(event.event == "config_changed" for event in update.events):
            self._schedule()
        if "sys" not in update.changed:
            return
        system = self._coordinator.device.get("sys")
        if not isinstance(system, SysStatus):
            return
        changed = system.cfg_rev != self._revision
        restarted = system.uptime_s is not None and system.uptime_s < self._uptime_s
        self._revision, self._uptime_s = system.cfg_rev, system.uptime_s or 0.0
        if changed or restarted:
            self._schedule()

    @callback
    def async_check_shape(self) -> None:
        """Reload the config entry if the device is another than its entities were made for."""
        if self._shape is not None and self._shape_now() != self._shape:
            self._shape = None
            self._coordinator.hass.config_entries.async_schedule_reload(self._coordinator.config_entry.entry_id)

    async def async_read(self) -> None:
        """Read again who the device is and how it is set up. What cannot be read stays as it was."""
        coordinator = self._coordinator
        try:
            info = DeviceInfo.parse(await coordinator.client.call("Shelly.GetDeviceInfo"))
            info.expect(coordinator.config_entry.unique_id)
            config = await coordinator.client.call("Shelly.GetConfig")
            before = coordinator.device.config
            coordinator.device.apply_config(config)
        except ShellyError as err:
            LOGGER.debug("The settings of %s cannot be read: %s", coordinator.name, err)
            self._revision = None  # the next status has another revision than none
            return
        known, coordinator.device.info = coordinator.device.info, info
        if info != known:
            coordinator.async_show_info()
        after = coordinator.device.config
        for key in self._watchers:
            if before.get(key) != after.get(key):
                for watcher in tuple(self._watchers[key]):
                    watcher()
        self.async_check_shape()

    @callback
    def _schedule(self) -> None:
        """Read in the background; what changes meanwhile is read once more."""
        self._again = True
        if not self._reading:
            self._reading = True
            self._coordinator.config_entry.async_create_background_task(
                self._coordinator.hass, self._read_until_settled(), f"{self._coordinator.name} settings"
            )

    async def _read_until_settled(self) -> None:
        try:
            while self._again:
                self._again = False
                await self.async_read()
        finally:
            self._reading = False

    def _shape_now(self) -> object:
        """Return all that decides which entities and devices there are, and what they are called."""
        device = self._coordinator.device
        keys = [key for key in device.status if key.partition(":")[0] in SHOWN]
        inputs = {key: self.of(key).get("type") for key in device.components(InputStatus)}
        return sorted(keys), inputs, {key: device.name_of(key) for key in keys}, mqtt_topic_prefix(device)


def mqtt_topic_prefix(device: Device) -> str | None:
    """Return the prefix of a device's MQTT topics; `None` while its MQTT, or what we need of it, is switched off."""
    config = device.config.get("mqtt", {})
    if not (config.get("enable") and config.get("rpc_ntf", True) and config.get("enable_rpc", True)):
        return None
    topic_prefix = config.get("topic_prefix")
    return topic_prefix if isinstance(topic_prefix, str) else device.info.id
