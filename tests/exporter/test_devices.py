"""All devices: who is met, who is not, and how little those cost that make a noise."""

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from shelly_core import Transport
from shelly_exporter import devices as module
from shelly_exporter.devices import BROKER_S, DROPPED, Dropped
from shelly_exporter.settings import Cluster, Mqtt, Settings
from shelly_exporter.settings import Devices as DeviceSettings
from shelly_exporter.subscriptions import subscriptions
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, SOURCE, Shelly, event_of, stage, until

# Who is met.


@virtual_time
async def test_a_device_is_met_by_what_it_tells() -> None:
    shelly = Shelly(METER, "house/cellar/meter")
    async with stage(shelly) as world:
        assert world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1.5}}) == "taken"
        # Also what it told first is kept.
        assert [point.fields for point in world.points("em")] == [{"act_power": 1.5}]
        await until(lambda: world.is_connected(shelly.id))
        assert {topic for topic, _ in world.published} == {"house/cellar/meter/rpc"}
        assert world.devices.known[shelly.id].prefix == "house/cellar/meter"
        assert world.devices.known[shelly.id].heard_ts == pytest.approx(world.wall(), abs=1)
        assert world.devices.counts == {"taken": 1 + len(world.published)}


@virtual_time
async def test_a_device_that_tells_little_is_met_by_being_there() -> None:
    shelly = Shelly(RELAYS, "house/relays")
    async with stage(shelly) as world:
        assert world.tell("house/relays/online", b"true", retain=True) == "taken"
        (asked,) = world.published
        assert asked == (
            "house/relays/rpc",
            {"id": "house/relays", "src": SOURCE, "method": "Shelly.GetDeviceInfo"},
        )
        await until(lambda: world.is_connected(shelly.id))
        assert {point.tags["channel"] for point in world.points("switch")} == {"0", "1", "2"}
        # Nobody has to be asked who is known, or was asked.
        world.published.clear()
        world.tell("house/relays/online", b"true")
        for _ in range(3):
            world.tell("house/other/online", b"true", retain=True)
        assert [topic for topic, _ in world.published] == ["house/other/rpc"]
        # Unless the broker was away: an answer may have been lost.
        world.lose_broker()
        world.find_broker()
        world.tell("house/other/online", b"true", retain=True)
        assert world.published[-1][0] == "house/other/rpc"
        assert len(world.asked("house/other")) == 2


@virtual_time
async def test_who_is_not_there_is_not_asked() -> None:
    async with stage() as world:
        for payload in (b"false", b"", b"TRUE", b'{"online":true}'):
            assert world.tell("house/relays/online", payload, retain=True) == "taken"
        assert world.published == []


@virtual_time
async def test_without_a_broker_nobody_is_asked() -> None:
    async with stage(broker=False) as world:
        assert world.tell("house/relays/online", b"true", retain=True) == "taken"
        assert world.published == []


@pytest.mark.parametrize(
    ("include", "exclude", "met"),
    [
        ((), (), {METER, RELAYS}),
        (("shellypro3em-*",), (), {METER}),
        (("*",), ("shellypro3em-*",), {RELAYS}),
        (("shellypro3-e868e7a1b20?",), (), {RELAYS}),
        (("shellypro3em-*",), ("*",), set()),
        ((), ("shellypro3-e868e7a1b204",), {METER}),
    ],
)
@virtual_time
async def test_include_and_exclude(include: tuple[str, ...], exclude: tuple[str, ...], met: set[str]) -> None:
    shellys = {name: Shelly(name) for name in (METER, RELAYS)}
    settings = DeviceSettings(http=False, include=include, exclude=exclude)
    known = [shelly.remembered() for shelly in shellys.values()]
    async with stage(*shellys.values(), settings=settings) as world:
        for name, shelly in shellys.items():
            assert world.notify(shelly, {}) == ("taken" if name in met else "foreign")
        assert world.devices.workers.keys() == {shellys[name].id for name in met}
    # Neither is one asked that was met before these settings, or by another exporter, or that says it is there.
    async with stage(*shellys.values(), settings=settings, known=known) as world:
        world.devices.remember(known)
        for shelly in shellys.values():
            world.tell(f"{shelly.prefix}/online", b"true", retain=True)
        await asyncio.sleep(30)
        assert world.devices.workers.keys() == {shellys[name].id for name in met}


@virtual_time
async def test_known_devices_are_asked_at_once() -> None:
    shelly = Shelly(METER, "house/meter")
    async with stage(shelly, known=[shelly.remembered()]) as world:
        await until(lambda: world.is_connected(shelly.id))
        assert {topic for topic, _ in world.published} == {"house/meter/rpc"}


