"""The electricity of one house: appliances, sun, and a grid connection whose voltage gives way under load.

Everything is a function of the seed and the whole second, so a run can be repeated and an integral over it is exact.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import acos, cos, floor, hypot, inf, pi, sin, tan
from typing import Literal

from tests.simulator import noise

type Phase = Literal["a", "b", "c"]

PHASES: tuple[Phase, ...] = ("a", "b", "c")
LINE_OHM = 0.22
"""Resistance from the transformer to the board: 2 kW sags a phase by about 2 V."""
KEPT_CHANGES = 5000
"""Load changes that a question about the past can still see."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One phase at the board. Positive power is drawn from the grid, positive reactive power is inductive."""

    voltage_v: float
    power_w: float
    reactive_var: float
    freq_hz: float

    @property
    def apparent_va(self) -> float:
        """Volt-amperes."""
        return hypot(self.power_w, self.reactive_var)

    @property
    def current_a(self) -> float:
        """Amperes, unsigned."""
        return self.apparent_va / self.voltage_v if self.voltage_v else 0.0

    @property
    def pf(self) -> float:
        """Power factor, unsigned."""
        apparent = self.apparent_va
        return abs(self.power_w) / apparent if apparent else 0.0


@dataclass(frozen=True, slots=True)
class Appliance:
    """A load (or a source) on one phase. `power_w(second)` is its draw; pf < 0 means a leading (capacitive) load."""

    name: str
    phase: Phase
    power_w: Callable[[int], float]
    pf: float = 1.0

    def reactive_var(self, power_w: float) -> float:
        """Reactive power that goes with an active power."""
        lagging = abs(power_w) * tan(acos(min(1.0, abs(self.pf))))
        return lagging if self.pf > 0 else -lagging


def standby(key: int, level_w: float) -> Callable[[int], float]:
    """Things that are always on: wandering by a third, flickering by a percent."""
    return lambda s: level_w * (1 + 0.3 * noise.drift(key, s, 420) + 0.01 * noise.jitter(key + 1, s))


def cycling(key: int, power_w: float, period_s: int, duty: float, inrush: float = 1.0) -> Callable[[int], float]:
    """A compressor: on for a part of each period, with a surge in its first second."""

    def power(second: int) -> float:
        cycle, since = divmod(second + int(noise.unit(key, 0) * period_s), period_s)
        if since >= period_s * duty * (1 + 0.2 * noise.jitter(key, cycle)):
            return 0.0
        return power_w * (inrush if since == 0 else 1 + 0.05 * noise.drift(key + 1, second, 90))

    return power


def sometimes(key: int, power_w: float, slot_s: int, chance: float, length_s: int) -> Callable[[int], float]:
    """A kettle: in some slots, at some moment, for a while."""

    def power(second: int) -> float:
        slot, since = divmod(second, slot_s)
        begin = int(noise.unit(key + 1, slot) * (slot_s - length_s))
        on = noise.unit(key, slot) < chance and begin <= since < begin + length_s
        return power_w * (1 + 0.004 * noise.jitter(key + 2, second)) if on else 0.0

    return power


def sunshine(key: int, peak_w: float) -> Callable[[int], float]:
    """A solar inverter: a bell from 6 to 18 h UTC, with clouds; negative, because it feeds in."""

    def power(second: int) -> float:
        height = sin(pi * ((second % 86400) / 3600 - 6) / 12)
        clouds = 0.75 + 0.2 * noise.drift(key, second, 240) + 0.05 * noise.drift(key + 1, second, 25)
        return -peak_w * max(0.0, height) * clouds

    return power


