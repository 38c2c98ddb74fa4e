"""GetStatus, GetConfig and SetConfig, which every component has."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tests.simulator import settings
from tests.simulator.rpc import Handler, Params, instance, invalid, required
from tests.simulator.wire import Json

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice

NAMESPACES = {
    "ble": "BLE",
    "bthome": "BTHome",
    "cloud": "Cloud",
    "em": "EM",
    "em1": "EM1",
    "emdata": "EMData",
    "em1data": "EM1Data",
    "eth": "Eth",
    "input": "Input",
    "knx": "KNX",
    "modbus": "Modbus",
    "mqtt": "Mqtt",
    "switch": "Switch",
    "sys": "Sys",
    "temperature": "Temperature",
    "wifi": "Wifi",
    "ws": "Ws",
}


def handlers(device: VirtualDevice) -> dict[str, Handler]:
    """The three methods of every component the device has."""
    found: dict[str, Handler] = {}
    for kind in dict.fromkeys(map(settings.component_type, device.settings)):
        found |= _of(device, kind)
    return found


def _of(device: VirtualDevice, kind: str) -> dict[str, Handler]:
    ids = list(settings.instances(device.settings, kind))

    def key(params: Params) -> str:
        return f"{kind}:{instance(params, ids)}" if ids else kind

    def get_status(params: Params, _source: str) -> Json:
        name = key(params)
        return device.told({name: device.component_status(name)})[name]  # type: ignore[no-any-return]

    def get_config(params: Params, _source: str) -> Json:
        return deepcopy(device.settings[key(params)])  # type: ignore[no-any-return]

    def set_config(params: Params, _source: str) -> Json:
        name, patch = key(params), required(params, "config")
        if not isinstance(patch, dict):
            raise invalid("config")
        return {"restart_required": change(device, name, patch)}

    space = NAMESPACES[kind]
    return {f"{space}.SetConfig": set_config, f"{space}.GetConfig": get_config, f"{space}.GetStatus": get_status}


def change(device: VirtualDevice, key: str, patch: dict[str, Any]) -> bool:
    """Change a component's configuration and tell it; returns whether that waits for a restart. RpcFault -103."""
    hidden = {"pass": device.mqtt_password} if key == "mqtt" else {}
    draft, changed = deepcopy(device.settings[key]) | hidden, list[str]()
    settings.merge(draft, device.factory_config()[key] | dict.fromkeys(hidden), patch, changed.append)
    if key == "mqtt":
        settings.check_mqtt(draft, device.id)
    if not changed:
        return False
    device.mqtt_password = draft.pop("pass", device.mqtt_password)
    device.settings[key] = draft
    restart = settings.restart_needed(settings.component_type(key), changed)
    announce(device, key, restart=restart)
    return restart


def announce(device: VirtualDevice, key: str, *, restart: bool) -> None:
    """Count the revision up and tell that a component's configuration changed."""
    device.restart_required |= restart
    revision = device.settings["sys"]["cfg_rev"] + 1
    device.settings["sys"]["cfg_rev"] = revision
    device.notify_event(key, "config_changed", restart_required=restart, cfg_rev=revision)
    device.notify({"sys": {"cfg_rev": revision} | ({"restart_required": True} if restart else {})})
