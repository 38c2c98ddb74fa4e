"""A Home Assistant fed by many Pro 3EM: by this integration over MQTT, and by its own `shelly` over WebSocket."""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.feed_report import Feed, Window, section
from tests.benchmarks.latency import COMPONENT, Latencies, Span, latencies
from tests.benchmarks.process_cpu import CpuTime
from tests.benchmarks.report import Section
from tests.benchmarks.rivals import Core, Ours, Rival, Shown
from tests.demo.printing import step
from tests.stack.fleet import DeviceSpec, Fleet
from tests.stack.hass_client import HassClient
from tests.stack.home_assistant import HomeAssistant
from tests.stack.mosquitto import Broker
from tests.stack.processes import Process, StackError
from tests.stack.recorder import state_times

GARBAGE_WATCH = Path(__file__).parent / "garbage_watch"
CADENCE_S = 1.0
READY_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long what is measured; `blocks` are fresh Home Assistants of each rival, in turn."""

    devices: int
    blocks: int
    windows: int
    window_s: float
    settle_s: float
    idle_s: float
    limit_s: float


# The windows of a block make up a minute: each minute has one burst of energy counters and records.
FULL = Plan(devices=50, blocks=2, windows=2, window_s=30.0, settle_s=12.0, idle_s=15.0, limit_s=600.0)
QUICK = Plan(devices=5, blocks=1, windows=2, window_s=5.0, settle_s=2.0, idle_s=4.0, limit_s=120.0)


async def benchmark(*, quick: bool) -> Section:
    """Measure and return the section of the report; StackError when something does not start or does not compare."""
    plan = QUICK if quick else FULL
    try:
        async with asyncio.timeout(plan.limit_s), _arena(plan) as arena:
            rivals: tuple[Rival, ...] = (Ours(), Core())
            feeds = {rival.name: await arena.prepare(rival) for rival in rivals}
            for number in range(plan.blocks):
                for rival in rivals:
                    async with step(f"{rival.name}: measured, {number + 1} of {plan.blocks}"):
                        await arena.measure(rival, feeds[rival.name])
    except TimeoutError as error:
        raise StackError(f"Not measured within {plan.limit_s:g} s: stop what else uses this machine") from error
    return section(*feeds.values(), plan_text=_described(plan))


@contextlib.asynccontextmanager
async def _arena(plan: Plan) -> AsyncIterator[Arena]:
    with tempfile.TemporaryDirectory(prefix="shelly-pro-benchmark-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        async with contextlib.AsyncExitStack() as running:
            broker = await running.enter_async_context(Broker(directory / "mosquitto"))
            specs = [DeviceSpec(model="pro3em", firmware="1.7.5")] * plan.devices
            options = ("--cadence", str(CADENCE_S))
            fleet = Fleet(directory / "simulator", specs, broker=broker, options=options)
            async with step(f"Mosquitto and {plan.devices} Pro 3EM"):
                await running.enter_async_context(fleet)
                await fleet.process.wait_until(fleet.connected, 30, "Every device reaches the broker")
            yield Arena(plan, directory, broker, fleet)


class Arena:
    """Broker and devices, and one Home Assistant at a time."""

    def __init__(self, plan: Plan, directory: Path, broker: Broker, fleet: Fleet) -> None:
        self._plan = plan
        self._directory = directory
        self._broker = broker
        self._fleet = fleet
        self._home_assistants: dict[str, HomeAssistant] = {}

    async def prepare(self, rival: Rival) -> Feed:
        """Measure an idle Home Assistant, then set the devices up in it and enable the entities to compare."""
        directory = self._directory / rival.domain
        home_assistant = HomeAssistant(
            directory,
            custom_components=(*rival.custom_components, GARBAGE_WATCH),
            settings={"recorder": None, GARBAGE_WATCH.name: None},
        )
        self._home_assistants[rival.name] = home_assistant
        async with home_assistant:
            async with step(f"{rival.name}: an idle Home Assistant"):
                await asyncio.sleep(self._plan.settle_s)
                idle, _ = await self._window(home_assistant, self._plan.idle_s)
            async with step(f"{rival.name}: its config flow for every device"), home_assistant.client() as client:
                await rival.add(client, self._fleet.devices, self._broker)
                await rival.check_loaded(client)
                await rival.align(client, self._fleet.devices)
        return Feed(rival=rival, idle=idle)

    async def measure(self, rival: Rival, feed: Feed) -> None:
        """Start Home Assistant afresh and add what is measured to `feed`."""
        home_assistant = self._home_assistants[rival.name]
        spans: list[Span] = []
        windows: list[Window] = []
        async with home_assistant:
            async with home_assistant.client() as client:
                shown = await rival.shown(client, self._fleet.devices)
                await _await_values(client, shown)
            await asyncio.sleep(self._plan.settle_s)
            for _ in range(self._plan.windows):
                window, span = await self._window(home_assistant, self._plan.window_s)
                windows.append(window)
                spans.append(span)
        whole = (spans[0][0], spans[-1][1])
        sent = await self._sent(rival, whole[0])
        states = state_times(home_assistant.database, whole)
        pauses = _pauses(home_assistant.directory, whole)
        feed.add(shown, _latencies(sent, states, shown, whole, pauses), pauses)
        for window, (begin, end) in zip(windows, spans, strict=True):
            window.updates = sum(begin <= ts < end for frames in sent.values() for ts, _ in frames)
            window.states = sum(begin <= ts < end for entity in shown for ts in states.get(entity.entity_id, ()))
            feed.windows.append(window)

    async def _window(self, home_assistant: HomeAssistant, seconds: float) -> tuple[Window, Span]:
        begin, before, broker = time.time(), _cpu(home_assistant.process), _cpu(self._broker.process)
        await asyncio.sleep(seconds)
        end, after = time.time(), _cpu(home_assistant.process)
        broker_s = _cpu(self._broker.process).since(broker).total_s
        return Window(seconds=end - begin, cpu=after.since(before), broker_s=broker_s), (begin, end)

    async def _sent(self, rival: Rival, since: float) -> dict[str, list[tuple[float, list[str]]]]:
        """Return, by MAC, the times and components of the NotifyStatus frames on the rival's road."""
        sent = {}
        for device in self._fleet.devices:
            ledger = await self._fleet.ledger(device, since - 2 * CADENCE_S)
            sent[device.mac] = [
                (frame["ts"], frame["components"])
                for frame in ledger["frames"]
                if frame["road"] == rival.road and frame["kind"] == "NotifyStatus"
            ]
        return sent


