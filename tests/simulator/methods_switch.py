"""Switch.Set, Switch.Toggle, Switch.ResetCounters, Input.Trigger."""

from typing import TYPE_CHECKING

from tests.simulator import settings
from tests.simulator.relay import PUSHES
from tests.simulator.rpc import Handler, Params, choice, flag, instance, invalid, seconds
from tests.simulator.wire import Json

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice


def handlers(device: VirtualDevice) -> dict[str, Handler]:
    """The methods of relays and inputs, if the device has any."""
    ids = list(settings.instances(device.settings, "switch"))
    if not ids:
        return {}

    def set_(params: Params, source: str) -> Json:
        number, on = instance(params, ids), flag(params, "on")
        return {"was_on": device.switchboard.set(number, on, source, seconds(params, "toggle_after"))}

    def toggle(params: Params, source: str) -> Json:
        number = instance(params, ids)
        on = not device.switchboard.relays[number].output
        return {"was_on": device.switchboard.set(number, on, source)}

    def trigger(params: Params, _source: str) -> Json:
        device.notify_event(f"input:{instance(params, ids)}", choice(params, "event_type", PUSHES))
        return None

    found: dict[str, Handler] = {"Switch.Set": set_, "Switch.Toggle": toggle, "Input.Trigger": trigger}
    if device.firmware.has_counts:
        found["Switch.ResetCounters"] = lambda params, _source: reset_counts(device, instance(params, ids), params)
    return found


def reset_counts(device: VirtualDevice, number: int, params: Params) -> Json:
    """Set `counts` of a relay back; `type` names which, default all."""
    relay, now = device.switchboard.relays[number], device.clock.now()
    wanted = params.get("type", ["on_time", "switch_on"])
    if not isinstance(wanted, list):
        raise invalid("type")
    if "on_time" in wanted:
        relay.on_time_s, relay.on_time_rst_ts = 0.0, int(device.device_clock.now())
        relay.on_since = now if relay.output else None
    if "switch_on" in wanted:
        relay.switched_on, relay.switch_on_rst_ts = 0, int(device.device_clock.now())
    return {}
