"""What the exporter takes in, what that costs, how long it takes, and how fast it makes up for an outage."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import exporter_latency, exporter_load, exporter_rates
from tests.benchmarks.exporter_latency import Latency, percentile
from tests.benchmarks.exporter_load import CatchUp, Load
from tests.benchmarks.exporter_rates import Rate
from tests.benchmarks.exporter_stage import raise_stage
from tests.benchmarks.report import Section, Target
from tests.demo.printing import step
from tests.stack.processes import StackError

LATENCY_DEVICES = 100
"""That tell a reading a second each."""
TARGET_TO_PAHO = 2.0
"""The exporter takes at least half of what a bare loop receives."""
TARGET_MESSAGE_US = 1e6 / 12_000
TARGET_CPU_US = 70.0
TARGET_SHARE = 10.0
TARGET_MIB = 120.0
TARGET_CATCH_UP = 0.1
"""A tenth of the time in which the readings came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    quick: bool
    devices: int
    """That are blasted, with `messages` a round."""
    messages: int
    rounds: int
    latency_s: float
    loads: tuple[int, ...]
    load_s: float
    outage: tuple[int, int]
    """Devices, and seconds of theirs."""
    instances: tuple[int, ...]
    shared: int
    """Messages for the instances of a group."""
    limit_s: float


