"""The firmware of the device, and starting it anew."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, override

from awesomeversion import AwesomeVersion, AwesomeVersionException
from homeassistant.components.button import ButtonEntity
from homeassistant.components.button.const import ButtonDeviceClass
from homeassistant.components.update import UpdateEntity
from homeassistant.components.update.const import UpdateDeviceClass, UpdateEntityFeature
from homeassistant.const import EntityCategory
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN, LOGGER
from .coordinator import ShellyProCoordinator
from .entity import ShellyProEntity
from .shelly_core import Event, RpcError, SysStatus

STAGES: Final = ("stable", "beta")
INSTALLED_WITHIN: Final = timedelta(minutes=10)
"""A download takes some minutes, and then the device restarts. What takes longer has failed without a word."""
CHANGES_URL: Final = "https://shelly-api-docs.shelly.cloud/gen2/changelog"
IN_PROGRESS: Final = -106
"""What the device answers while it installs already: it got the order twice, or from somebody else, too."""
RESTART_DELAY_MS: Final = 1000
"""Time for the device to answer before it goes."""


def buttons(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return what starts the device anew."""
    yield ShellyProRestart(coordinator)


def updates(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return the firmware that is meant for all, and the one that is still being tried."""
    for stage in STAGES:
        yield ShellyProFirmware(coordinator, stage)


class ShellyProRestart(ShellyProEntity, ButtonEntity):
    """Starts the device anew. Relays follow their own setting of what to do then."""

    _attr_device_class = ButtonDeviceClass.RESTART
    _attr_entity_category = EntityCategory.CONFIG

    def __init__(self, coordinator: ShellyProCoordinator) -> None:
        """Restart the device of a coordinator."""
        super().__init__(coordinator, "sys", field="restart", phase=None, child=False)

    @override
    async def async_press(self) -> None:
        """Restart it. Raises `HomeAssistantError`."""
        await self.coordinator.async_call("Shelly.Reboot", {"delay_ms": RESTART_DELAY_MS})


class ShellyProFirmware(ShellyProEntity, UpdateEntity):
    """What firmware is installed, which newer one there is, and its installation."""

    _attr_device_class = UpdateDeviceClass.FIRMWARE
    _attr_entity_category = EntityCategory.CONFIG
    _attr_release_url = CHANGES_URL
    _attr_supported_features = UpdateEntityFeature.INSTALL | UpdateEntityFeature.PROGRESS

    def __init__(self, coordinator: ShellyProCoordinator, stage: str) -> None:
        """Follow the releases of a stage, `stable` or `beta`."""
        super().__init__(coordinator, "sys", field=f"firmware_{stage}", phase=None, child=False)
        self._stage = stage
        self._attr_translation_key = f"firmware_{stage}"
        self._attr_entity_registry_enabled_default = stage == STAGES[0]
        self._installing = False
        self._percent: int | None = None
        self._stop_waiting: CALLBACK_TYPE | None = None
        self._before: str | None = None

    @property
    @override
    def installed_version(self) -> str:
        """What is installed."""
        return self.coordinator.device.info.firmware

    @property
    @override
    def latest_version(self) -> str:
        """What the device says it could install; what is installed if that is nothing."""
        component = self.component
        offered = component.available_updates if isinstance(component, SysStatus) else {}
        return offered.get(self._stage, self.installed_version)

    @property
    @override
    def in_progress(self) -> bool:
        """Whether the device installs; Home Assistant's own word for it ends with the order, which takes no time."""
        return self._installing

    @property
    @override
    def update_percentage(self) -> int | None:
        """How much of it is done; `None` while the device does not say."""
        return self._percent

    @override
    def version_is_newer(self, latest_version: str, installed_version: str) -> bool:
        """Compare as numbers; a factory build such as `0.14.2-pro3em400prod0` counts by its number alone."""
        try:
            return AwesomeVersion(latest_version) > AwesomeVersion(installed_version)
        except AwesomeVersionException:
            return AwesomeVersion(latest_version.partition("-")[0]) > installed_version.partition("-")[0]

    @override
    async def async_install(self, version: str | None, backup: bool, **kwargs: Any) -> None:
        """Let the device load and install it; how far that is comes as events. Raises `HomeAssistantError`."""
        if self.latest_version == self.installed_version:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="no_update")
        with self.coordinator.command_errors():
            try:
                await self.coordinator.client.call("Shelly.Update", {"stage": self._stage})
            except RpcError as err:
                if err.code != IN_PROGRESS:
                    raise
        self._before = self.installed_version
        self._installing, self._percent = True, None
        self._stop_waiting = async_call_later(self.hass, INSTALLED_WITHIN, self._give_up)
        self.async_write_ha_state()

    @override
    async def async_added_to_hass(self) -> None:
        """Hear of the progress."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_watch_events(self._key, self._handle_event))
        self.async_on_remove(self._end)

    @callback
    def _handle_event(self, event: Event) -> None:
        if not self._installing:
            return
        if event.event == "ota_progress":
            percent = event.data.get("progress_percent")
            self._percent = percent if isinstance(percent, int) else None
        elif event.event == "ota_success":
            self._percent = None
        elif event.event == "ota_error":
            LOGGER.error(
                "%s could not install firmware %s: %s. It goes on with the one it has; try again later",
                *(self.coordinator.name, self.latest_version, event.data.get("msg", "it does not say why")),
            )
            self._end()
        self.async_write_ha_state()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Notice that the device came back with another firmware."""
        if self._installing and self.installed_version != self._before:
            self._end()
        super()._handle_coordinator_update()

    @callback
    def _give_up(self, _now: datetime) -> None:
        LOGGER.error(
            "%s still has firmware %s %d minutes after it was told to install another: see its own page",
            *(self.coordinator.name, self.installed_version, INSTALLED_WITHIN.total_seconds() // 60),
        )
        self._stop_waiting = None
        self._end()
        self.async_write_ha_state()

    @callback
    def _end(self) -> None:
        self._installing, self._percent = False, None
        if self._stop_waiting is not None:
            self._stop_waiting()
            self._stop_waiting = None
