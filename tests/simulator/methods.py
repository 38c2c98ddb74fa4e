"""All RPC methods of a device, from the groups that belong to its components."""

from typing import TYPE_CHECKING

from tests.simulator import (
    methods_components,
    methods_meter,
    methods_records,
    methods_shelly,
    methods_switch,
    methods_system,
)
from tests.simulator.rpc import Router

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice


def router_for(device: VirtualDevice) -> Router:
    """The methods that this device with its present profile and firmware has."""
    router = Router()
    router.add(methods_components.handlers(device))
    for group in (methods_switch, methods_meter, methods_records, methods_system, methods_shelly):
        router.add(group.handlers(device))
    router.add({"Shelly.ListMethods": lambda _params, _source: {"methods": list(router.names())}})
    return router
