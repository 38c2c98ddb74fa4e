"""A virtual Shelly: identity, life and the seam that every road (HTTP, WebSocket, MQTT) talks to."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from math import inf
from typing import Any

from tests.simulator import noise, roster, settings
from tests.simulator.agenda import Agenda
from tests.simulator.clock import Clock, DeviceClock
from tests.simulator.faults import Faults
from tests.simulator.house import PHASES, House, Phase
from tests.simulator.ledger import Ledger
from tests.simulator.meter import Counters, Meter
from tests.simulator.methods import router_for
from tests.simulator.models import Firmware, Model, Network, firmware_id, firmware_version
from tests.simulator.reporter import Reporter
from tests.simulator.rpc import FAILED_PRECONDITION, Router, RpcFault
from tests.simulator.switchboard import Switchboard
from tests.simulator.updater import Updater
from tests.simulator.wire import Fixed, Json

type Listener = Callable[[str, dict[str, Json]], None]

POWER_ON, SOFTWARE = 1, 3
"""`sys.reset_reason`, as ESP-IDF numbers them."""


class VirtualDevice:
    """One device. `tick()` does what is due and returns when to come back; `run()` lives on that."""

    def __init__(
        self,
        model: Model,
        firmware: Firmware,
        *,
        clock: Clock,
        seed: int = 1,
        index: int = 0,
        house: House | None = None,
        cadence_s: float | None = None,
        unwired: frozenset[str] = frozenset(),
        neutral_ct: bool = False,
        network: Network = "wifi",
        name: str | None = None,
    ) -> None:
        self.key = noise.key_of(seed, index, model.name)
        self.model, self.firmware, self.profile = model, firmware, model.profile
        self.mac = f"02{self.key & 0xFFFFFFFFFF:010X}"
        self.id = f"{model.prefix}-{self.mac.lower()}"
        self.clock, self.device_clock = clock, DeviceClock(clock)
        self.faults = Faults(clock)
        self.ledger = Ledger()
        self.house = House(self.key) if house is None else house
        self.host, self.network, self.ip6 = "127.0.0.1", network, "fe80::" + self.mac[-4:].lower()
        self.settings = self.factory_config()
        self.settings["sys"]["device"]["name"] = name
        self.mqtt_password: str | None = None
        self.auth_ha1: str | None = None
        self.user_ca: str | None = None
        self.on_reboot: Callable[[], None] | None = None
        self.restart_required = False
        self.reset_reason = POWER_ON
        self.powered = False
        self.shutting_down_at: float | None = None
        self._mqtt_connected = self._cloud_connected = False
        self._listeners: list[Listener] = []
        self._woken: asyncio.Event | None = None
        self.agenda = Agenda(self._wake)
        self.switchboard = Switchboard(self, range(model.relays))
        self.meter = self._new_meter(unwired, neutral_ct=neutral_ct) if model.profile else None
        self.reporter = Reporter(self, cadence_s)
        self.updater = Updater(self)
        self.router = Router()
        self.ledger.now = clock.now
        self.ledger.before_read = self.settle
        self.boot()

    # What a device tells

    def info(self) -> dict[str, Json]:
        """Shelly.GetDeviceInfo."""
        info: dict[str, Json] = {"name": self.settings["sys"]["device"]["name"], "id": self.id, "mac": self.mac}
        if not self.firmware.factory:
            info["slot"] = self.key % 2
        info |= {
            "model": self.model.model,
            "gen": 2,
            "fw_id": firmware_id(self.firmware, self.model),
            "ver": firmware_version(self.firmware, self.model),
            "app": self.model.app,
            "auth_en": self.auth_ha1 is not None,
            "auth_domain": None if self.auth_ha1 is None else self.id,
        }
        if self.profile and not self.firmware.factory:
            info["profile"] = self.profile
        if self.firmware.has_provision:
            info["provision"] = "complete"
        return info

    def status(self) -> dict[str, Json]:
        """Shelly.GetStatus, in the device's order."""
        self.settle()
        now = self.clock.now()
        return {key: tell(self, now) for key, tell in roster.components(self).items()}

    def truth(self, ts: float) -> dict[str, dict[str, Json]]:
        """Every component's status at a true time, now or in the past, whether it was told or not."""
        self.settle()
        return {key: tell(self, ts) for key, tell in roster.components(self).items()}

    def component_status(self, key: str) -> dict[str, Json]:
        """One component's status; KeyError when the device has no such component."""
        self.settle()
        return roster.components(self)[key](self, self.clock.now())

    def config(self) -> dict[str, Json]:
        """Shelly.GetConfig."""
        return deepcopy(self.settings)

    def factory_config(self) -> dict[str, Any]:
        """What Shelly.GetConfig tells of a new device of this model, release and profile."""
        return settings.factory_config(self.model, self.firmware, self.profile, self.id, self.mac)

    def mqtt_config(self) -> dict[str, Json]:
        """The MQTT configuration with the password that GetConfig hides."""
        return {**self.settings["mqtt"], "pass": self.mqtt_password}

    def full_status_params(self) -> dict[str, Json]:
        """The params of NotifyFullStatus."""
        return {"ts": self.stamp(), **self.told(self.status())}

    @property
    def cadence_s(self) -> float | None:
        """Fixed report interval of the measurements; None: adaptive as the real device."""
        return self.reporter.cadence_s

    @cadence_s.setter
    def cadence_s(self, seconds: float | None) -> None:
        self.reporter.cadence_s = seconds

    # What may be asked and done

    def handle(self, method: str, params: dict[str, Json] | None, *, source: str) -> Json:
        """Answer a call; raises RpcFault."""
        self.settle()
        if self.shutting_down_at is not None:
            left_ms = max(0, round((self.shutting_down_at - self.clock.now()) * 1000))
            raise RpcFault(FAILED_PRECONDITION, f"shutting down in {left_ms} ms")
        return self.router.call(method, params, "HTTP" if self.firmware.factory and source == "HTTP_in" else source)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener(method, params)` every notification until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def press_input(self, input_id: int, action: str) -> None:
        """A person at input `input_id`: on, off, toggle, single_push, double_push, triple_push, long_push."""
        self.switchboard.press(input_id, action)

    def set_switch(self, switch_id: int, on: bool, source: str) -> None:
        """Move a relay."""
        self.switchboard.set(switch_id, on, source)

    def set_load(self, phase: Phase, *, power_w: float, pf: float = 1.0, name: str = "test") -> None:
        """Add, replace or (0 W) remove a named load in the device's house; negative feeds in."""
        self.house.set_load(phase, name, power_w, pf, at=self.clock.now())

    @property
    def mqtt_connected(self) -> bool:
        """Whether the broker connection stands."""
        return self._mqtt_connected

    @mqtt_connected.setter
    def mqtt_connected(self, connected: bool) -> None:
        changed, self._mqtt_connected = connected != self._mqtt_connected, connected
        if changed and self.powered:
            self.notify({"mqtt": {"connected": connected}})

    @property
    def cloud_connected(self) -> bool:
        """Whether the vendor's cloud is connected; meters then report less often."""
        return self._cloud_connected

    @cloud_connected.setter
    def cloud_connected(self, connected: bool) -> None:
        changed, self._cloud_connected = connected != self._cloud_connected, connected
        if changed and self.powered:
            self.notify({"cloud": {"connected": connected}})

    # Life

    async def run(self) -> None:
        """Live until cancelled."""
        self._woken = asyncio.Event()
        while True:
            self._woken.clear()
            due = self.tick()
            await self.clock.wait(self._woken, min(3600.0, due - self.clock.now()))

    def tick(self) -> float:
        """Do what is due; returns the true time of the next thing to do."""
        if not self.powered:
            return inf
        self.settle()
        self.agenda.run(self.clock.now())
        return self.agenda.next()

    def settle(self, at: float | None = None) -> None:
        """Count the energy up to a true time (default: now)."""
        if self.meter is not None:
            self.meter.advance(self.clock.now() if at is None else at)

    def reset_counters(self) -> None:
        """Perpetual counters back to zero, and tell it."""
        for key in [key for key in self.settings if key.startswith(("emdata:", "em1data:"))]:
            self.reset_counter(key)

    def reset_counter(self, key: str) -> None:
        """The counters of one emdata or em1data component back to zero, and tell it."""
        if self.meter is not None:
            self.settle()
            self.meter.reset(PHASES if key.startswith("emdata") else (PHASES[int(key[-1])],))
            self.notify({key: self.component_status(key)})

    def boot(self) -> None:
        """Start: after a restart, after power came back, or afresh with a changed configuration."""
        if self.powered:
            self._stop()
            self._pause()
        self.powered, self.shutting_down_at, self.restart_required = True, None, False
        self.device_clock.booted = self.clock.now()
        self.settings["sys"]["device"]["fw_id"] = firmware_id(self.firmware, self.model)
        self.router = router_for(self)
        if self.meter is not None:
            self.meter.resume(self.clock.now())
        self.switchboard.boot()
        self.reporter.boot()
        self._wake()

    def power_off(self) -> None:
        """The supply fails: relays drop, the minute in progress is lost."""
        self._stop()
        self.reset_reason = POWER_ON
        if self.meter is not None:
            self.meter.lose(self.clock.now())

    def reboot(self, delay_s: float) -> None:
        """Restart after a delay in which every call is refused."""
        self.shutting_down_at = self.clock.now() + delay_s
        self.agenda.at(self.shutting_down_at, self._shut_down)

    def _shut_down(self) -> None:
        self._stop()
        self.reset_reason = SOFTWARE
        self._pause()
        if self.on_reboot is None:
            self.boot()
        else:
            self.on_reboot()

    def _pause(self) -> None:
        if self.meter is not None:
            self.meter.pause(self.clock.now())

    def _stop(self) -> None:
        self.powered = False
        self._mqtt_connected = self._cloud_connected = False
        self.agenda.clear()
        self.switchboard.power_off()

    def change_profile(self, profile: str) -> None:
        """Become a triphase or a monophase meter; counters restart at zero (Shelly.SetProfile)."""
        old = self.settings
        self.profile = "monophase" if profile == "monophase" else "triphase"
        self.settings = self.factory_config()
        for key in self.settings.keys() & old.keys():
            self.settings[key] = old[key]
        self.settings["sys"]["device"]["profile"] = profile
        if self.meter is not None:
            self.meter.reset()

    def change_firmware(self, firmware: Firmware) -> None:
        """Install another release; it shows after the next boot."""
        self.firmware = firmware
        self.settings = settings.carry_over(self.factory_config(), self.settings)

    # Telling

    def stamp(self) -> Fixed:
        """Now, as the device believes and prints it."""
        return Fixed(self.device_clock.now(), 2)

    def notify(self, parts: dict[str, Any]) -> None:
        """Send NotifyStatus."""
        self._send("NotifyStatus", {"ts": self.stamp(), **self.told(parts)})

    def notify_event(self, component: str, event: str, *, ts: Fixed | None = None, **fields: Json) -> None:
        """Send NotifyEvent; the event's id comes from the component's key."""
        now = self.stamp()
        _, _, number = component.partition(":")
        told: dict[str, Json] = {"component": component, **({"id": int(number)} if number else {}), "event": event}
        order = ("restart_required",) if event == "config_changed" else ()
        told |= {name: fields.pop(name) for name in order}
        self._send("NotifyEvent", {"ts": now, "events": [{**told, "ts": now if ts is None else ts, **fields}]})

    def told(self, parts: dict[str, Any]) -> dict[str, Any]:
        """Note in the ledger what somebody is being told, and pass it on."""
        for key, status in parts.items():
            self.ledger.report(key, self.device_clock.now(), status)
        return parts

    def _send(self, method: str, params: dict[str, Json]) -> None:
        for listener in tuple(self._listeners):
            listener(method, params)

    def _wake(self) -> None:
        if self._woken is not None:
            self._woken.set()

    def _new_meter(self, unwired: frozenset[str], *, neutral_ct: bool) -> Meter:
        now = self.clock.now()
        meter = Meter(self.house, self.device_clock, self.ledger, now=now, unwired=unwired, neutral_ct=neutral_ct)
        meter.preset(
            {
                phase: Counters(
                    act_wh=0.0 if phase in unwired else round(3e6 * noise.unit(self.key, ord(phase)), 2),
                    ret_wh=0.0 if phase in unwired else round(4e5 * noise.unit(self.key + 1, ord(phase)), 2),
                )
                for phase in PHASES
            }
        )
        self.house.before_change.append(self.settle)
        return meter
