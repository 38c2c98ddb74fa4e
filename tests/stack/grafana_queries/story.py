"""A day in the life of a house, told in seconds: what the real exporter made of it is in a real InfluxDB."""

import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.stack.exporter import exporter_account
from tests.stack.fleet import DeviceSpec, Fleet
from tests.stack.grafana_queries.data_source import DataSource
from tests.stack.grafana_queries.hurried_exporter import HurriedExporter
from tests.stack.influxdb import InfluxServer
from tests.stack.mosquitto import Broker, devices_account
from tests.stack.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.stack.fleet import SimulatedDevice

SPEED = 900.0
"""Four hours take sixteen seconds."""
CADENCE_S = 10.0
SPECS = (
    DeviceSpec(model="pro3em", firmware="1.7.5", cadence_s=CADENCE_S, house="house"),
    DeviceSpec(model="pro3", firmware="2.0.1", house="house"),
    DeviceSpec(model="pro3em-mono", firmware="1.7.5", cadence_s=CADENCE_S),
)
MINUTE_S, HOUR_S = 60.0, 3600.0
AFTER_S = 15 * MINUTE_S
EVENING_H = 22
"""The hour of the day in which the story begins, so that it has a midnight and whole hours on both sides of it."""
EVENING_HOURS = 4.0
PHASES = "abc"
CLOSE_KWH = 1e-6


@dataclass(kw_only=True)
class Story:
    """The running stack, and when what happened: all times are the simulation's, Unix seconds."""

    broker: Broker
    store: InfluxServer
    fleet: Fleet
    exporter: HurriedExporter
    zone: ZoneInfo
    begun: float
    """From when on everything was heard."""
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    """What was wrong from when to when."""
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What each device told until the first `rest`."""
    ledgers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The ledger of each device at that time."""
    first: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    """Where the counters of a component stood when the exporter heard of them first."""

    @property
    def meter(self) -> SimulatedDevice:
        """The three-phase meter."""
        return self._device("pro3em")

    @property
    def relays(self) -> SimulatedDevice:
        """The relays; the meter measures what they switch."""
        return self._device("pro3")

    @property
    def single(self) -> SimulatedDevice:
        """Three single-phase meters in one, in a house of their own."""
        return self._device("pro3em-mono")

    @property
    def sources(self) -> dict[str, DataSource]:
        """The data sources that the app provisions."""
        named = (("shelly-influxdb", "Shelly", "shelly"), ("shelly-rollups", "Shelly rollups", "shelly_rollups"))
        return {
            uid: DataSource(uid=uid, name=name, url=self.store.url, database=database) for uid, name, database in named
        }

    async def now(self) -> float:
        """Return what time it is."""
        return await self.exporter.now()

    async def until(self, moment: float) -> None:
        """Wait until it is so late."""

        async def late_enough() -> bool:
            return await self.now() >= moment

        await wait_until(late_enough, 60, "The simulation goes on")

    async def rest(self) -> float:
        """Let all fall silent until what they told is in the store, and return since when."""
        await self.fleet.set_fault_everywhere("link_cut")
        silent = await self.now()
        await self.exporter.drained()
        if not self.told:
            await self._remember()
            await wait_until(self._rolled_up, 10, "The hours are written")
        return silent

    async def go_on(self, silent_since: float) -> None:
        """Let all talk again."""
        await self.fleet.clear_faults_everywhere()
        await wait_until(self.fleet.connected, 60, "Every device reaches the broker")
        self.spans["silence"] = (silent_since, await self.now())

    async def suffer(
        self, name: str, minutes: float, begin: Callable[[], Awaitable[Any]], end: Callable[[], Awaitable[Any]]
    ) -> None:
        """Do what is to happen, undo it after so many minutes, and give that time to be noticed."""
        begun = await self.now()
        await begin()
        await self.until(begun + minutes * MINUTE_S)
        await end()
        self.spans[name] = (begun, await self.now())
        await self.until(self.spans[name][1] + AFTER_S)

    async def _remember(self) -> None:
        for device in self.fleet.devices:
            self.told[device.id] = await self.fleet.told(device, self.begun)
            self.ledgers[device.id] = await self.fleet.ledger(device, self.begun)
        for table, device, key in (("emdata_wide", self.meter, "emdata"), ("em1data", self.single, "em1data")):
            where = f"device = '{device.id}' GROUP BY channel"
            rows = await self.store.query("shelly", f"SELECT * FROM {table} WHERE {where} LIMIT 1")  # noqa: S608 - our own names
            self.first |= {(device.id, f"{key}:{row['channel']}"): row for row in rows}

    async def _rolled_up(self) -> bool:
        """Tell whether the last that the meter told of its counters is in the hours."""
        key = "emdata:0"
        newest = next(row["params"][key] for row in reversed(self.told[self.meter.id]) if key in row["params"])
        grown = newest["total_act"] - self.first[self.meter.id, key]["total_act"]
        where = f"device = '{self.meter.id}' AND phase = 'total'"
        rows = await self.store.query("shelly_rollups", f"SELECT sum(import_kwh) FROM energy_1h WHERE {where}")  # noqa: S608 - as above
        return bool(rows) and abs(rows[0]["sum"] - grown / 1000) < CLOSE_KWH

    def _device(self, model: str) -> SimulatedDevice:
        return next(device for device in self.fleet.devices if device.model == model)


