"""Methods of em, em1, emdata and em1data beyond status and configuration."""

from typing import TYPE_CHECKING

from tests.simulator import settings
from tests.simulator.rpc import Handler, Params, instance
from tests.simulator.wire import Json

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice

CT_TYPES = ["120A", "400A"]


def handlers(device: VirtualDevice) -> dict[str, Handler]:
    """The methods of the profile that is active."""
    found: dict[str, Handler] = {}
    for kind, space in (("em", "EM"), ("em1", "EM1")):
        if ids := list(settings.instances(device.settings, kind)):
            if device.firmware.has_ct_type:
                found[f"{space}.GetCTTypes"] = lambda _params, _source: {"supported": list[Json](CT_TYPES)}
            found[f"{space}Data.ResetCounters"] = _reset(device, f"{kind}data", ids)
            found[f"{space}Data.DeleteAllData"] = _delete(device, f"{kind}data", ids)
    return found


def _reset(device: VirtualDevice, kind: str, ids: list[int]) -> Handler:
    def reset(params: Params, _source: str) -> Json:
        device.reset_counter(f"{kind}:{instance(params, ids)}")
        return None

    return reset


def _delete(device: VirtualDevice, kind: str, ids: list[int]) -> Handler:
    reset = _reset(device, kind, ids)

    def delete(params: Params, source: str) -> Json:
        reset(params, source)
        if device.meter is not None:
            device.meter.records.clear()
        return None

    return delete
