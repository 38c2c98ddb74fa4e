"""What feeding Home Assistant cost each rival, side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import nan
from statistics import median, quantiles
from typing import Any

from tests.benchmarks.latency import Latencies, Span
from tests.benchmarks.process_cpu import CpuTime
from tests.benchmarks.report import Section, Target
from tests.benchmarks.rivals import Rival, Shown
from tests.stack.processes import StackError

TARGET_CPU = 0.7
TARGET_P99_MS = 50.0
MOST_SILENT = 0.02
"""Share of notifications that may change no state; more of them, and states were too late to be matched."""


@dataclass(slots=True, kw_only=True)
class Window:
    """Some seconds of Home Assistant: its CPU, the broker's, notifications sent and states written."""

    seconds: float
    cpu: CpuTime
    broker_s: float
    updates: int = 0
    states: int = 0


@dataclass(slots=True, kw_only=True)
class Feed:
    """All that was measured of one rival."""

    rival: Rival
    idle: Window
    windows: list[Window] = field(default_factory=list)
    entities: int = 0
    seconds: list[float] = field(default_factory=list)
    calm: list[float] = field(default_factory=list)
    silent: int = 0
    pauses: list[Span] = field(default_factory=list)

    def add(self, shown: Sequence[Shown], latencies: Latencies, pauses: Sequence[Span]) -> None:
        """Add a block's latencies; StackError when too many notifications showed nothing."""
        self.entities = len(shown)
        self.seconds += latencies.seconds
        self.calm += latencies.calm
        self.silent += latencies.silent
        self.pauses += pauses
        if len(latencies.seconds) < 2 or latencies.silent > MOST_SILENT * len(latencies.seconds):
            raise StackError(
                f"{self.rival.name}: {latencies.silent} notifications changed no state, {len(latencies.seconds)} states"
                " were matched: Home Assistant does not keep up, or the devices do not reach it"
            )

    def per_update_us(self, part: Callable[[CpuTime], float]) -> float:
        """Return the median over the windows of a part of the CPU time per notification, idle share taken off."""
        return median(self._all_per_update_us(part))

    def spread_us(self) -> tuple[float, float]:
        """Return the least and the most CPU per notification of any window."""
        every = self._all_per_update_us(total)
        return min(every), max(every)

    def pauses_per_minute(self) -> float:
        """Return how often a full garbage collection stopped Home Assistant."""
        return len(self.pauses) / sum(window.seconds for window in self.windows) * 60

    def per_update(self, amount: Callable[[Window], float]) -> float:
        """Return the median over the windows of an amount per notification."""
        return median(amount(window) / window.updates for window in self.windows)

    def load(self) -> float:
        """Return the median share of one processor that Home Assistant used, idle share included."""
        return median(window.cpu.total_s / window.seconds for window in self.windows)

    def _all_per_update_us(self, part: Callable[[CpuTime], float]) -> list[float]:
        idle = part(self.idle.cpu) / self.idle.seconds
        return [(part(window.cpu) - idle * window.seconds) / window.updates * 1e6 for window in self.windows]


def total(cpu: CpuTime) -> float:
    """All threads."""
    return cpu.total_s


def percentile_ms(seconds: Sequence[float], percent: int) -> float:
    """Return a percentile of times from notification to state; not a number where there are none."""
    return quantiles(seconds, n=100)[percent - 1] * 1e3 if len(seconds) > 1 else nan


METRICS: Sequence[tuple[str, Callable[[Feed], float], str]] = (
    ("CPU per notification, µs (median window)", lambda feed: feed.per_update_us(total), ".0f"),
    ("  of it event loop", lambda feed: feed.per_update_us(lambda cpu: cpu.main_s), ".0f"),
    ("  of it recorder", lambda feed: feed.per_update_us(lambda cpu: cpu.recorder_s), ".0f"),
    ("  least window", lambda feed: feed.spread_us()[0], ".0f"),
    ("  greatest window", lambda feed: feed.spread_us()[1], ".0f"),
    ("latency median, ms", lambda feed: percentile_ms(feed.seconds, 50), ".2f"),
    ("latency p99, ms", lambda feed: percentile_ms(feed.seconds, 99), ".2f"),
    ("  outside full garbage collections", lambda feed: percentile_ms(feed.calm, 99), ".2f"),
    ("latency greatest, ms", lambda feed: max(feed.seconds) * 1e3, ".2f"),
    ("full garbage collections a minute", Feed.pauses_per_minute, ".1f"),
    ("  longest, ms", lambda feed: max((end - begin for begin, end in feed.pauses), default=0.0) * 1e3, ".0f"),
    ("states written per notification", lambda feed: feed.per_update(lambda window: window.states), ".2f"),
    ("broker's CPU per notification, µs", lambda feed: feed.per_update(lambda window: window.broker_s * 1e6), ".0f"),
    ("Home Assistant's load, % of one processor", lambda feed: feed.load() * 100, ".1f"),
    ("  idle, without devices", lambda feed: feed.idle.cpu.total_s / feed.idle.seconds * 100, ".1f"),
    ("entities enabled", lambda feed: feed.entities, ".0f"),
    ("notifications measured", lambda feed: sum(window.updates for window in feed.windows), ".0f"),
    ("  without a state", lambda feed: feed.silent, ".0f"),
)


def section(ours: Feed, core: Feed, *, plan_text: str) -> Section:
    """Compare the two."""
    rows = []
    data: dict[str, Any] = {"plan": plan_text, ours.rival.name: {}, core.rival.name: {}}
    for name, metric, form in METRICS:
        own, other = metric(ours), metric(core)
        rows.append((name, f"{own:{form}}", f"{other:{form}}", f"{own / other:.2f}" if other else ""))
        data[ours.rival.name][name.strip()], data[core.rival.name][name.strip()] = own, other
    ratio = ours.per_update_us(total) / core.per_update_us(total)
    return Section(
        name="home-assistant",
        header=("", ours.rival.name, core.rival.name, "ratio"),
        rows=rows,
        remarks=(
            plan_text,
            "From CPU per notification the idle share, of a Home Assistant without devices, is taken off.",
        ),
        targets=(
            Target(what="CPU per notification to that of core's", value=ratio, limit=TARGET_CPU),
            Target(what="latency p99, ms", value=percentile_ms(ours.seconds, 99), limit=TARGET_P99_MS),
        ),
        data=data,
    )