def appliances_of(seed: int, pv_w: float) -> list[Appliance]:
    """The furniture of a house."""

    def key(name: str) -> int:
        return noise.key_of(seed, name)

    return [
        Appliance("standby", "a", standby(key("standby a"), 160), pf=-0.82),
        Appliance("standby", "b", standby(key("standby b"), 75), pf=-0.68),
        Appliance("standby", "c", standby(key("standby c"), 45), pf=-0.6),
        Appliance("fridge", "a", cycling(key("fridge"), 95, 2400, 0.35, inrush=6), pf=0.72),
        Appliance("freezer", "b", cycling(key("freezer"), 110, 3000, 0.3, inrush=6), pf=0.7),
        Appliance("kettle", "a", sometimes(key("kettle"), 2050, 3600, 0.4, 170)),
        Appliance("oven", "b", sometimes(key("oven"), 2400, 14400, 0.3, 2700), pf=0.99),
        Appliance("washing machine", "c", sometimes(key("washing machine"), 1950, 10800, 0.35, 1500), pf=0.97),
        *(Appliance("heat pump", p, cycling(key("heat pump"), 620, 2700, 0.55, inrush=1.6), pf=0.93) for p in PHASES),
        *(Appliance("solar", p, sunshine(key("solar"), pv_w / 3), pf=0.995) for p in PHASES),
    ]


type Loads = dict[tuple[str, Phase], Appliance]


class House:
    """Appliances on three phases. Several devices may live in one house: meters see what relays switch."""

    def __init__(self, seed: int = 1, *, pv_w: float = 6000.0, furnished: bool = True) -> None:
        self._key = noise.key_of(seed, "grid")
        self._furniture = appliances_of(seed, pv_w) if furnished else []
        self._changed_at = [-inf]
        self._extra: list[Loads] = [{}]
        self._dropped = 0
        self._cache: tuple[tuple[int, int], dict[Phase, Flow]] = ((0, -1), {})
        self.before_change: list[Callable[[float], None]] = []

    def set_load(self, phase: Phase, name: str, power_w: float, pf: float = 1.0, *, at: float) -> None:
        """Add, replace or (with 0 W) remove a named load, after every meter has counted what flowed until then."""
        for count in self.before_change:
            count(at)
        loads = {key: load for key, load in self._extra[-1].items() if key != (name, phase)}
        if power_w:
            loads[name, phase] = Appliance(name, phase, lambda _: power_w, pf)
        self._changed_at.append(at)
        self._extra.append(loads)
        if len(self._extra) > 2 * KEPT_CHANGES:
            del self._changed_at[:KEPT_CHANGES], self._extra[:KEPT_CHANGES]
            self._dropped += KEPT_CHANGES

    def flows(self, ts: float) -> dict[Phase, Flow]:
        """What flows at a true time, now or in the past; constant during a second as long as no load changes."""
        change = max(0, bisect_right(self._changed_at, ts) - 1)
        key = (floor(ts), self._dropped + change)
        if self._cache[0] != key:
            self._cache = (key, {phase: self._flow(phase, key[0], self._extra[change]) for phase in PHASES})
        return self._cache[1]

    def _flow(self, phase: Phase, second: int, extra: Loads) -> Flow:
        power_w = reactive_var = 0.0
        for appliance in (*self._furniture, *extra.values()):
            if appliance.phase == phase:
                watts = appliance.power_w(second)
                power_w += watts
                reactive_var += appliance.reactive_var(watts)
        key = self._key + ord(phase)
        idle_v = 231.5 + 2.2 * noise.drift(key, second, 700) + 0.08 * noise.jitter(key, second)
        freq_hz = 50 + 0.04 * noise.drift(self._key, second, 45)
        return Flow(idle_v - LINE_OHM * power_w / idle_v, power_w, reactive_var, freq_hz)


def neutral_a(flows: dict[Phase, Flow]) -> float:
    """Current in the neutral: what three currents 120 degrees apart leave over."""
    total = 0j
    for turn, phase in enumerate(PHASES):
        flow = flows[phase]
        if flow.voltage_v:
            current = complex(flow.power_w, -flow.reactive_var) / flow.voltage_v
            total += current * complex(cos(2 * pi * turn / 3), -sin(2 * pi * turn / 3))
    return abs(total)
