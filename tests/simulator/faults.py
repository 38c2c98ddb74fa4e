"""What can go wrong with a device, for a time or until it is taken back; README.md describes each kind.

Seconds are of the simulated clock, so `--speed` shortens a fault as it shortens everything else.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import voluptuous as vol

from tests.simulator.clock import Clock
from tests.simulator.status import EM_ERRORS

# Peculiarities of some releases that a personality does not have by itself.
QUIRKS = ("status_update_toggles", "event_data_array", "mute", *EM_ERRORS)
_SECONDS = vol.All(vol.Coerce(float), vol.Range(min=0))
_EVERY = vol.All(int, vol.Range(min=1))
_HTTP_MODE = {vol.Optional("mode", default="refused"): vol.In(["refused", "reset", "silent"])}

KINDS: dict[str, vol.Schema] = {
    kind: vol.Schema(parameters)
    for kind, parameters in {
        "mqtt_cut": {},
        "mqtt_silent": {},
        "http_cut": _HTTP_MODE,
        "link_cut": _HTTP_MODE,
        "slow": {vol.Required("delay_s"): _SECONDS},
        "power_cut": {vol.Optional("unsynced_s", default=5.0): _SECONDS},
        "clock": {vol.Required("skew_s"): vol.Coerce(float)},
        "online_stuck": {},
        "duplicate": {},
        "reorder": {vol.Required("hold_s"): _SECONDS},
        "malformed": {vol.Optional("every", default=1): _EVERY},
        "oversized": {vol.Optional("bytes", default=100_000): _EVERY, vol.Optional("every", default=1): _EVERY},
        "counter_reset": {},
        "counter_dip": {vol.Required("wh"): vol.All(vol.Coerce(float), vol.Range(min=0))},
        "auth_rejected": {},
        "http_refusing": {vol.Optional("status", default=503): vol.In([503, 429])},
        "quirk": {vol.Required("name"): vol.In(QUIRKS)},
    }.items()
}
# Done in the moment they are injected; there is nothing to end.
INSTANT = frozenset({"counter_reset"})


class FaultError(ValueError):
    """A fault nobody knows, or one with wrong parameters; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `until` in seconds of the simulated clock, None: until taken back."""

    kind: str
    until: float | None
    parameters: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the form the control API shows."""
        return {"kind": self.kind, "until": self.until} | self.parameters


type FaultListener = Callable[[Fault, bool], None]


class Faults:
    """The faults of one device; at most one of each kind, of quirks one of each name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._active: dict[str, Fault] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._listeners: list[FaultListener] = []

    @property
    def quirks(self) -> frozenset[str]:
        """The names of active quirks."""
        return frozenset(fault.parameters["name"] for fault in self._active.values() if fault.kind == "quirk")

    @property
    def counter_dip_wh(self) -> float:
        """How far reported energy counters lie below the true ones."""
        dip = self.get("counter_dip")
        return 0.0 if dip is None else float(dip.parameters["wh"])

    @property
    def web_cuts(self) -> set[str]:
        """How the web server is cut off at the moment: none, or some of refused, reset, silent."""
        faults = (self.get(kind) for kind in ("http_cut", "link_cut"))
        return {str(fault.parameters["mode"]) for fault in faults if fault is not None}

    @property
    def mqtt_is_cut(self) -> bool:
        """Whether no connection to the broker comes about."""
        return "mqtt_cut" in self or "link_cut" in self

    def get(self, kind: str) -> Fault | None:
        """Return the active fault of `kind`."""
        return self._active.get(kind)

    def __contains__(self, kind: str) -> bool:
        return kind in self._active

    def active(self) -> list[dict[str, Any]]:
        """Return all active faults for people."""
        return [fault.as_json() for fault in self._active.values()]

    def listen(self, listener: FaultListener) -> None:
        """Call `listener(fault, True)` when a fault begins and `(fault, False)` when it ends."""
        self._listeners.append(listener)

    def inject(self, kind: str, seconds: float | None = None, **parameters: Any) -> Fault:
        """Begin a fault in place of one of its kind; None or 0 seconds: until cleared. FaultError when wrong."""
        if (schema := KINDS.get(kind)) is None:
            raise FaultError(f"There is no fault {kind!r}: use one of {', '.join(sorted(KINDS))}")
        try:
            checked = schema(parameters)
        except vol.Invalid as error:
            raise FaultError(f"Fault {kind}: {error} (README.md lists the parameters)") from error
        until = self._clock.now() + seconds if seconds else None
        fault = Fault(kind, until, checked)
        key = _key(fault)
        self._end(key)
        if kind not in INSTANT:
            self._active[key] = fault
            if seconds:
                self._timers[key] = asyncio.create_task(self._end_later(key, seconds))
        self._tell(fault, begins=True)
        return fault

    def clear(self, kind: str | None = None) -> None:
        """End the faults of `kind`, or all."""
        for key in [key for key, fault in self._active.items() if kind in {None, fault.kind}]:
            self._end(key)

    async def close(self) -> None:
        """Stop the timers without telling anybody."""
        timers = list(self._timers.values())
        self._timers.clear()
        for timer in timers:
            timer.cancel()
        await asyncio.gather(*timers, return_exceptions=True)

    async def _end_later(self, key: str, seconds: float) -> None:
        await self._clock.sleep(seconds)
        del self._timers[key]
        self._end(key)

    def _end(self, key: str) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
        with contextlib.suppress(KeyError):
            self._tell(self._active.pop(key), begins=False)

    def _tell(self, fault: Fault, *, begins: bool) -> None:
        for listener in tuple(self._listeners):
            listener(fault, begins)


def _key(fault: Fault) -> str:
    return f"quirk:{fault.parameters['name']}" if fault.kind == "quirk" else fault.kind
