"""What every entity shares: its device, its component, and when it is available."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, override

from homeassistant.const import CONF_HOST, CONF_PORT, EntityCategory
from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import ChildDeviceInfo, DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DEFAULT_PORT, DOMAIN, MANUFACTURER
from .coordinator import ShellyProCoordinator
from .shelly_core import Component, Device, Health, Phase

HEALTH_INTERVAL = timedelta(seconds=60)
"""How often ages and round trips are shown anew; that a link comes or goes is shown at once."""

MODEL_NAMES = {
    "SPSW-003XE16EU": "Shelly Pro 3",
    "SPEM-003CEBEU": "Shelly Pro 3EM",
    "SPEM-003CEBEU120": "Shelly Pro 3EM",
    "SPEM-003CEBEU400": "Shelly Pro 3EM-400",
    "SPEM-003CEBEU63": "Shelly Pro 3EM-3CT63",
}


class ShellyProEntity(CoordinatorEntity[ShellyProCoordinator]):
    """One value of one component of a device."""

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: ShellyProCoordinator, key: str, *, field: str | None, phase: Phase | None, child: bool
    ) -> None:
        """Attach to component `key`; `field` is the device's own name of the value, `None` for the component itself."""
        super().__init__(coordinator)
        self._key = key
        mac = coordinator.config_entry.unique_id
        self._attr_unique_id = f"{mac}-{key}" if field is None else f"{mac}-{key}-{field}"
        if child:
            self._attr_device_info = _child_device(coordinator, key, phase)
        else:
            self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, f"{mac}")})

    @property
    def component(self) -> Component | None:
        """The component as last heard of; `None` when the device no longer has it."""
        return self.coordinator.device.get(self._key)

    @override
    async def async_added_to_hass(self) -> None:
        """Hear of changes of availability and of the component."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_watch(self._key, self._handle_component))

    @callback
    def _handle_component(self, _component: Component | None) -> None:
        """Show what the component says now; `None` when the device no longer has it."""
        self.async_write_ha_state()

    @property
    @override
    def available(self) -> bool:
        """Whether the device answers and still has this component."""
        return super().available and self.component is not None


class ShellyProSettingEntity(ShellyProEntity):
    """One setting of one component: shown as the device has it, which is only known once it was read again."""

    _attr_entity_category = EntityCategory.CONFIG

    @property
    def setting(self) -> Mapping[str, Any]:
        """The settings of the component."""
        return self.coordinator.settings.of(self._key)

    async def async_set(self, **config: Any) -> None:
        """Change settings of the component. Raises `HomeAssistantError`."""
        await self.coordinator.settings.async_set(self._key, config)

    @override
    async def async_added_to_hass(self) -> None:
        """Hear of changes of the settings."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.settings.async_watch(self._key, self.async_write_ha_state))

    @callback
    @override
    def _handle_component(self, component: Component | None) -> None:
        """Nothing of a status is shown here, but without its component there is no setting, either."""
        if component is None:
            self.async_write_ha_state()


class ShellyProHealthEntity(Entity):
    """Tells how a hop to the device is: just as well, and all the more, while the device is unavailable."""

    _attr_has_entity_name = True
    _attr_should_poll = False
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: ShellyProCoordinator, field: str) -> None:
        """Attach to the device itself; `field` names the hop."""
        self._client = coordinator.client
        mac = coordinator.config_entry.unique_id
        self._attr_unique_id = f"{mac}-health-{field}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, f"{mac}")})

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the links, and look from time to time at what changes without an event."""
        await super().async_added_to_hass()
        self.async_on_remove(self._client.watch(self._handle_health))
        self.async_on_remove(async_track_time_interval(self.hass, self._handle_time, HEALTH_INTERVAL))
        self._show(self._client.health())

    def _show(self, health: Health) -> None:
        """Take over what the entity shows."""
        raise NotImplementedError

    @callback
    def _handle_health(self) -> None:
        self._show(self._client.health())
        self.async_write_ha_state()

    @callback
    def _handle_time(self, _now: datetime) -> None:
        self._handle_health()


@callback
def async_register_device(coordinator: ShellyProCoordinator) -> None:
    """Register the device itself, which its phases and relays refer to as their parent."""
    entry = coordinator.config_entry
    info = coordinator.device.info
    host, port = entry.data[CONF_HOST], entry.data[CONF_PORT]
    address = f"[{host}]" if ":" in host else host
    dr.async_get(coordinator.hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        configuration_url=f"http://{address}" if port == DEFAULT_PORT else f"http://{address}:{port}",
        connections={(dr.CONNECTION_NETWORK_MAC, dr.format_mac(info.mac))},
        identifiers={(DOMAIN, f"{entry.unique_id}")},
        manufacturer=MANUFACTURER,
        model=model_name(coordinator.device),
        model_id=info.model,
        name=entry.title,
        sw_version=info.firmware,
    )


def model_name(device: Device) -> str:
    """Return the name printed on the box."""
    return MODEL_NAMES.get(device.info.model, f"Shelly {device.info.app}")


def default_title(device: Device) -> str:
    """Return the name that the person gave the device, else the model with the end of the MAC printed on its side."""
    return device.info.name or f"{model_name(device)} {device.info.mac[-4:]}"


def _child_device(coordinator: ShellyProCoordinator, key: str, phase: Phase | None) -> ChildDeviceInfo:
    """Describe a phase, a relay or a single-phase meter as part of the device."""
    entry = coordinator.config_entry
    mac = entry.unique_id
    parent_device_id = dr.async_get_device_id_by_identifier(
        coordinator.hass, (DOMAIN, f"{mac}"), config_entry_id=entry.entry_id
    )
    if phase is not None:
        return ChildDeviceInfo(
            identifiers={(DOMAIN, f"{mac}-em:0-{phase}")},
            parent_device_id=parent_device_id,
            translation_key="phase",
            translation_placeholders={"phase": phase.upper()},
        )
    kind, _, number = key.partition(":")
    kind = {"em1data": "em1"}.get(kind, kind)
    identifiers = {(DOMAIN, f"{mac}-{kind}:{number}")}
    if (name := coordinator.device.name_of(f"{kind}:{number}")) is not None:
        return ChildDeviceInfo(identifiers=identifiers, parent_device_id=parent_device_id, name=name)
    return ChildDeviceInfo(
        identifiers=identifiers,
        parent_device_id=parent_device_id,
        translation_key={"switch": "relay", "em1": "meter"}[kind],
        translation_placeholders={"number": str(int(number) + 1)},
    )
