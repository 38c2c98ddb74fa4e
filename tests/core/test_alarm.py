"""One timer for deadlines that move all the time."""

import asyncio

from shelly_core.alarm import Alarm
from tests.core.virtual_time import virtual_time


class Bell:
    """Writes down when it rang, in seconds from the beginning."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.rung: list[float] = []
        self.alarm = Alarm(lambda: loop.time() - begun, lambda: self.rung.append(loop.time() - begun))


@virtual_time
async def test_it_rings_once_at_the_deadline() -> None:
    bell = Bell()
    bell.alarm.set(5.0)
    await asyncio.sleep(20)
    assert bell.rung == [5.0]


@virtual_time
async def test_an_earlier_deadline_takes_its_place_and_a_later_one_waits() -> None:
    bell = Bell()
    for deadline in (5.0, 3.0, 8.0, None):
        bell.alarm.set(deadline)
    await asyncio.sleep(20)
    assert bell.rung == [3.0]


@virtual_time
async def test_a_deadline_in_the_past_is_now() -> None:
    bell = Bell()
    await asyncio.sleep(2)
    bell.alarm.set(1.0)
    assert bell.rung == []
    await asyncio.sleep(0.001)
    assert bell.rung == [2.0]


@virtual_time
async def test_what_is_stopped_does_not_ring() -> None:
    bell = Bell()
    bell.alarm.stop()
    bell.alarm.set(5.0)
    bell.alarm.stop()
    await asyncio.sleep(20)
    assert bell.rung == []
    bell.alarm.set(25.0)
    await asyncio.sleep(20)
    assert bell.rung == [25.0]


@virtual_time
async def test_never_asks_for_nothing() -> None:
    bell = Bell()
    bell.alarm.set(None)
    await asyncio.sleep(20)
    assert bell.rung == []
