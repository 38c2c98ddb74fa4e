"""Devices that are known before they say a word, and those that are not wanted."""

import asyncio

import pytest

from shelly_exporter.devices import BROKER_S
from shelly_exporter.settings import Devices as DeviceSettings
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, stage, until


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
