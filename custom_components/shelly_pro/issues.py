"""What has been wrong with a device for long, as issues in Home Assistant's repairs, each with its remedy."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util.hass_dict import HassKey

from .const import CONF_TOPIC_PREFIX, DOMAIN
from .coordinator import ShellyProConfigEntry, ShellyProCoordinator
from .shelly_core import Health, MqttStatus, Transport, WrongReading
from .shelly_core.firmware import FAULTS, known_fault

LOOK_INTERVAL: Final = timedelta(seconds=30)
"""How often to look at what has been wrong for how long."""

CLOCK_OFFSET_S: Final = 60.0
"""A clock that is wrong by less is corrected without a word."""

IMPLAUSIBLE_S: Final = 300.0
"""A reading that has been impossible for so long needs a person."""

NAMED_READINGS: Final = 4
"""How many impossible readings an issue names."""

REPORTERS: Final = HassKey[defaultdict[str, set[str]]](f"{DOMAIN}_issues")
"""Who reports an issue: ids of entries by id of the issue."""

type Placeholders = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One row of the table: what must be found for `held_s` seconds to become an issue.

    `find` returns the placeholders of the text, or `None` if all is well. A `shared` condition is one issue for all
    devices, any other is one for each.
    """

    key: str
    held_s: float
    severity: ir.IssueSeverity
    find: Callable[[ShellyProCoordinator, Health], Placeholders | None]
    shared: bool = False
    fixable: bool = False
    """Whether Home Assistant can mend it: `repairs` does."""

    def issue_id(self, entry: ShellyProConfigEntry) -> str:
        """Return the id of the issue about a device."""
        return self.key if self.shared else f"{self.key}_{entry.entry_id}"


def broker_gone(_coordinator: ShellyProCoordinator, health: Health) -> Placeholders | None:
    """Find that Home Assistant has no connection to its broker."""
    return {} if health.broker is False else None


def mqtt_silent(coordinator: ShellyProCoordinator, health: Health) -> Placeholders | None:
    """Find a device that is connected to a broker, but does not deliver over ours."""
    return _only_http(coordinator, health, connected=True)


def mqtt_refused(coordinator: ShellyProCoordinator, health: Health) -> Placeholders | None:
    """Find a device that does not get to any broker."""
    return _only_http(coordinator, health, connected=False)


def _only_http(coordinator: ShellyProCoordinator, health: Health, *, connected: bool) -> Placeholders | None:
    """Find a device that is heard over HTTP only, with its own word on whether it is connected to a broker."""
    mqtt = health.links.get(Transport.MQTT)
    if mqtt is None or mqtt.delivers is not False or not health.broker or health.active is not Transport.HTTP:
        return None
    status = coordinator.device.get("mqtt")
    if not isinstance(status, MqttStatus) or status.connected is not connected:
        return None
    config = coordinator.device.config.get("mqtt", {})
    return {
        "server": f"{config.get('server') or '-'}",
        "topic_prefix": f"{coordinator.config_entry.data[CONF_TOPIC_PREFIX]}",
    }


def clock_unset(_coordinator: ShellyProCoordinator, health: Health) -> Placeholders | None:
    """Find a clock that counts from the start of the device."""
    return {} if health.clock.wrong and not health.clock.synced else None


def clock_wrong(_coordinator: ShellyProCoordinator, health: Health) -> Placeholders | None:
    """Find a clock that is far off."""
    clock = health.clock
    if not (clock.wrong and clock.synced) or clock.offset_s is None or abs(clock.offset_s) <= CLOCK_OFFSET_S:
        return None
    return {"offset": as_offset(clock.offset_s)}


def as_offset(seconds: float) -> str:
    """Return a difference of times in hours, minutes and seconds, as people of any language read it: `+1:30:00`."""
    minutes, rest = divmod(round(abs(seconds)), 60)
    return f"{'+' if seconds > 0 else '-'}{minutes // 60}:{minutes % 60:02}:{rest:02}"


def implausible(_coordinator: ShellyProCoordinator, health: Health) -> Placeholders | None:
    """Find readings that have made no sense for long."""
    wrong = [reading for reading in health.wrong if reading.for_s >= IMPLAUSIBLE_S]
    if not wrong:
        return None
    more = len(wrong) - NAMED_READINGS
    named = [_describe(reading) for reading in wrong[:NAMED_READINGS]]
    return {"readings": "; ".join([*named, f"and {more} more"] if more > 0 else named)}


