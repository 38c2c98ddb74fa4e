"""What a device tells by itself: measurements when they change, counters and a record each minute."""

from collections.abc import Callable
from functools import partial
from math import floor
from typing import TYPE_CHECKING

from tests.simulator import noise, roster, status
from tests.simulator.house import PHASES, Flow
from tests.simulator.ledger import MINUTE_S
from tests.simulator.meter import FUNDAMENTAL, Record, noteworthy
from tests.simulator.wire import Fixed

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice

IDLE_S = (8.0, 10.5)
"""A steady load is told again after this long (8 to 15 s seen in the field)."""
CLOUD_S = 4.0
"""At most this often while the cloud is connected, since 1.3.0."""
AFTER_MINUTE_S = (0.2, 0.4)
CHANNEL_GAP_S = 0.065
"""Monophase channels follow each other by 60 to 70 ms."""
TEMPERATURE_S, SIGNAL_S, UPDATES_S = 287.0, 611.0, 12 * 3600.0


class Reporter:
    """Cadences of one device. `cadence_s` replaces the adaptive one by a fixed interval."""

    def __init__(self, device: VirtualDevice, cadence_s: float | None) -> None:
        self._device = device
        self._cadence_s = cadence_s
        self._told: dict[str, tuple[float, dict[str, Flow]]] = {}
        self._count = 0
        self._generation = 0

    @property
    def cadence_s(self) -> float | None:
        """Fixed report interval of the measurements; None: adaptive as the real device."""
        return self._cadence_s

    @cadence_s.setter
    def cadence_s(self, seconds: float | None) -> None:
        self._cadence_s = seconds
        self._restart_measuring()

    def boot(self) -> None:
        """Begin all cadences."""
        now = self._device.clock.now()
        self._told.clear()
        slow = ((TEMPERATURE_S, self._tell_temperature), (SIGNAL_S, self._tell_signal), (UPDATES_S, self._tell_updates))
        for turn, (seconds, tell) in enumerate(slow):
            self._repeat(now + seconds * noise.unit(self._device.key, turn), seconds, tell)
        if self._device.meter is not None:
            self._device.meter.closed = self._minute_closed
            self._at_minute()
            self._restart_measuring()

    def _restart_measuring(self) -> None:
        if self._device.meter is None:
            return
        self._generation += 1
        now, own = self._device.clock.now(), noise.unit(self._device.key, 7)  # so that a fleet does not speak in chorus
        first = floor(now) + 1.0 + own if self._cadence_s is None else now + self._cadence_s * own
        self._measure_at(first, self._generation)

    def _measure_at(self, when: float, generation: int) -> None:
        self._device.agenda.at(when, partial(self._measure, when, generation))

    def _measure(self, when: float, generation: int) -> None:
        if generation != self._generation:
            return
        now = self._device.clock.now()
        for key in [key for key in self._device.settings if key.partition(":")[0] in {"em", "em1"}]:
            if self._cadence_s is not None or self._worth_telling(key, now):
                self._tell(key, now)
        step = self._cadence_s or 1.0
        self._measure_at(max(when + step, now - step), generation)

    def _flows(self, key: str, now: float) -> dict[str, Flow]:
        kind, _, number = key.partition(":")
        flows = roster.meter_of(self._device).reading(now).flows
        phases = PHASES if kind == "em" else (PHASES[int(number)],)
        return {phase: flows[phase] for phase in phases}

    def _worth_telling(self, key: str, now: float) -> bool:
        if key not in self._told:
            return True
        told_at, told = self._told[key]
        idle_s = IDLE_S[0] + (IDLE_S[1] - IDLE_S[0]) * noise.unit(self._device.key, self._count)
        if now - told_at >= idle_s:
            return True
        if self._device.cloud_connected and self._device.firmware.throttles_with_cloud and now - told_at < CLOUD_S:
            return False
        flows = self._flows(key, now)
        return any(noteworthy(told[phase], flow) for phase, flow in flows.items())

    def _tell(self, key: str, now: float) -> None:
        self._count += 1
        self._told[key] = (now, self._flows(key, now))
        told = self._device.component_status(key)
        self._device.notify({key: status.delta(told, drop=("user_calibrated_phase", "calibration"))})

    def _at_minute(self) -> None:
        """Be awake at each minute of the device's clock, when the meter closes a record."""
        since = self._device.device_clock.now() % MINUTE_S
        self._device.agenda.at(self._device.clock.now() + MINUTE_S - since, self._at_minute)

    def _minute_closed(self, record: Record) -> None:
        early, late = AFTER_MINUTE_S
        when = self._device.clock.now() + early + (late - early) * noise.unit(self._device.key, record.ts)
        keys = [key for key in self._device.settings if key.partition(":")[0] in {"emdata", "em1data"}]
        for turn, key in enumerate(keys):
            self._device.agenda.at(when + turn * CHANNEL_GAP_S, partial(self._tell_minute, key, record))

    def _tell_minute(self, key: str, record: Record) -> None:
        device = self._device
        device.notify({key: device.component_status(key)})
        kind, _, number = key.partition(":")
        row = status.em_record(record, FUNDAMENTAL) if kind == "emdata" else status.em1_record(record, int(number))
        block = status.data_block(record, row, documented="event_data_array" in device.faults.quirks)
        device.notify_event(key, "data", ts=Fixed(record.ts, 2), data=block)

    def _repeat(self, when: float, seconds: float, call: Callable[[], None]) -> None:
        def run() -> None:
            call()
            self._repeat(when + seconds, seconds, call)

        self._device.agenda.at(when, run)

    def _tell_signal(self) -> None:
        device = self._device
        if device.network == "wifi":
            device.notify({"wifi": {"rssi": roster.wifi_status(device, device.clock.now())["rssi"]}})

    def _tell_updates(self) -> None:
        self._device.notify({"sys": {"available_updates": self._device.updater.available()}})

    def _tell_temperature(self) -> None:
        device, degrees = self._device, roster.degrees(self._device, self._device.clock.now())
        if "temperature:0" in device.settings:
            device.notify({"temperature:0": status.temperature(0, degrees)})
        for relay in device.switchboard.relays:
            first = {} if device.firmware.delta_without_id else {"id": relay.id}
            device.notify({f"switch:{relay.id}": {**first, "temperature": status.celsius(degrees)}})
