"""The actions: what a person or an automation can ask of a device besides switching it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import voluptuous as vol
from homeassistant.components.switch.const import DOMAIN as SWITCH
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.json import json_bytes
from homeassistant.helpers.service import async_register_platform_entity_service
from homeassistant.helpers.typing import VolDictType
from homeassistant.util import dt as dt_util
from homeassistant.util.json import json_loads_object

from .broker import Broker, Tls, async_suggest_broker
from .const import CONF_TLS, DOMAIN
from .coordinator import ShellyProConfigEntry, ShellyProCoordinator
from .flow_device import open_client
from .health import async_device_health, described
from .meter_settings import async_reset_counters
from .provisioning import async_provision, make_plan
from .shelly_core import Em1DataStatus, EmDataStatus, SwitchStatus
from .switch import ShellyProSwitch

ATTR_CONFIRM: Final = "confirm"
ATTR_DRY_RUN: Final = "dry_run"
ATTR_DURATION: Final = "duration"
LONGEST: Final = timedelta(days=7)

TURN_ON_FOR_SCHEMA: Final[VolDictType] = {
    vol.Required(ATTR_DURATION): vol.All(cv.positive_time_period, vol.Range(min=timedelta(seconds=0.1), max=LONGEST))
}
RESET_COUNTERS_SCHEMA: Final = vol.Schema({vol.Required(ATTR_CONFIG_ENTRY_ID): str, vol.Required(ATTR_CONFIRM): True})
PROVISION_MQTT_SCHEMA: Final = vol.Schema(
    {
        vol.Required(ATTR_CONFIG_ENTRY_ID): str,
        vol.Optional(CONF_HOST): cv.string,
        vol.Optional(CONF_PORT): cv.port,
        vol.Optional(CONF_USERNAME): cv.string,
        vol.Optional(CONF_PASSWORD): cv.string,
        vol.Optional(CONF_TLS): vol.Coerce(Tls),
        vol.Optional(ATTR_DRY_RUN, default=True): cv.boolean,
    }
)
GET_HEALTH_SCHEMA: Final = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): str})


@callback
def async_register_actions(hass: HomeAssistant) -> None:
    """Offer all actions, also while no device is set up: then they say so."""
    async_register_platform_entity_service(
        hass,
        DOMAIN,
        "turn_on_for",
        entity_domain=SWITCH,
        func=async_turn_on_for,
        schema=TURN_ON_FOR_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    hass.services.async_register(
        DOMAIN, "reset_counters", async_reset_all, RESET_COUNTERS_SCHEMA, SupportsResponse.OPTIONAL
    )
    hass.services.async_register(
        DOMAIN, "provision_mqtt", async_provision_mqtt, PROVISION_MQTT_SCHEMA, SupportsResponse.OPTIONAL
    )
    hass.services.async_register(DOMAIN, "get_health", async_get_health, GET_HEALTH_SCHEMA, SupportsResponse.ONLY)


async def async_turn_on_for(entity: Entity, call: ServiceCall) -> ServiceResponse:
    """Close a contact for some time. The device itself opens it again, even when nobody can tell it to any more."""
    if not isinstance(entity, ShellyProSwitch):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_relay",
            translation_placeholders={"entity": entity.entity_id},
        )
    duration: timedelta = call.data[ATTR_DURATION]
    await entity.async_turn_on_for(duration.total_seconds())
    return {"switches_back_at": (dt_util.utcnow() + duration).isoformat()}


async def async_reset_all(call: ServiceCall) -> ServiceResponse:
    """Set all counters of a device to zero, and return what they had counted."""
    coordinator = loaded_coordinator(call.hass, call.data[ATTR_CONFIG_ENTRY_ID])
    counted = dict(_counters(coordinator))
    if not counted:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_counters",
            translation_placeholders={"device": coordinator.config_entry.title},
        )
    for key in counted:
        await async_reset_counters(coordinator, key)
    return json_loads_object(json_bytes({"before": counted}))


async def async_provision_mqtt(call: ServiceCall) -> ServiceResponse:
    """Set up MQTT on a device, or only tell what would change; what is not said is as Home Assistant's MQTT has it."""
    hass, data = call.hass, call.data
    coordinator = loaded_coordinator(hass, data[ATTR_CONFIG_ENTRY_ID])
    entry = coordinator.config_entry
    suggested = await async_suggest_broker(hass, entry.data[CONF_HOST])
    if suggested is None:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_mqtt")
    tls = data.get(CONF_TLS, suggested.tls)
    broker = Broker(
        host=data.get(CONF_HOST, suggested.host),
        port=data.get(CONF_PORT, suggested.port),
        username=data.get(CONF_USERNAME, coordinator.device.config.get("mqtt", {}).get("user")),
        password=data.get(CONF_PASSWORD),
        tls=tls,
        ca=suggested.ca if tls is Tls.VERIFIED else None,
    )
    plan = make_plan(coordinator.device, broker)
    dry = data[ATTR_DRY_RUN]
    if plan.needed and not dry:
        with coordinator.command_errors():
            async with open_client(hass, entry.data, entry.entry_id, entry.unique_id) as client:
                await async_provision(hass, client, plan)
        await coordinator.settings.async_read()
    return {
        "changes": {change.field: {"before": change.before, "after": change.after} for change in plan.changes},
        "changed": plan.needed and not dry,
        "irrecoverable": plan.irrecoverable,
    }


async def async_get_health(call: ServiceCall) -> ServiceResponse:
    """Return how a device is and how every hop to it is; of all devices, if none is named."""
    entry_id = call.data.get(ATTR_CONFIG_ENTRY_ID)
    if entry_id is not None:
        _entry_of(call.hass, entry_id)
    devices = [
        described(device) for device in async_device_health(call.hass) if entry_id in {None, device.entry.entry_id}
    ]
    return json_loads_object(json_bytes({"devices": devices}))


@callback
def loaded_coordinator(hass: HomeAssistant, entry_id: str) -> ShellyProCoordinator:
    """Return the coordinator of an entry. Raises `ServiceValidationError` unless it is ours and set up."""
    entry = _entry_of(hass, entry_id)
    if entry.state is not ConfigEntryState.LOADED:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="not_loaded", translation_placeholders={"device": entry.title}
        )
    return entry.runtime_data


def _entry_of(hass: HomeAssistant, entry_id: str) -> ShellyProConfigEntry:
    entry = hass.config_entries.async_get_entry(entry_id)
    if entry is None or entry.domain != DOMAIN:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_entry")
    return entry


def _counters(coordinator: ShellyProCoordinator) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return what each component has counted that can be set back, by key, as the device tells it."""
    device = coordinator.device
    counting = [*device.components(EmDataStatus), *device.components(Em1DataStatus)]
    counting += [key for key, switch in device.components(SwitchStatus).items() if switch.counts is not None]
    for key in counting:
        yield key, {field: value for field, value in device.status[key].items() if field != "id"}
