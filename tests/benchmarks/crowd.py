"""Many devices in one Home Assistant: what they weigh, and what a restart of the broker costs with all of them."""

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Self

from tests.benchmarks.process_cpu import CpuTime
from tests.stack.fleet import DeviceSpec, SimulatedDevice
from tests.stack.loop_watch_client import SLACK_S, Block, LoopReport, loop_report
from tests.stack.processes import StackError
from tests.stack.stage import Stage

LINK = "health-active_link"
AT_ONCE = 8
BACK_S = 150.0
NARROW_S = 0.2


def specs(devices: int) -> list[DeviceSpec]:
    """Return so many devices, meters that report every second and relays in turn."""
    meter = DeviceSpec(model="pro3em", firmware="1.7.5", cadence_s=1.0)
    return [meter, DeviceSpec(model="pro3", firmware="1.7.5")] * (devices // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdPlan:
    """How many devices and restarts; the broker is down for `down_s` each time, memory is read after `settle_s`."""

    devices: int
    restarts: int
    down_s: float
    settle_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """The longest time that Home Assistant's event loop did nothing else, as it was and without garbage collections.

    What is shorter than `SLACK_S` is not noted by itself: the latter is given as that much, unless the former is less.
    `after_s` is how long after watching began the latter was; `None` if it was not noted.
    """

    worst_s: float
    without_collections_s: float
    after_s: float | None

    @classmethod
    def of(cls, report: LoopReport) -> Self:
        """Read what was noted."""
        own = [(block.seconds - _collecting_s(report, block), block.begin) for block in report.blocks]
        longest, begin = max(own, default=(0.0, 0.0))
        if longest <= SLACK_S:
            return cls(worst_s=report.worst_s, without_collections_s=min(SLACK_S, report.worst_s), after_s=None)
        return cls(worst_s=report.worst_s, without_collections_s=longest, after_s=begin - report.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm:
    """Home Assistant's event loop and share of one processor while nothing happens."""

    blocked: Blocked
    cpu_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """One restart of the broker: `lost` is while it was down, `back` from its start to the last device's return.

    `cpu_share` is of one processor, while it was down. `first_polls` are when each device was first asked for its
    status over HTTP, `later_polls` all such questions in the second half of the time `down_s`; in seconds from the
    broker's end.
    """

    lost: Blocked
    back: Blocked
    cpu_share: float
    down_s: float
    first_polls: Sequence[float]
    later_polls: Sequence[float]
    back_s: float

    def polls_per_s(self) -> float:
        """Return the mean of the later polls."""
        return len(self.later_polls) / (self.down_s / 2)

    def most_polls_in_a_second(self) -> int:
        """Return the greatest number of the later polls in one second of the clock."""
        return max(Counter(map(int, self.later_polls)).values(), default=0)

    def first_span_s(self) -> float:
        """Return the time from the first device's first question to the last one's."""
        return self.first_polls[-1] - self.first_polls[0]

    def most_together(self) -> int:
        """Return how many first questions came within `NARROW_S` at most."""
        times = self.first_polls
        return max(bisect_right(times, begin + NARROW_S) - index for index, begin in enumerate(times))


@dataclass(slots=True, kw_only=True)
class CrowdReport:
    """All that was measured; memory is what Home Assistant's process holds in RAM."""

    devices: int
    entities: int
    added_s: float
    rss_before: int
    rss_after: int
    calm: Calm
    in_flight_max: int = 0
    restarts: list[Restart] = field(default_factory=list)


async def measure(stage: Stage, plan: CrowdPlan) -> CrowdReport:
    """Add all devices of the stage and restart the broker; StackError when somebody does not come back."""
    pid = _pid(stage)
    await asyncio.sleep(plan.settle_s)
    before, begun = resident_bytes(pid), time.monotonic()
    await _add_all(stage)
    added_s = time.monotonic() - begun
    links = [entities[LINK] for entities in [await stage.entities(device) for device in stage.fleet.devices]]
    await _all_on_mqtt(stage, links)
    await asyncio.sleep(plan.settle_s)
    report = CrowdReport(
        devices=len(links),
        entities=len([e for e in await stage.client.entities("shelly_pro") if not e["disabled_by"]]),
        added_s=added_s,
        rss_before=before,
        rss_after=resident_bytes(pid),
        calm=await _stay_calm(stage, plan.down_s),
    )
    for _ in range(plan.restarts):
        report.restarts.append(await _restart(stage, links, plan.down_s))
        await asyncio.sleep(plan.settle_s / 2)
    report.in_flight_max = max([await stage.fleet.http_in_flight_max(device) for device in stage.fleet.devices])
    return report


def resident_bytes(pid: int) -> int:
    """Return how much of a process is in RAM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise StackError(f"Process {pid} does not tell its memory: it has ended")


def _collecting_s(report: LoopReport, block: Block) -> float:
    overlaps = (min(block.end, c.end) - max(block.begin, c.begin) for c in report.collections)
    return sum(overlap for overlap in overlaps if overlap > 0)


async def _add_all(stage: Stage) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def add(device: SimulatedDevice) -> None:
        async with turns:
            await stage.add_device(device)

    await asyncio.gather(*map(add, stage.fleet.devices))


async def _all_on_mqtt(stage: Stage, links: Sequence[str]) -> float:
    states = stage.client.states
    what = "Every device is on MQTT"
    return await stage.client.wait_for(lambda: all(states[e].state == "mqtt" for e in links), BACK_S, what)


async def _stay_calm(stage: Stage, seconds: float) -> Calm:
    await loop_report(stage.client, reset=True)
    cpu = CpuTime.of(_pid(stage))
    await asyncio.sleep(seconds)
    used = CpuTime.of(_pid(stage)).since(cpu)
    report = await loop_report(stage.client)
    return Calm(blocked=Blocked.of(report), cpu_share=used.total_s / seconds)


async def _restart(stage: Stage, links: Sequence[str], down_s: float) -> Restart:
    await loop_report(stage.client, reset=True)
    begun, cpu = time.time(), CpuTime.of(_pid(stage))
    await stage.broker.stop()
    await asyncio.sleep(down_s)
    used, measured_s = CpuTime.of(_pid(stage)).since(cpu), time.time() - begun
    lost = await loop_report(stage.client, reset=True)
    polls = await _polls(stage, begun)
    started = time.monotonic()
    await stage.broker.start()
    await _all_on_mqtt(stage, links)
    back_s = time.monotonic() - started
    return Restart(
        lost=Blocked.of(lost),
        back=Blocked.of(await loop_report(stage.client)),
        cpu_share=used.total_s / measured_s,
        down_s=down_s,
        first_polls=sorted(min(times) for times in polls),
        later_polls=sorted(at for at in chain.from_iterable(polls) if down_s / 2 <= at < down_s),
        back_s=back_s,
    )


async def _polls(stage: Stage, since: float) -> list[list[float]]:
    """Return each device's questions for the status over HTTP, in seconds after `since`; StackError without any."""
    polls = []
    for device in stage.fleet.devices:
        frames = (await stage.fleet.ledger(device, since))["frames"]
        times = [f["ts"] - since for f in frames if (f["road"], f["kind"]) == ("http", "Shelly.GetStatus")]
        if not times:
            raise StackError(f"{device.id} was not asked over HTTP while the broker was down: HTTP did not take over")
        polls.append(times)
    return polls


def _pid(stage: Stage) -> int:
    process = stage.home_assistant.process
    if process.pid is None:
        raise StackError(f"{process.name} does not run: look at {process.log}")
    return process.pid
