"""Contenders timed in turn in one process, so that whatever slows the machine down slows all of them."""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any

WARM_UP_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`take` is called with each of `frames`, in whatever form it gets them in real life.

    Before each turn, untimed, `begin` makes it forget that it has had these frames.
    """

    take: Callable[[Any], object]
    frames: Sequence[object]
    begin: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What one contender took per frame: median and quartiles over the rounds; `ratio` to the floor, likewise.

    A ratio is taken within each round first, so that a slow second of the machine falls out of it.
    """

    median_us: float
    quartiles_us: tuple[float, float]
    ratio: float
    ratio_quartiles: tuple[float, float]

    @property
    def frames_per_s(self) -> float:
        """How many frames one core handles in a second."""
        return 1e6 / self.median_us


def run_rounds(contenders: Mapping[str, Contender], *, rounds: int, floor: str) -> dict[str, Timing]:
    """Let each contender take all its frames once a round, each round beginning with another one.

    Garbage is collected before each turn and the collector stays on during it, as in production.
    """
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(-WARM_UP_ROUNDS, rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            microseconds = _turn(contenders[name])
            if number >= 0:
                taken[name].append(microseconds)
    return {name: _timing(taken[name], taken[floor]) for name in names}


def _turn(contender: Contender) -> float:
    take, frames = contender.take, contender.frames
    contender.begin()
    gc.collect()
    begun = perf_counter_ns()
    for frame in frames:
        take(frame)
    return (perf_counter_ns() - begun) / len(frames) / 1e3


def _timing(taken: Sequence[float], floor: Sequence[float]) -> Timing:
    ratios = [own / least for own, least in zip(taken, floor, strict=True)]
    return Timing(
        median_us=median(taken),
        quartiles_us=_quartiles(taken),
        ratio=median(ratios),
        ratio_quartiles=_quartiles(ratios),
    )


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    lower, _, upper = quantiles(values, n=4)
    return lower, upper