FULL = Plan(
    quick=False,
    devices=200,
    messages=200_000,
    rounds=3,
    latency_s=60.0,
    loads=(10, 100, 1000),
    load_s=60.0,
    outage=(1000, 60),
    instances=(1, 2, 4),
    shared=100_000,
    limit_s=1200.0,
)
QUICK = Plan(
    quick=True,
    devices=50,
    messages=10_000,
    rounds=1,
    latency_s=3.0,
    loads=(10,),
    load_s=3.0,
    outage=(100, 60),
    instances=(2,),
    shared=10_000,
    limit_s=180.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Blasts in turn, each round at all of them."""

    exporter: list[Rate]
    bare: list[Rate]
    paho: list[Rate]
    mosquitto_sub: list[Rate]


async def benchmark(*, quick: bool) -> Section:
    """Measure and return the section of the report; StackError when something does not start, or a reading is lost."""
    plan = QUICK if quick else FULL
    try:
        async with asyncio.timeout(plan.limit_s):
            with tempfile.TemporaryDirectory(prefix="shelly-exporter-", ignore_cleanup_errors=True) as name:
                return await _measure(plan, Path(name))
    except TimeoutError as error:
        raise StackError(f"Not measured within {plan.limit_s:g} s: stop what else uses this machine") from error


async def _measure(plan: Plan, directory: Path) -> Section:
    async with step(f"{plan.messages} messages, {plan.rounds} times: exporter, bare loops, mosquitto_sub"):
        throughput = await _throughput(plan, directory / "throughput")
    async with (
        step(f"{LATENCY_DEVICES} messages a second for {plan.latency_s:g} s: how long each takes"),
        raise_stage(directory / "latency", LATENCY_DEVICES) as stage,
    ):
        latency = await exporter_latency.measure(stage, plan.latency_s)
    loads = []
    for devices in plan.loads:
        async with step(f"{devices} devices report once a second"):
            loads.append(await exporter_load.load(directory / f"load-{devices}", devices, plan.load_s))
    devices, seconds = plan.outage
    async with step(f"the store is away while {devices} devices report for {seconds} s"):
        caught_up = await exporter_load.catch_up(directory / "outage", devices, seconds)
    groups = {}
    for instances in plan.instances:
        async with step(f"{instances} exporters share {plan.shared} messages"):
            place = directory / f"group-{instances}"
            groups[instances] = await exporter_load.group(place, plan.devices, instances, plan.shared)
    return _section(plan, throughput, latency, loads, caught_up, groups)


async def _throughput(plan: Plan, directory: Path) -> Throughput:
    found = Throughput(exporter=[], bare=[], paho=[], mosquitto_sub=[])
    async with raise_stage(directory, plan.devices) as stage:
        exporter = stage.exporter("exporter")
        async with exporter:
            await stage.introduce([exporter])
            await stage.all_stored()
            for _ in range(plan.rounds):
                found.exporter.append(await exporter_rates.through(stage, [exporter], plan.messages))
    # Each alone with the broker: what nobody else is sent costs it nothing.
    async with raise_stage(directory / "receivers", plan.devices) as stage:
        for _ in range(plan.rounds):
            found.bare.append(await exporter_rates.bare(stage, plan.messages))
            found.paho.append(await exporter_rates.bare(stage, plan.messages, paho=True))
            found.mosquitto_sub.append(await exporter_rates.mosquitto_sub(stage, plan.messages))
    return found


def _section(
    plan: Plan,
    throughput: Throughput,
    latency: Latency,
    loads: Sequence[Load],
    caught_up: CatchUp,
    groups: Mapping[int, Rate],
) -> Section:
    ours = median(rate.per_s for rate in throughput.exporter)
    rows = [
        *_rate_rows(throughput, ours),
        *_latency_rows(latency),
        *_load_rows(loads),
        [f"catch-up of {caught_up.readings} readings, readings/s", _short(caught_up.readings / caught_up.emptied_s)],
        ["… until the exporter found the store again, s", _short(caught_up.found_s)],
        *([f"{count} in a group: messages/s", _short(rate.per_s)] for count, rate in groups.items()),
    ]
    return Section(
        name="exporter",
        header=("", "", "to the exporter"),
        rows=[[*row, ""][:3] for row in rows],
        remarks=(
            f"{plan.devices} Pro 3EM, readings of em:0 as bytes, QoS 1; a rate is the median of {plan.rounds} rounds.",
            "After each blast all readings were in the store, each once: three phases and the whole.",
            "Everything shares the processors: broker, store, devices and exporters.",
        ),
        targets=_targets(throughput, ours, loads, caught_up, plan),
        data=_data(plan, throughput, latency, loads, caught_up, groups),
    )


def _rate_rows(throughput: Throughput, ours: float) -> list[list[str]]:
    exporter = throughput.exporter
    received = {
        "exporter's MQTT client alone: messages/s": throughput.bare,
        "paho alone: messages/s": throughput.paho,
        "mosquitto_sub: messages/s": throughput.mosquitto_sub,
    }
    return [
        ["MQTT to InfluxDB: messages/s", _short(ours), "1"],
        ["… MQTT to disk: messages/s", _short(median(rate.durable_per_s for rate in exporter))],
        ["… exporter's CPU per message, µs", _short(median(rate.cpu_us or 0.0 for rate in exporter))],
        ["… broker's CPU per message, µs", _short(median(rate.broker_us or 0.0 for rate in exporter))],
        ["… store's CPU per message, µs", _short(median(rate.store_us or 0.0 for rate in exporter))],
        *(
            [what, _short(rate := median(round_.per_s for round_ in rounds)), _short(rate / ours)]
            for what, rounds in received.items()
        ),
    ]


def _latency_rows(latency: Latency) -> list[list[str]]:
    return [
        [f"{LATENCY_DEVICES} messages/s, received to {where}: {name}, ms", _short(percentile(values, percent) * 1e3)]
        for where, values in (("durable", latency.durable), ("queryable", latency.queryable))
        for name, percent in (("median", 50), ("p99", 99))
    ]


def _load_rows(loads: Sequence[Load]) -> list[list[str]]:
    return [
        row
        for load in loads
        for row in (
            [f"{load.devices} devices at 1 Hz: CPU, % of one processor", _short(load.cpu_share * 100)],
            [f"{load.devices} devices at 1 Hz: memory, MiB", _short(load.memory_mib)],
        )
    ]


def _targets(
    throughput: Throughput, ours: float, loads: Sequence[Load], caught_up: CatchUp, plan: Plan
) -> Sequence[Target]:
    most = max(loads, key=lambda load: load.devices)
    paho, bare = (median(rate.per_s for rate in rounds) / ours for rounds in (throughput.paho, throughput.bare))
    return (
        Target(what="paho's bare receive loop to MQTT-to-InfluxDB", value=paho, limit=TARGET_TO_PAHO),
        Target(what="the exporter's own bare receive loop to MQTT-to-InfluxDB", value=bare, limit=TARGET_TO_PAHO),
        Target(what="time per message, MQTT to InfluxDB", value=1e6 / ours, limit=TARGET_MESSAGE_US, unit=" µs"),
        Target(
            what="CPU per message",
            value=median(rate.cpu_us or 0.0 for rate in throughput.exporter),
            limit=TARGET_CPU_US,
            unit=" µs",
        ),
        Target(what=f"{most.devices} devices: CPU", value=most.cpu_share * 100, limit=TARGET_SHARE, unit=" %"),
        Target(what=f"{most.devices} devices: memory at most", value=most.most_mib, limit=TARGET_MIB, unit=" MiB"),
        Target(what="catch-up, to real time", value=caught_up.emptied_s / plan.outage[1], limit=TARGET_CATCH_UP),
    )


def _data(
    plan: Plan,
    throughput: Throughput,
    latency: Latency,
    loads: Sequence[Load],
    caught_up: CatchUp,
    groups: Mapping[int, Rate],
) -> dict[str, Any]:
    return {
        "plan": asdict(plan),
        "throughput": asdict(throughput),
        "latency": asdict(latency),
        "loads": [asdict(load) for load in loads],
        "catch_up": asdict(caught_up),
        "groups": {str(instances): asdict(rate) for instances, rate in groups.items()},
    }


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"