def _describe(reading: WrongReading) -> str:
    told = reading.component if reading.field is None else f"{reading.component} {reading.field}"
    return f"{told}: {reading.reason}"


def firmware(fault: str) -> Condition:
    """Describe a known fault of the device's firmware."""

    def find(coordinator: ShellyProCoordinator, _health: Health) -> Placeholders | None:
        info = coordinator.device.info
        return {"version": info.firmware} if known_fault(info) == fault else None

    return Condition(key=f"firmware_{fault}", held_s=0.0, severity=ir.IssueSeverity.ERROR, find=find)


_WARNING, _ERROR = ir.IssueSeverity.WARNING, ir.IssueSeverity.ERROR

CONDITIONS: Final = (
    Condition(key="broker_gone", held_s=180.0, severity=_WARNING, find=broker_gone, shared=True),
    Condition(key="mqtt_silent", held_s=300.0, severity=_WARNING, find=mqtt_silent, fixable=True),
    Condition(key="mqtt_refused", held_s=180.0, severity=_WARNING, find=mqtt_refused, fixable=True),
    Condition(key="clock_unset", held_s=120.0, severity=_WARNING, find=clock_unset),
    Condition(key="clock_wrong", held_s=120.0, severity=_WARNING, find=clock_wrong),
    Condition(key="implausible", held_s=0.0, severity=_ERROR, find=implausible),
    *map(firmware, FAULTS),
)


class IssueWatch:
    """Looks after the issues of one device."""

    def __init__(self, coordinator: ShellyProCoordinator) -> None:
        """Look after a device that is set up; nothing happens before the first look."""
        self._coordinator = coordinator
        self._hass = coordinator.hass
        self._entry = coordinator.config_entry
        reporters: defaultdict[str, set[str]] = defaultdict(set)
        self._reporters = self._hass.data.setdefault(REPORTERS, reporters)
        self._since: dict[str, float] = {}

    @callback
    def async_look(self, _now: datetime | None = None) -> None:
        """Raise what has been wrong for long, and take back what is healed."""
        now, health = self._hass.loop.time(), self._coordinator.client.health()
        for condition in CONDITIONS:
            found = condition.find(self._coordinator, health)
            if found is None:
                self._since.pop(condition.key, None)
                self._take_back(condition)
            elif now - self._since.setdefault(condition.key, now) >= condition.held_s:
                self._raise(condition, found)

    @callback
    def async_stop(self) -> None:
        """Take back all: nobody looks any more."""
        for condition in CONDITIONS:
            self._take_back(condition)

    def _raise(self, condition: Condition, found: Placeholders) -> None:
        issue_id = condition.issue_id(self._entry)
        self._reporters[issue_id].add(self._entry.entry_id)
        # A flow that mends it shows the same text, and knows of it only what is kept here.
        told = found if condition.fixable else {}
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            data=None if condition.shared else {"entry_id": self._entry.entry_id, **told},
            is_fixable=condition.fixable,
            severity=condition.severity,
            translation_key=condition.key,
            translation_placeholders=found if condition.shared else {"device": self._entry.title, **found},
        )

    def _take_back(self, condition: Condition) -> None:
        """Delete an issue of ours when the last device that reported it is well."""
        issue_id = condition.issue_id(self._entry)
        reporters = self._reporters[issue_id]
        if self._entry.entry_id in reporters:
            reporters.remove(self._entry.entry_id)
            if not reporters:
                ir.async_delete_issue(self._hass, DOMAIN, issue_id)


@callback
def async_watch_issues(hass: HomeAssistant, entry: ShellyProConfigEntry) -> None:
    """Look after the issues of a device that is set up, until its entry is unloaded."""
    watch = IssueWatch(entry.runtime_data)
    entry.async_on_unload(watch.async_stop)
    entry.async_on_unload(entry.runtime_data.client.watch(watch.async_look))
    entry.async_on_unload(async_track_time_interval(hass, watch.async_look, LOOK_INTERVAL))
    watch.async_look()