@virtual_time
async def test_devices_without_mqtt_are_known_by_their_address() -> None:
    """They tell nothing by themselves, but are asked."""
    shellys = [Shelly(METER, number=1), Shelly(RELAYS, number=2), Shelly(RELAYS, number=3)]
    addresses = {
        shellys[0].id: "192.0.2.1",
        shellys[1].id: "relays.example:8080",
        shellys[2].id: "[fe80::1]:80",
        "refrigerator": "192.0.2.9",
    }
    for shelly, host in zip(shellys, ("192.0.2.1", "relays.example", "[fe80::1]"), strict=True):
        shelly.hosts = {host}
    settings = DeviceSettings(addresses=addresses, password="one", passwords={shellys[1].id: "another"})
    async with stage(*shellys, settings=settings, broker=False) as world:
        await asyncio.sleep(BROKER_S - 0.1)
        assert world.dialled == []
        await until(lambda: all(world.is_connected(shelly.id) for shelly in shellys), within_s=3)
        assert set(world.dialled) == {
            ("192.0.2.1", 80, "one"),
            ("relays.example", 8080, "another"),
            ("[fe80::1]", 80, "one"),
        }
        assert world.devices.workers.keys() == {shelly.id for shelly in shellys}
        assert {point.fields["origin"] for point in world.points("em_wide")} == {"http"}


@virtual_time
async def test_devices_that_another_exporter_met() -> None:
    shelly = Shelly(METER, "house/meter")
    async with stage(shelly) as world:
        for _ in range(2):
            world.devices.remember([shelly.remembered()])
        worker = world.devices.workers[shelly.id]
        await until(lambda: world.is_connected(shelly.id))
        world.devices.remember([shelly.remembered()])
        assert world.devices.workers == {shelly.id: worker}


@virtual_time
async def test_nobody_is_met_before_it_runs() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        world.devices._tasks = None
        assert world.notify(shelly, {}) == "foreign"
        world.devices.remember([shelly.remembered()])
        assert world.devices.workers == {}


# What is not taken.


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[]", "malformed"),
        (b"5", "malformed"),
        (b"{}", "malformed"),
        (b'{"src":null}', "malformed"),
        (b'{"src":["shellypro3-e868e7a1b204"]}', "malformed"),
        (b'{"src":"' + b"x" * 70_000 + b'"}', "malformed"),
        (b'{"src":""}', "foreign"),
        (b'{"src":"refrigerator"}', "foreign"),
        (b'{"src":"shellypro3-E868E7A1B204"}', "foreign"),
    ],
)
@virtual_time
async def test_what_is_no_device(payload: bytes, result: str) -> None:
    async with stage() as world:
        for topic in ("house/thing/events/rpc", f"{SOURCE}/rpc"):
            assert world.tell(topic, payload) == result
        assert (world.devices.workers, world.pipeline.lines, world.published) == ({}, [], [])
        # All is acknowledged: what makes no sense makes none the next time, either.
        assert len(world.settled) == 2
        assert None not in world.settled


@virtual_time
async def test_a_device_is_met_nowhere_but_at_its_events() -> None:
    async with stage() as world:
        for topic in ("house/relays/status/switch:0", "house/relays/rpc", "events/rpc", f"{SOURCE}/rpc"):
            assert world.tell(topic, event_of("shellypro3-e868e7a1b204")) == "foreign"
        assert world.devices.workers == {}


@virtual_time
async def test_what_is_retained_is_of_the_past() -> None:
    """A bridge or a curious person may have it retained; it is told again with each connection."""
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        assert world.tell(f"{shelly.prefix}/events/rpc", event_of(shelly.id), retain=True) == "retained"
        assert world.devices.workers == {}
        worker = await world.connected(shelly)
        heard = worker.known.heard_ts
        world.pipeline.lines.clear()
        await asyncio.sleep(5)
        assert world.tell(f"{shelly.prefix}/events/rpc", event_of(shelly.id), retain=True) == "retained"
        assert world.pipeline.lines == []
        assert worker.known.heard_ts == heard
        assert len(world.settled) == sum(world.devices.counts.values())


@virtual_time
async def test_damaged_frames_of_a_known_device_are_counted() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        frame = json.dumps(event_of(shelly.id)).encode()
        world.tell(f"{shelly.prefix}/events/rpc", frame[:-5])
        assert sum(worker.client.health().rejects.values()) == 1
        # What does not even name the device is nobody's.
        assert world.tell(f"{shelly.prefix}/events/rpc", frame[:5]) == "malformed"
        assert sum(worker.client.health().rejects.values()) == 1