def evening_zone(now: float) -> ZoneInfo:
    """Return a time zone where it is evening: midnight is near whenever the tests run."""
    offset = (EVENING_H - datetime.fromtimestamp(now, UTC).hour + 12) % 24 - 12
    # Their names count from the other side.
    return ZoneInfo(f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT")


@contextlib.asynccontextmanager
async def raise_story(directory: Path) -> AsyncIterator[Story]:
    """Start everything; the story begins once the exporter hears all devices."""
    zone = evening_zone(time.time())
    async with contextlib.AsyncExitStack() as running:
        accounts = (devices_account(), exporter_account())
        broker = await running.enter_async_context(Broker(directory / "mosquitto", accounts=accounts))
        store = await running.enter_async_context(InfluxServer(directory / "influxdb"))
        options = ("--keep-told", "--speed", str(SPEED), "--mqtt-reconnect", "60")
        fleet = await running.enter_async_context(Fleet(directory / "simulator", SPECS, broker=broker, options=options))
        await fleet.process.wait_until(fleet.connected, 60, "Every device reaches the broker")
        exporter = HurriedExporter(
            directory / "exporter", broker=broker, store=store, fleet=fleet, speed=SPEED, time_zone=zone.key
        )
        await running.enter_async_context(exporter)
        await exporter.connected()
        yield Story(broker=broker, store=store, fleet=fleet, exporter=exporter, zone=zone, begun=await exporter.now())


async def evening(story: Story) -> None:
    """Let four hours pass in which relays switch, somebody cooks, and the sun shines at night."""
    switch = partial(story.fleet.set_switch, story.relays)
    load = partial(story.fleet.set_load, story.meter)
    for hours, act in (
        (0.3, partial(switch, 0, on=True)),
        (0.5, partial(switch, 1, on=True)),
        (0.8, partial(load, "a", 2400.0)),
        (1.5, partial(switch, 0, on=False)),
        (1.8, partial(load, "c", -3000.0)),
        (2.0, partial(switch, 2, on=True)),
        (2.5, partial(load, "a", 0.0)),
        (3.5, partial(switch, 2, on=False)),
    ):
        await story.until(story.begun + hours * HOUR_S)
        await act()
    await story.until(story.begun + EVENING_HOURS * HOUR_S)


async def night(story: Story) -> None:
    """Let go wrong what can go wrong, one after the other."""
    fleet, meter = story.fleet, story.meter
    await story.until(await story.now() + 20 * MINUTE_S)
    for name, phase, power_w in (
        ("over-voltage", "a", -28_000.0),
        ("under-voltage", "b", 28_000.0),
        ("over-current", "c", 9000.0),
    ):
        await story.suffer(
            name,
            15,
            begin=partial(fleet.set_load, meter, phase, power_w),
            end=partial(fleet.set_load, meter, phase, 0.0),
        )
    # The exporter takes real seconds to be sure that nothing answers.
    await story.suffer(
        "offline", 100, begin=partial(fleet.set_fault, meter, "power_cut"), end=partial(fleet.clear_faults, meter)
    )
    await story.exporter.drained()
