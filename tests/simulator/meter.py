"""Metering of three phases: power to exact energy, one record a minute, and when a reading is worth telling."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor, inf

from tests.simulator import noise
from tests.simulator.clock import DeviceClock
from tests.simulator.house import PHASES, Flow, House, Phase, neutral_a
from tests.simulator.ledger import MINUTE_S, Ledger

KEPT_RECORDS = 60 * 24 * 60
"""Sixty days of minutes, as the product page says."""
KEPT_SAVES = 60 * 24 * 7
RESIDUAL_A = 0.027
"""What a current input shows when nothing is connected to the voltage input beside it."""
FUNDAMENTAL = 0.9992
"""Share of the energy in the fundamental wave."""


@dataclass(slots=True)
class Counters:
    """Perpetual counters of one phase, Wh, exact."""

    act_wh: float = 0.0
    ret_wh: float = 0.0


@dataclass(slots=True)
class Spread:
    """Largest, smallest and time-weighted mean of a quantity."""

    most: float = -inf
    least: float = inf
    area: float = 0.0
    seconds: float = 0.0

    def add(self, value: float, seconds: float) -> None:
        """A value that lasted some seconds."""
        self.most = max(self.most, value)
        self.least = min(self.least, value)
        self.area += value * seconds
        self.seconds += seconds

    @property
    def mean(self) -> float:
        """Time-weighted mean."""
        return self.area / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class PhaseMinute:
    """One phase during one minute."""

    act_wh: float = 0.0
    ret_wh: float = 0.0
    lag_varh: float = 0.0
    lead_varh: float = 0.0
    power: Spread = field(default_factory=Spread)
    apparent: Spread = field(default_factory=Spread)
    voltage: Spread = field(default_factory=Spread)
    current: Spread = field(default_factory=Spread)

    def add(self, flow: Flow, current_a: float, seconds: float) -> tuple[float, float]:
        """Count a constant flow; returns the Wh drawn and fed in."""
        hours = seconds / 3600
        drawn, fed = max(0.0, flow.power_w) * hours, max(0.0, -flow.power_w) * hours
        self.act_wh += drawn
        self.ret_wh += fed
        self.lag_varh += max(0.0, flow.reactive_var) * hours
        self.lead_varh += max(0.0, -flow.reactive_var) * hours
        self.power.add(flow.power_w, seconds)
        self.apparent.add(flow.apparent_va, seconds)
        self.voltage.add(flow.voltage_v, seconds)
        self.current.add(current_a, seconds)
        return drawn, fed


@dataclass(slots=True)
class Record:
    """One minute of the device's history: `ts` is its start by the device's clock."""

    ts: int
    phases: dict[Phase, PhaseMinute] = field(default_factory=lambda: {phase: PhaseMinute() for phase in PHASES})
    neutral: Spread = field(default_factory=Spread)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the meter measures in one second."""

    flows: dict[Phase, Flow]
    currents_a: dict[Phase, float]
    neutral_a: float


DEAD = Flow(0.0, 0.0, 0.0, 0.0)


