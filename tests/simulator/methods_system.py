"""Sys.SetTime, Schedule, Script and other methods that a client may ask on its way in."""

from typing import TYPE_CHECKING

from tests.simulator.rpc import EXHAUSTED, NOT_FOUND, Handler, Params, RpcFault, number, required
from tests.simulator.wire import Json

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice


def handlers(device: VirtualDevice) -> dict[str, Handler]:
    """System-wide methods outside the Shelly namespace."""
    found: dict[str, Handler] = {
        "Sys.SetTime": lambda params, _source: set_time(device, params),
        "Schedule.List": lambda _params, _source: {"jobs": [], "rev": 0},
        "Webhook.List": lambda _params, _source: {"hooks": [], "rev": 0},
        "KVS.List": lambda _params, _source: {"keys": {}, "rev": 0},
        "Script.List": lambda _params, _source: {"scripts": []},
    }
    for name in ("Script.GetCode", "Script.Start", "Script.Stop", "Script.PutCode"):
        found[name] = _no_script
    return found | {"Script.Create": _no_room}


def _no_room(_params: Params, _source: str) -> Json:
    raise RpcFault(EXHAUSTED, "Resource exhausted: this device keeps no scripts")


def _no_script(params: Params, _source: str) -> Json:
    raise RpcFault(NOT_FOUND, f"Argument 'id', value {required(params, 'id')} not found!")


def set_time(device: VirtualDevice, params: Params) -> Json:
    """Set the device's clock from Unix seconds."""
    unixtime = number("unixtime", required(params, "unixtime"), most=2**32)
    device.settle()
    device.device_clock.synced = True
    device.device_clock.skew_s = unixtime - device.clock.now()
    return None
