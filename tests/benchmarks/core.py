"""A notification of a meter in the core, next to `orjson.loads` of the same bytes and to aioshelly's handling of it."""

import gc
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from statistics import mean

import orjson

from tests.benchmarks.contestants import CLIENT, Contestant, aioshelly, core, core_client, typed_core
from tests.benchmarks.meter_frames import KEY, Meter
from tests.benchmarks.report import Section, Target
from tests.benchmarks.rounds import Contender, Timing, run_rounds

FRAMES = 1_000
ROUNDS = 150
QUICK_ROUNDS = 20
TARGET_RATIO = 4.0
TARGET_RATIO_CLIENT = 10.0
FLOOR = "orjson.loads alone"


class BrokenRunError(Exception):
    """What was timed is not the work that it should be; the figures would mean nothing."""


async def benchmark(*, quick: bool) -> Section:
    """Measure and return the section of the report; BrokenRunError when a contestant does not do its work."""
    meter = Meter()
    contestants = [core(meter), typed_core(meter), await core_client(meter), await aioshelly(meter)]
    frames = await meter.notifications(FRAMES)
    _check_frames(frames)
    for contestant in contestants:
        _check_work(contestant, frames)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    contenders = {FLOOR: Contender(take=orjson.loads, frames=frames)} | {
        contestant.name: Contender(
            take=contestant.take,
            frames=[*map(contestant.prepare, frames)],
            begin=partial(contestant.begin, _ts(frames[0])),
        )
        for contestant in contestants
    }
    before = [generation["collections"] for generation in gc.get_stats()]
    timings = run_rounds(contenders, rounds=rounds, floor=FLOOR)
    collections = [after["collections"] - was for after, was in zip(gc.get_stats(), before, strict=True)]
    return _section(timings, contestants[0].name, frames, rounds, collections)


def _ts(frame: bytes) -> float:
    return float(orjson.loads(frame)["params"]["ts"])


def _check_frames(frames: Sequence[bytes]) -> None:
    """Every notification must differ from the one before in what it measures, not only in its time."""
    readings = [orjson.loads(frame)["params"][KEY] for frame in frames]
    if any(before == after for before, after in pairwise(readings)):
        raise BrokenRunError("two notifications in a row have the same values: an overlay would have nothing to do")


def _check_work(contestant: Contestant, frames: Sequence[bytes]) -> None:
    """After each frame the contestant must show what the frame said."""
    contestant.begin(_ts(frames[0]))
    for frame in frames:
        contestant.take(contestant.prepare(frame))
        told = orjson.loads(frame)["params"][KEY]
        shown = contestant.shown()
        if any(shown[field] != value for field, value in told.items()):
            raise BrokenRunError(f"{contestant.name} does not show what {frame!r} said")


def _section(
    timings: dict[str, Timing], subject: str, frames: Sequence[bytes], rounds: int, collections: Sequence[int]
) -> Section:
    size = mean(map(len, frames))
    rows = [
        (
            name,
            f"{timing.median_us:.2f}",
            f"{timing.quartiles_us[0]:.2f} … {timing.quartiles_us[1]:.2f}",
            f"{timing.frames_per_s:,.0f}",
            f"{timing.ratio:.2f}",
        )
        for name, timing in timings.items()
    ]
    return Section(
        name="core",
        header=("per NotifyStatus of em:0", "median µs", "quartiles µs", "frames/s", "to floor"),
        rows=rows,
        remarks=(
            f"{len(frames)} frames of {size:.0f} bytes, all different; {rounds} rounds, in which each takes its turn.",
            f"Garbage collector on, as in production: {'/'.join(map(str, collections))} collections by generation.",
        ),
        targets=tuple(
            Target(what=f"{name}, to {FLOOR}", value=timings[name].ratio, limit=limit)
            for name, limit in ((subject, TARGET_RATIO), (CLIENT, TARGET_RATIO_CLIENT))
        ),
        data={
            "frame_bytes": size,
            "rounds": rounds,
            "frames_per_round": len(frames),
            "gc_collections": list(collections),
            "timings": {name: asdict(timing) for name, timing in timings.items()},
        },
    )
