"""The relays and inputs of a device: who moves what, timers, and what is told about it."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.simulator.house import PHASES
from tests.simulator.relay import PUSHES, Input, Relay
from tests.simulator.wire import Fixed

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice

# What a person wired to the relays of a Pro 3: a heater, a pump, some lamps.
WIRED = ((1200.0, 1.0), (370.0, 0.82), (85.0, -0.93))
MOMENTARY = {"single_push", "long_push"}


class Switchboard:
    """Relays and inputs, one of each per channel."""

    def __init__(self, device: VirtualDevice, channels: Iterable[int]) -> None:
        self._device = device
        self.relays = [Relay(n, load_w=WIRED[n % 3][0], load_pf=WIRED[n % 3][1]) for n in channels]
        self.inputs = [Input(relay.id) for relay in self.relays]

    def boot(self) -> None:
        """Contacts take the position that `initial_state` asks for."""
        for relay in self.relays:
            wanted = self._config(relay.id)["initial_state"]
            was_on, relay.output = relay.output, False
            now = self._device.clock.now()
            on = {"on": True, "restore_last": was_on, "match_input": self._closed(relay.id, now)}.get(wanted, False)
            relay.set(on, "init", now)
            self._load(relay)
            self._automatic(relay)

    def power_off(self) -> None:
        """Nothing holds the contacts any more; the device remembers where they were."""
        for relay in self.relays:
            relay.stop_timer()
            self._wire(relay, 0.0)

    def set(self, number: int, on: bool, source: str, toggle_after: float | None = None) -> bool:
        """Move a relay and tell it; returns where it was."""
        device, relay = self._device, self.relays[number]
        now = device.clock.now()
        was_on, had_timer = relay.output, relay.stop_timer()
        parts: dict[str, Any] = {} if relay.source == source else {"source": source}
        if relay.set(on, source, now):
            parts = {"output": on, "source": source}
            self._load(relay)
            device.ledger.edge(now, "switch", number, on=on, source=source)
        started = self._timer(relay, toggle_after) if toggle_after else self._automatic(relay)
        if started:
            parts["timer_duration"] = Fixed(relay.timer_duration or 0.0, 2)
            parts["timer_started_at"] = Fixed(relay.timer_started_at or 0.0, 2)
        elif had_timer:
            parts |= {"timer_duration": None, "timer_started_at": None}
        if parts:
            self._tell(number, parts)
        return was_on

    def press(self, number: int, action: str) -> None:
        """A person at an input terminal. ValueError for an action this input cannot do."""
        if not 0 <= number < len(self.inputs):
            raise ValueError(f"no input {number}; there are {len(self.inputs)}")
        push = self._device.settings[f"input:{number}"]["type"] == "button"
        if not push and action in {"on", "off", "toggle"}:
            self._flip(number, not self.inputs[number].closed if action == "toggle" else action == "on")
        elif push and action in PUSHES:
            self._push(number, action)
        else:
            kind, wanted = ("button", ", ".join(PUSHES)) if push else ("switch", "on, off, toggle")
            raise ValueError(f"input {number} is a {kind}: use one of {wanted}")

    def input_state(self, number: int, ts: float) -> bool | None:
        """The logical state at a true time; None for a button and for a disabled input."""
        config = self._device.settings[f"input:{number}"]
        if config["type"] == "button" or not config["enable"]:
            return None
        return self._closed(number, ts)

    def press_front_button(self) -> None:
        """The button on the device's front: down, up, push."""
        at = self._device.clock.now()
        for delay, event in ((0.0, "sys_btn_down"), (0.19, "sys_btn_up"), (0.19, "sys_btn_push")):
            self._device.agenda.at(at + delay, partial(self._device.notify_event, "sys", event))

    def _closed(self, number: int, ts: float) -> bool:
        return self.inputs[number].at(ts) != bool(self._device.settings[f"input:{number}"]["invert"])

    def _flip(self, number: int, closed: bool) -> None:
        device = self._device
        now = device.clock.now()
        before = self.input_state(number, now)
        self.inputs[number].set(closed, now)
        state = self.input_state(number, now)
        if state is None or state == before:
            return
        device.ledger.edge(now, "input", number, on=state, source="switch")
        device.notify({f"input:{number}": {"id": number, "state": state}})
        mode = self._config(number)["in_mode"]
        relay = self.relays[number]
        if mode == "follow":
            self.set(number, state, "switch")
        elif mode == "flip":
            self.set(number, not relay.output, "switch")
        elif mode == "activate" and state:
            self.set(number, True, "switch")

    def _push(self, number: int, action: str) -> None:
        at = self._device.clock.now()
        for delay, event in PUSHES[action]:
            self._device.agenda.at(at + delay, partial(self._pushed, number, event))

    def _pushed(self, number: int, event: str) -> None:
        device = self._device
        device.ledger.edge(device.clock.now(), "input", number, event=event, source="button")
        device.notify_event(f"input:{number}", event)
        mode = self._config(number)["in_mode"]
        if event in MOMENTARY and mode == "momentary":
            self.set(number, not self.relays[number].output, "button")
        elif event in MOMENTARY and mode == "activate":
            self.set(number, True, "button")

    def _timer(self, relay: Relay, seconds: float) -> bool:
        """Move the relay back after some seconds."""
        relay.timer_started_at = self._device.device_clock.now()
        relay.timer_duration = seconds
        relay.timer = self._device.agenda.at(self._device.clock.now() + seconds, partial(self._run_out, relay))
        return True

    def _automatic(self, relay: Relay) -> bool:
        config = self._config(relay.id)
        name = "auto_off" if relay.output else "auto_on"
        return bool(config[name]) and self._timer(relay, float(config[f"{name}_delay"]))

    def _run_out(self, relay: Relay) -> None:
        self.set(relay.id, not relay.output, "timer")

    def _load(self, relay: Relay) -> None:
        self._wire(relay, relay.load_w if relay.output else 0.0)

    def _wire(self, relay: Relay, power_w: float) -> None:
        device = self._device
        name, now = f"{device.id} relay {relay.id}", device.clock.now()
        device.house.set_load(PHASES[relay.id % 3], name, power_w, relay.load_pf, at=now)

    def _tell(self, number: int, parts: dict[str, Any]) -> None:
        first = {} if self._device.firmware.delta_without_id else {"id": number}
        self._device.notify({f"switch:{number}": first | dict(sorted(parts.items()))})

    def _config(self, number: int) -> dict[str, Any]:
        config: dict[str, Any] = self._device.settings[f"switch:{number}"]
        return config