class Meter:
    """Three current transformers on the phases of a house.

    `advance(now)` integrates to a true time; `closed(record)` is called at each minute of the device's clock. Perpetual
    counters are saved once a minute; a status tells what was saved (EMData documentation: one change a minute).
    """

    def __init__(
        self,
        house: House,
        clock: DeviceClock,
        ledger: Ledger,
        *,
        now: float,
        unwired: frozenset[str] = frozenset(),
        neutral_ct: bool = False,
    ) -> None:
        self._house = house
        self._clock = clock
        self._ledger = ledger
        self._at = now
        self._record = Record(self._minute(now))
        self.unwired = unwired
        self.neutral_ct = neutral_ct
        self.closed: Callable[[Record], None] = lambda _: None
        self.exact = {phase: Counters() for phase in PHASES}
        self.saved = {phase: Counters() for phase in PHASES}
        self.saves: deque[tuple[float, dict[Phase, Counters]]] = deque(maxlen=KEPT_SAVES)
        self.records: deque[Record] = deque(maxlen=KEPT_RECORDS)
        self.powered = True
        self._save()

    def reading(self, ts: float) -> Reading:
        """What is measured at a true time (constant during a whole second unless a load changes)."""
        second = floor(ts)
        flows = {phase: DEAD if phase in self.unwired else flow for phase, flow in self._house.flows(ts).items()}
        currents = {
            phase: RESIDUAL_A + 0.0012 * noise.jitter(ord(phase), second) if phase in self.unwired else flow.current_a
            for phase, flow in flows.items()
        }
        neutral = neutral_a(flows) if self.neutral_ct else RESIDUAL_A + 0.001 * noise.jitter(110, second)
        return Reading(flows, currents, neutral)

    def saved_at(self, ts: float) -> dict[Phase, Counters]:
        """The counters that a status told at a true time; the oldest known ones before that."""
        return next((saved for at, saved in reversed(self.saves) if at <= ts), self.saves[0][1])

    def advance(self, now: float) -> None:
        """Count everything that flowed up to a true time."""
        if not self.powered:
            self._at = max(self._at, now)
            return
        while self._at < now:
            minute = self._minute(self._at)
            if minute != self._record.ts:
                self._close(minute)
            end = min(now, floor(self._at) + 1.0, minute + MINUTE_S - self._clock.offset)
            self._count(self._at, end - self._at)
            self._at = end
        if self._minute(now) != self._record.ts:
            self._close(self._minute(now))
        self._publish()

    def reset(self, phases: tuple[Phase, ...] = PHASES) -> None:
        """Perpetual counters back to zero; records stay."""
        self.exact |= {phase: Counters() for phase in phases}
        self._save()

    def preset(self, counters: dict[Phase, Counters]) -> None:
        """Start as a device that has been counting for a while."""
        self.exact = {phase: Counters(c.act_wh, c.ret_wh) for phase, c in counters.items()}
        self._save()

    def lose(self, now: float) -> None:
        """A power cut: the minute in progress is in no counter and no record."""
        self.advance(now)
        self.powered = False
        self._record = Record(self._record.ts)
        self.exact = {phase: Counters(c.act_wh, c.ret_wh) for phase, c in self.saved.items()}
        self._ledger.energy_lost()
        self._publish()

    def pause(self, now: float) -> None:
        """A clean restart begins: counters are saved, nothing is measured until `resume`."""
        self.advance(now)
        self.powered = False
        self._save()

    def resume(self, now: float) -> None:
        """Measure again. A minute that a clean restart interrupted goes on, or becomes a record if it is over."""
        if not self.powered:
            self._at, self.powered = now, True

    def _count(self, ts: float, seconds: float) -> None:
        reading = self.reading(ts)
        for phase, flow in reading.flows.items():
            drawn, fed = self._record.phases[phase].add(flow, reading.currents_a[phase], seconds)
            self.exact[phase].act_wh += drawn
            self.exact[phase].ret_wh += fed
            self._ledger.energy(phase, ts, drawn, fed)
        self._record.neutral.add(reading.neutral_a, seconds)

    def _close(self, minute: int) -> None:
        record, self._record = self._record, Record(minute)
        self._save()
        if record.neutral.seconds:
            self.records.append(record)
            self.closed(record)

    def _save(self) -> None:
        self.saved = {phase: Counters(c.act_wh, c.ret_wh) for phase, c in self.exact.items()}
        self.saves.append((self._at, self.saved))
        self._ledger.energy_saved()
        self._publish()

    def _publish(self) -> None:
        self._ledger.counters = {phase: {"act_wh": c.act_wh, "ret_wh": c.ret_wh} for phase, c in self.exact.items()}

    def _minute(self, ts: float) -> int:
        return floor((self._clock.at(ts) + 1e-6) / MINUTE_S) * MINUTE_S


def totals(reading: Reading) -> tuple[float, float, float]:
    """Current (neutral excluded), active and apparent power of all phases: own sums, not sums of rounded phases."""
    flows = reading.flows.values()
    return sum(reading.currents_a.values()), sum(f.power_w for f in flows), sum(f.apparent_va for f in flows)


def noteworthy(told: Flow, now: Flow) -> bool:
    """Whether a phase changed enough to be told at once: 10 W, 1 V, 0.05 A, pf 0.01, or 5 % if more (device page)."""
    pairs = (
        (told.power_w, now.power_w, 10.0),
        (told.voltage_v, now.voltage_v, 1.0),
        (told.current_a, now.current_a, 0.05),
        (told.pf, now.pf, 0.01),
    )
    return any(abs(new - old) >= max(least, 0.05 * abs(old)) for old, new, least in pairs)