@virtual_time
async def test_answers_to_nobody() -> None:
    shelly, stranger = Shelly(METER), Shelly(RELAYS)
    settings = DeviceSettings(http=False, exclude=("shellypro3em400-*",))
    async with stage(shelly, settings=settings) as world:
        await world.connected(shelly)
        answers = f"{SOURCE}/rpc"
        # Of a device that is not known; to a question that was never asked; of one that is not wanted.
        assert world.tell(answers, {"id": 1, "src": stranger.id, "result": {}}) == "foreign"
        assert world.tell(answers, {"id": "house/x", "src": stranger.id, "result": stranger.info}) == "foreign"
        world.tell("house/x/online", b"true")
        excluded = "shellypro3em400-34987a4c0d18"
        assert world.tell(answers, {"id": "house/x", "src": excluded, "result": {}}) == "foreign"
        assert world.tell(answers, {"id": ["house/x"], "src": stranger.id, "result": {}}) == "foreign"
        assert world.devices.workers.keys() == {shelly.id}
        # A known device's answer to a question that nobody waits for any more does no harm.
        before = len(world.pipeline.lines)
        assert world.tell(answers, {"id": 1, "src": shelly.id, "result": shelly.status}) == "taken"
        assert len(world.pipeline.lines) == before


# The broker, and who is asked from here.


@virtual_time
async def test_the_broker_comes_and_goes_for_all() -> None:
    shelly, late = Shelly(METER), Shelly(RELAYS)
    shelly.hosts = {"192.0.2.52"}
    async with stage(shelly, late, settings=DeviceSettings()) as world:
        worker = await world.connected(shelly)
        assert worker.client.active is Transport.MQTT
        world.lose_broker()
        await until(lambda: worker.client.active is Transport.HTTP, within_s=5)
        assert worker.client.health().broker is False
        # Who is met meanwhile knows it, too.
        world.devices.remember([late.remembered()])
        await asyncio.sleep(0.1)
        assert world.devices.workers[late.id].client.health().broker is False
        world.find_broker()
        for _ in range(10):
            world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1.5}})
            await asyncio.sleep(1)
        assert worker.client.active is Transport.MQTT
        await until(lambda: world.is_connected(late.id))


@virtual_time
async def test_a_device_that_leaves_the_broker() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        shelly.silent = {"*"}
        # What is retained is of some time in the past, and the flag is known to stick.
        world.tell(f"{shelly.prefix}/online", b"false", retain=True)
        world.tell(f"{shelly.prefix}/online", b"true")
        await asyncio.sleep(15)
        assert worker.client.available
        world.tell(f"{shelly.prefix}/online", b"false")
        await until(lambda: not worker.client.available, within_s=15)


@virtual_time
async def test_a_lease_that_comes_and_goes() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        world.devices.holds = lambda device_id: device_id != shelly.id
        world.notify(shelly, {})
        worker = world.devices.workers[shelly.id]
        assert not worker.held
        world.devices.follow_lease(shelly.id, held=True)
        world.devices.follow_lease("shellypro3-000000000000", held=True)
        await until(lambda: world.is_connected(shelly.id))
        world.devices.follow_lease(shelly.id, held=False)
        assert not worker.held
        await asyncio.sleep(1)
        assert not world.is_connected(shelly.id)


# What the broker says of itself.


@virtual_time
async def test_messages_that_the_broker_dropped() -> None:
    async with stage() as world:
        dropped = world.devices.dropped
        assert (dropped.total, dropped.at) == (None, -float("inf"))
        with capture_logs() as logs:
            for payload in (b"5", b"5", b"12", b"0", b"1", b"x", b"", b"-3", b"1.5", b"9" * 40, "٣".encode()):
                assert world.tell(DROPPED, payload, retain=True) == "taken"
        # What it had dropped before says nothing, and it may have started anew.
        assert [entry["messages"] for entry in logs] == [7, 1]
        assert (dropped.total, dropped.at) == (1, world.wall())


def test_the_moment_of_dropping_is_kept() -> None:
    dropped = Dropped()
    for total, now in ((3, 10.0), (4, 20.0), (4, 30.0)):
        dropped.take(b"%d" % total, now)
    assert (dropped.total, dropped.at) == (4, 20.0)


# Subscriptions.


def test_subscriptions_alone() -> None:
    settings = Settings(mqtt=Mqtt(client_id="me", prefixes=("+", "house/+")))
    assert subscriptions(settings) == {
        "+/events/rpc": 1,
        "+/online": 1,
        "house/+/events/rpc": 1,
        "house/+/online": 1,
        "me/rpc": 1,
        DROPPED: 0,
    }


def test_a_group_shares_what_devices_tell_and_nothing_else() -> None:
    """Each must know who is there, and has its own answers."""
    settings = Settings(mqtt=Mqtt(client_id="me"), cluster=Cluster(group="house"))
    assert subscriptions(settings) == {"$share/house/+/events/rpc": 1, "+/online": 1, "me/rpc": 1, DROPPED: 0}


def test_what_is_subscribed_is_understood() -> None:
    shelly: dict[str, Any] = Shelly(METER).info
    topics = {f"{shelly['id']}{ending}" for ending in (module.EVENTS, module.ONLINE)}
    assert {topic.replace(shelly["id"], "+") for topic in topics} <= subscriptions(Settings()).keys()
