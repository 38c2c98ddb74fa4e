"""MQTT control: plain-text commands on `<prefix>/command…` and `shellies/command`.

https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt#mqtt-control
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from tests.simulator import frames
from tests.simulator.device import VirtualDevice
from tests.simulator.rpc import RpcFault

SOURCE = "MQTT"
BROADCAST = "shellies/command"
ANNOUNCE = "shellies/announce"

type Publish = tuple[str, str]

_COMPONENT = re.compile("switch:[0-9]{1,9}")
_SWITCH = re.compile(r"(?:(?P<state>on|off)(?:,(?P<seconds>\d+(?:\.\d+)?))?|(?P<toggle>toggle))")


def obey(device: VirtualDevice, prefix: str, topic: str, payload: str) -> Iterator[Publish]:
    """Carry out the command and yield (topic, text) of what is published for it."""
    component = topic.removeprefix(f"{prefix}/command").removeprefix("/") if topic != BROADCAST else ""
    if component:
        yield from _component_command(device, prefix, component, payload)
        return
    with suppress(RpcFault):  # a device about to restart says nothing
        if payload == "announce":
            info = frames.text(device.handle("Shelly.GetDeviceInfo", {}, source=SOURCE))
            yield ANNOUNCE, info
            yield f"{prefix}/announce", info
        elif payload == "status_update":
            yield f"{prefix}/status", frames.text(device.handle("Shelly.GetStatus", {}, source=SOURCE))


def _component_command(device: VirtualDevice, prefix: str, component: str, payload: str) -> Iterator[Publish]:
    if not _COMPONENT.fullmatch(component):
        return
    number = int(component.removeprefix("switch:"))
    toggles = payload == "status_update" and "status_update_toggles" in device.faults.quirks
    try:
        if payload == "status_update" and not toggles:
            status = device.handle("Switch.GetStatus", {"id": number}, source=SOURCE)
            yield f"{prefix}/status/{component}", frames.text(status)
        elif toggles:
            device.handle("Switch.Toggle", {"id": number}, source=SOURCE)
        else:
            _switch(device, number, payload)
    except RpcFault as fault:
        yield f"{prefix}/error/{component}", fault.message


def _switch(device: VirtualDevice, number: int, payload: str) -> None:
    if (match := _SWITCH.fullmatch(payload)) is None:
        raise RpcFault(-103, f"Unknown command '{payload}'")
    if match["toggle"]:
        device.handle("Switch.Toggle", {"id": number}, source=SOURCE)
        return
    params: dict[str, Any] = {"id": number, "on": match["state"] == "on"}
    if match["seconds"]:
        params["toggle_after"] = float(match["seconds"])
    device.handle("Switch.Set", params, source=SOURCE)