def _latencies(
    sent: dict[str, list[tuple[float, list[str]]]],
    states: dict[str, list[float]],
    shown: list[Shown],
    span: Span,
    pauses: list[Span],
) -> Latencies:
    frames = {mac: [ts for ts, components in told if COMPONENT in components] for mac, told in sent.items()}
    # The states of the last notifications may come after the end.
    return latencies(frames, states, shown, span=(span[0], span[1] - CADENCE_S), pauses=pauses)


def _pauses(directory: Path, span: Span) -> list[Span]:
    """Return the full garbage collections during `span`, as `garbage_watch` noted them."""
    noted: list[Span] = json.loads((directory / f"{GARBAGE_WATCH.name}.json").read_text())
    return [(begin, end) for begin, end in noted if end > span[0] and begin < span[1]]


def _cpu(process: Process) -> CpuTime:
    if process.pid is None:
        raise StackError(f"{process.name} does not run: look at {process.log}")
    return CpuTime.of(process.pid)


async def _await_values(client: HassClient, shown: list[Shown]) -> None:
    missing = {entity.entity_id for entity in shown}

    def complete() -> bool:
        known = {entity_id for entity_id in missing if entity_id in client.states and client.states[entity_id].known}
        missing.difference_update(known)
        return not missing

    await client.wait_for(complete, READY_S, "Every entity has a value")


def _described(plan: Plan) -> str:
    return (
        f"{plan.devices} Pro 3EM, a notification a second each; {plan.blocks} fresh Home Assistants of each in turn, "
        f"each {plan.windows} windows of {plan.window_s:g} s after {plan.settle_s:g} s; recorder on with its defaults."
    )
