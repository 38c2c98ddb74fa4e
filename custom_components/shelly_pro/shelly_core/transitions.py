"""The states of the failover machine, what moves it from one to another, and which link each of them uses.

A device is *available* in every state but `down`. Data is taken from whatever link it comes on; the state only decides
where commands go first, and what is asked. `TRANSITIONS` is the machine; this is its picture, drawn by a test:

    on_mqtt    -- broker lost           --> on_http
    on_mqtt    -- device offline        --> suspect
    on_mqtt    -- mqtt failed           --> suspect
    on_mqtt    -- mqtt silent           --> suspect
    on_mqtt    -- mqtt mute             --> on_http
    suspect    -- broker lost           --> on_http
    suspect    -- mqtt proven           --> on_mqtt
    suspect    -- mqtt failed           --> on_http
    suspect    -- mqtt mute             --> on_http
    on_http    -- mqtt notified         --> hold_down
    on_http    -- mqtt proven           --> hold_down
    on_http    -- http lost             --> down
    hold_down  -- broker lost           --> on_http
    hold_down  -- mqtt failed           --> on_http
    hold_down  -- http lost             --> suspect
    hold_down  -- held down             --> on_mqtt
    down       -- mqtt notified         --> suspect
    down       -- mqtt proven           --> on_mqtt
    down       -- http answered         --> on_http
"""

from collections.abc import Mapping
from enum import StrEnum

from .link import Transport


class State(StrEnum):
    """Which link carries the device."""

    ON_MQTT = "on_mqtt"
    SUSPECT = "suspect"
    """MQTT is in use, but in doubt: a question over MQTT decides."""
    ON_HTTP = "on_http"
    HOLD_DOWN = "hold_down"
    """HTTP is in use; MQTT delivers again and has to prove itself."""
    DOWN = "down"


class Trigger(StrEnum):
    """What can move the machine; from `HTTP_LOST` on, it finds out itself."""

    BROKER_LOST = "broker lost"
    BROKER_FOUND = "broker found"
    OFFLINE = "device offline"
    """The broker says that the device has left. The flag may be stuck, so it is a reason to ask, no more.

    It is remembered in every state: from now on nothing is proven until the device answers what was asked later.
    """
    NOTIFIED = "mqtt notified"
    ANSWERED = "mqtt answered"
    FAILED = "mqtt failed"
    HTTP_ANSWERED = "http answered"
    HTTP_FAILED = "http failed"
    HTTP_LOST = "http lost"
    """HTTP has failed so often that its breaker is open."""
    SILENT = "mqtt silent"
    PROVEN = "mqtt proven"
    """An answer over MQTT that cannot be older than the news that the device has left."""
    MUTE = "mqtt mute"
    """A meter answers over MQTT, but reports nothing by itself."""
    HELD = "held down"


TRANSITIONS: Mapping[tuple[State, Trigger], State] = {
    (State.ON_MQTT, Trigger.BROKER_LOST): State.ON_HTTP,
    (State.ON_MQTT, Trigger.OFFLINE): State.SUSPECT,
    (State.ON_MQTT, Trigger.FAILED): State.SUSPECT,
    (State.ON_MQTT, Trigger.SILENT): State.SUSPECT,
    (State.ON_MQTT, Trigger.MUTE): State.ON_HTTP,
    (State.SUSPECT, Trigger.BROKER_LOST): State.ON_HTTP,
    (State.SUSPECT, Trigger.PROVEN): State.ON_MQTT,
    (State.SUSPECT, Trigger.FAILED): State.ON_HTTP,
    (State.SUSPECT, Trigger.MUTE): State.ON_HTTP,
    (State.ON_HTTP, Trigger.NOTIFIED): State.HOLD_DOWN,
    (State.ON_HTTP, Trigger.PROVEN): State.HOLD_DOWN,
    (State.ON_HTTP, Trigger.HTTP_LOST): State.DOWN,
    (State.HOLD_DOWN, Trigger.BROKER_LOST): State.ON_HTTP,
    (State.HOLD_DOWN, Trigger.FAILED): State.ON_HTTP,
    (State.HOLD_DOWN, Trigger.HTTP_LOST): State.SUSPECT,
    (State.HOLD_DOWN, Trigger.HELD): State.ON_MQTT,
    (State.DOWN, Trigger.NOTIFIED): State.SUSPECT,
    (State.DOWN, Trigger.PROVEN): State.ON_MQTT,
    (State.DOWN, Trigger.HTTP_ANSWERED): State.ON_HTTP,
}

ACTIVE: Mapping[State, Transport | None] = {
    State.ON_MQTT: Transport.MQTT,
    State.SUSPECT: Transport.MQTT,
    State.ON_HTTP: Transport.HTTP,
    State.HOLD_DOWN: Transport.HTTP,
    State.DOWN: None,
}
