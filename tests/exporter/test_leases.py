"""Devices that come from, and go to, another exporter of the group, with their open hour and day."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from shelly_exporter.cluster import Cluster
from shelly_exporter.leases import Leases
from shelly_exporter.rollups import Series
from shelly_exporter.settings import Cluster as ClusterSettings
from shelly_exporter.spool import Stream
from tests.core.memory_link import NOW
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, Stage, stage, until
from tests.exporter.stored_points import points_of


class Group:
    """What Redis and the other members would say."""

    def __init__(self) -> None:
        self.alone = False
        self.held: set[str] = set()
        self.facts: dict[str, dict[str, Any]] = {}
        self.rollups: dict[str, dict[str, Any]] = {}
        self.pause_s = 0.0
        """How long Redis takes to answer."""
        self.remembered: list[str] = []

    def holds(self, device_id: str) -> bool:
        return self.alone or device_id in self.held

    async def remember(self, device_id: str, facts: Mapping[str, Any]) -> None:
        self.remembered.append(device_id)
        self.facts[device_id] = dict(facts)

    async def recall(self) -> dict[str, dict[str, Any]]:
        return self.facts

    async def save_rollups(self, device_id: str, state: dict[str, Any]) -> None:
        self.rollups[device_id] = state

    async def load_rollups(self, device_id: str) -> dict[str, Any] | None:
        await asyncio.sleep(self.pause_s)
        return self.rollups.get(device_id)


class Member:
    """One exporter of the group."""

    def __init__(self, world: Stage) -> None:
        self.world = world
        self.group = Group()
        self.leases = Leases(world.devices, world.rollups, world.pipeline)
        self.leases.cluster = cast("Cluster", self.group)
        world.devices.holds = self.leases.holds

    def count(self, shelly: Shelly, energy_wh: float, ts: float) -> None:
        """Let a counter of a device stand there."""
        self.world.rollups.take(Series(shelly.id, 0, "total"), ts, energy_wh, None)

    @property
    def devices(self) -> set[str]:
        """The devices whose open hour is known here."""
        return {device for device, *_ in self.world.rollups.state()["series"]}


@asynccontextmanager
async def member(*shellys: Shelly) -> AsyncIterator[Member]:
    async with stage(*shellys) as world:
        yield Member(world)


@virtual_time
async def test_alone_every_device_is_here() -> None:
    shelly = Shelly(METER)
    async with member(shelly) as one:
        one.leases.cluster = Cluster(ClusterSettings(), "one")
        one.world.notify(shelly, {})
        assert one.world.devices.workers[shelly.id].held
        await one.leases.share()
        assert one.group.remembered == []


@virtual_time
async def test_a_device_that_is_just_met_waits_for_its_lease() -> None:
    shelly = Shelly(METER)
    async with member(shelly) as one:
        one.world.notify(shelly, {})
        worker = one.world.devices.workers[shelly.id]
        assert not worker.held
        await one.leases.share()
        assert one.group.facts[shelly.id]["prefix"] == shelly.prefix
        # When it was heard is no news: it would be told each time.
        assert one.group.facts[shelly.id]["heard_ts"] == 0.0
        assert not worker.held
        one.group.held = {shelly.id}
        one.leases.follow(shelly.id, held=True)
        await until(lambda: one.world.is_connected(shelly.id))
        one.leases.follow(shelly.id, held=False)
        assert not worker.held


@virtual_time
async def test_what_others_met_is_met_here() -> None:
    shelly, mine = Shelly(METER, "house/meter"), Shelly(RELAYS)
    async with member(shelly, mine) as one:
        one.world.notify(mine, {})
        one.group.facts = {
            shelly.id: {**shelly.remembered("192.0.2.7").as_json(), "heard_ts": 0.0},
            "damaged": {"x": 1},
        }
        one.group.held = {shelly.id}
        await one.leases.share()
        await until(lambda: one.world.is_connected(shelly.id))
        assert one.world.devices.known[shelly.id].prefix == "house/meter"
        assert one.world.devices.workers.keys() == {shelly.id, mine.id}
        assert not one.world.devices.workers[mine.id].held


@virtual_time
async def test_a_missed_change_is_made_up_for() -> None:
    """A lease may come before the device is met, and be told only once."""
    shelly = Shelly(METER)
    async with member(shelly) as one:
        one.group.held = {shelly.id}
        one.leases.follow(shelly.id, held=True)
        await asyncio.sleep(0.1)
        one.world.notify(shelly, {})
        worker = one.world.devices.workers[shelly.id]
        assert not worker.held
        await one.leases.share()
        await until(lambda: worker.held)
        one.group.held = set()
        await one.leases.share()
        assert not worker.held


@virtual_time
async def test_the_open_hour_goes_with_the_device() -> None:
    shelly = Shelly(METER)
    shelly.silent = {"*"}
    hour = NOW // 3600 * 3600
    async with member(shelly) as old:
        old.count(shelly, 1000.0, hour + 60)
        old.count(shelly, 1500.0, hour + 120)
        old.count(Shelly(RELAYS), 10.0, hour + 60)
        await old.leases.hand_over(shelly.id)
        assert old.devices == {Shelly(RELAYS).id}
        # What it had is stored, by the old one.
        stored = points_of(line for _, line in old.world.pipeline.lines)
        mine = [point for point in stored if point.tags["device"] == shelly.id]
        assert {point.measurement for point in mine} == {"energy_1h", "energy_1d"}
        assert {point.fields["import_kwh"] for point in mine} == {0.5}
        assert {stream for stream, _ in old.world.pipeline.lines} == {Stream.COUNTERS}
        handed_over = old.group.rollups
    async with member(shelly) as new:
        new.group.rollups, new.group.held = handed_over, {shelly.id}
        new.world.notify(shelly, {})
        new.leases.follow(shelly.id, held=True)
        await until(lambda: new.world.devices.workers[shelly.id].held)
        new.count(shelly, 1750.0, hour + 180)
        lines = [line for line in new.world.rollups.lines() if line.startswith(b"energy_1h")]
        assert points_of(lines)[-1].fields["import_kwh"] == 0.75


@virtual_time
async def test_nothing_to_hand_over() -> None:
    shelly = Shelly(METER)
    async with member(shelly) as one:
        await one.leases.hand_over(shelly.id)
        assert one.world.pipeline.lines == []
        assert one.group.rollups[shelly.id]["series"] == []


@virtual_time
async def test_a_device_without_a_past_comes_all_the_same() -> None:
    shelly = Shelly(METER)
    async with member(shelly) as one:
        one.world.notify(shelly, {})
        one.group.held = {shelly.id}
        one.leases.follow(shelly.id, held=True)
        await until(lambda: one.world.devices.workers[shelly.id].held)


@virtual_time
async def test_a_device_that_goes_again_before_it_has_come() -> None:
    shelly = Shelly(METER)
    async with member(shelly) as one:
        one.world.notify(shelly, {})
        one.group.held, one.group.pause_s = {shelly.id}, 2.0
        one.group.rollups[shelly.id] = {"version": 1, "series": [[shelly.id, 0, "total", {}]], "over": []}
        one.leases.follow(shelly.id, held=True)
        await asyncio.sleep(1)
        one.group.held = set()
        one.leases.follow(shelly.id, held=False)
        await asyncio.sleep(2)
        assert not one.world.devices.workers[shelly.id].held
        assert one.devices == set()
        assert one.leases._coming == set()


@virtual_time
async def test_the_open_hour_is_shared_while_a_device_is_here() -> None:
    """Who takes it over after a crash goes on from there."""
    shelly, other = Shelly(METER), Shelly(RELAYS)
    async with member(shelly, other) as one:
        one.group.held = {shelly.id}
        for device in (shelly, other):
            one.world.notify(device, {})
        await one.leases.share()
        await until(lambda: one.world.devices.workers[shelly.id].held)
        one.count(shelly, 1000.0, NOW)
        await one.leases.share()
        assert one.group.rollups == {shelly.id: one.world.rollups.state(shelly.id)}
