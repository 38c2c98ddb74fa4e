"""How soon a fault on the way to a device is found out and over, and what that costs with many devices."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import crowd, faults
from tests.benchmarks.client_memory import bytes_per_client
from tests.benchmarks.crowd import Blocked, CrowdPlan, CrowdReport
from tests.benchmarks.faults import Cost, Faults
from tests.benchmarks.report import Section, Target
from tests.demo.printing import step
from tests.stack.fleet import DeviceSpec
from tests.stack.loop_watch_client import LOOP_WATCH, LOOP_WATCH_SETTINGS, loop_report
from tests.stack.processes import StackError
from tests.stack.stage import Stage, raise_stage

TARGET_LOST_S = 2.0
TARGET_SILENT_S = 23.1
"""20 s of silence, 3 s for the probe, a tenth for the poll itself."""
TARGET_BACK_S = 75.0
TARGET_BLOCKED_MS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured. Each of the `pairs` is a meter and a relay device, in one Home Assistant."""

    quick: bool
    pairs: int
    rounds: int
    crowd: CrowdPlan
    clients: int
    limit_s: float


FULL = Plan(
    quick=False,
    pairs=4,
    rounds=3,
    crowd=CrowdPlan(devices=100, restarts=3, down_s=20.0, settle_s=20.0),
    clients=1000,
    limit_s=1500.0,
)
QUICK = Plan(
    quick=True,
    pairs=2,
    rounds=1,
    crowd=CrowdPlan(devices=20, restarts=1, down_s=12.0, settle_s=4.0),
    clients=100,
    limit_s=600.0,
)


async def benchmark(*, quick: bool) -> Section:
    """Measure and return the section of the report; StackError when something does not start or is never found out."""
    plan = QUICK if quick else FULL
    client_bytes = await bytes_per_client(plan.clients)
    try:
        async with asyncio.timeout(plan.limit_s):
            async with _stage(faults.specs(plan.pairs)) as stage:
                costs = await _measure_faults(stage, plan)
            async with _stage(crowd.specs(plan.crowd.devices)) as stage:
                many = await _measure_crowd(stage, plan.crowd)
    except TimeoutError as error:
        raise StackError(f"Not measured within {plan.limit_s:g} s: stop what else uses this machine") from error
    return _section(plan, costs, many, client_bytes)


@contextlib.asynccontextmanager
async def _stage(specs: Sequence[DeviceSpec]) -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="shelly-pro-benchmark-", ignore_cleanup_errors=True) as name:
        async with raise_stage(
            Path(name),
            specs,
            report=step,
            settings={"recorder": None, **LOOP_WATCH_SETTINGS},
            custom_components=[LOOP_WATCH],
        ) as stage:
            yield stage


async def _measure_faults(stage: Stage, plan: Plan) -> Faults:
    async with step(f"{plan.pairs} pairs of meter and relays: each fault"):
        for device in stage.fleet.devices:
            await stage.add_device(device)
        await loop_report(stage.client, reset=True)
        measured = await Faults.of(stage)
        await measured.measure(plan.rounds, quick=plan.quick)
    return measured


async def _measure_crowd(stage: Stage, plan: CrowdPlan) -> CrowdReport:
    async with step(f"{plan.devices} devices: added, then {plan.restarts} restarts of the broker"):
        return await crowd.measure(stage, plan)


def _section(plan: Plan, costs: Faults, many: CrowdReport, client_bytes: float) -> Section:
    figures = {f"{cost}, s": costs.samples[cost] for cost in Cost if costs.samples[cost]}
    figures |= _crowd_figures(many)
    figures["memory of one Client of shelly_core with a meter, KiB"] = [client_bytes / 1024]
    return Section(
        name="outage",
        header=("", "median", "worst", "of"),
        rows=[(what, _short(median(seen)), _short(max(seen)), str(len(seen))) for what, seen in figures.items()],
        remarks=(
            f"{plan.pairs} pairs of Pro 3EM (a report a second) and Pro 3; recorder on with its defaults.",
            f"{many.devices} devices, half and half, {many.entities} entities, were added in {many.added_s:.0f} s.",
            f"While only HTTP was cut, {len(costs.disturbed)} devices left MQTT or became unavailable.",
            f"Most HTTP requests in flight at one device at a time: {many.in_flight_max}.",
        ),
        targets=_targets(costs.samples, many),
        data=_data(plan, costs, many, client_bytes),
    )


def _targets(seconds: Mapping[Cost, Sequence[float]], many: CrowdReport) -> Sequence[Target]:
    """Compare the worst of all with what was promised."""
    lost = max(*seconds[Cost.KILLED_METER], *seconds[Cost.KILLED_RELAYS])
    silent = max(*seconds[Cost.SILENT_METER], *seconds[Cost.HUNG_METER])
    back = max(*seconds[Cost.BROKER_BACK], *(restart.back_s for restart in many.restarts))
    blocked = max(b.without_collections_s for restart in many.restarts for b in (restart.lost, restart.back))
    return (
        Target(what="broker killed: first reading over HTTP, worst", value=lost, limit=TARGET_LOST_S, unit=" s"),
        Target(what="meter silent: first reading over HTTP, worst", value=silent, limit=TARGET_SILENT_S, unit=" s"),
        Target(what="broker back: on MQTT again, worst", value=back, limit=TARGET_BACK_S, unit=" s"),
        Target(
            what="broker restart: event loop blocked, garbage collections taken off, worst",
            value=blocked * 1e3,
            limit=TARGET_BLOCKED_MS,
            unit=" ms",
        ),
    )


def _crowd_figures(many: CrowdReport) -> dict[str, list[float]]:
    n, restarts = many.devices, many.restarts
    return {
        **_blocked_figures(f"{n} devices, calm", [many.calm.blocked]),
        f"{n} devices, calm: CPU, % of one processor": [many.calm.cpu_share * 100],
        **_blocked_figures(f"{n} devices, broker lost", [restart.lost for restart in restarts]),
        **_blocked_figures(f"{n} devices, broker back", [restart.back for restart in restarts]),
        f"{n} devices, broker down: CPU, % of one processor": [r.cpu_share * 100 for r in restarts],
        f"{n} devices, broker down: HTTP polls per second": [r.polls_per_s() for r in restarts],
        f"{n} devices, broker down: HTTP polls in one second at most": [r.most_polls_in_a_second() for r in restarts],
        f"{n} devices, broker down: time over which first polls spread, s": [r.first_span_s() for r in restarts],
        f"{n} devices, broker down: first polls within 0.2 s at most": [r.most_together() for r in restarts],
        f"{n} devices, broker back: all on MQTT again, s": [r.back_s for r in restarts],
        "memory of Home Assistant per device, KiB": [(many.rss_after - many.rss_before) / n / 1024],
        "memory of Home Assistant before, MiB": [many.rss_before / 2**20],
    }


def _blocked_figures(when: str, blocked: Sequence[Blocked]) -> dict[str, list[float]]:
    return {
        f"{when}: event loop blocked at most, ms": [b.worst_s * 1e3 for b in blocked],
        f"{when}: the same without garbage collections, ms": [b.without_collections_s * 1e3 for b in blocked],
    }


def _short(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _data(plan: Plan, costs: Faults, many: CrowdReport, client_bytes: float) -> dict[str, Any]:
    return {
        "plan": asdict(plan),
        "seconds": {str(cost): samples for cost, samples in costs.samples.items()},
        "disturbed": sorted(costs.disturbed),
        "crowd": asdict(many),
        "bytes_per_client": client_bytes,
    }
