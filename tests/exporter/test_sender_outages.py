"""From a real spool to a real InfluxDB that dies, hangs and comes back: all that was kept is there, once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest

from shelly_exporter.sender import Sender
from shelly_exporter.settings import Kind, Target
from shelly_exporter.spool import Spool, Stream
from shelly_exporter.spool.dead_letters import DeadLetters
from shelly_exporter.targets import target_for
from tests.exporter.test_sender import Counts
from tests.stack.influxdb import InfluxServer
from tests.stack.processes import wait_until
from tests.stack.v2_proxy import ORGANISATION, V2Proxy

NOW = int(time.time()) * 1000
LINES = 20_000


@pytest.fixture(params=[Kind.INFLUXDB1, Kind.INFLUXDB2])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as running:
        influx = await running.enter_async_context(InfluxServer(tmp_path / "influxdb"))
        settings = Target(kind=Kind.INFLUXDB1, url=influx.url, batch_lines=500, batch_s=0.05)
        if request.param is Kind.INFLUXDB2:
            proxy = await running.enter_async_context(V2Proxy(influx))
            settings = Target(
                kind=Kind.INFLUXDB2,
                url=proxy.url,
                organisation=ORGANISATION,
                token=proxy.token,
                batch_lines=500,
                batch_s=0.05,
            )
        session = await running.enter_async_context(aiohttp.ClientSession())
        made = Stage(tmp_path, influx, settings, session)
        yield made
        await made.stop()


class Stage:
    """A sender at work."""

    def __init__(self, directory: Path, influx: InfluxServer, settings: Target, session: aiohttp.ClientSession) -> None:
        self.influx = influx
        self.spool = Spool(directory / "spool", max_bytes=64 * 1024 * 1024, sync=False)
        self.spool.open()
        self.letters = DeadLetters(directory / "letters", 1024 * 1024)
        self.counts = Counts()
        self.target = target_for(settings, session)
        self.sender = Sender(self.spool, self.target, self.letters, settings, self.counts)
        self._task = asyncio.create_task(self.sender.run())

    def keep(self, *lines: bytes) -> None:
        self.spool.append({Stream.RAW: lines})

    @property
    def depth(self) -> int:
        return self.spool.depth_bytes(Stream.RAW)

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self.target.close()
        self.spool.close()


async def test_killed_in_the_middle_of_a_write(stage: Stage) -> None:
    for number in range(0, LINES, 100):
        stage.keep(*(b"em,d=a x=%d,y=%d.5 %d" % (one, one, NOW + one) for one in range(number, number + 100)))
    depth = stage.depth
    await wait_until(lambda: 0 < stage.depth < depth, 10, "some points are written", interval_s=0.001)
    stage.influx.suspend()
    await wait_until(lambda: stage.sender.in_flight > 0, 5, "a batch is on its way", interval_s=0.001)
    await stage.influx.kill()
    await wait_until(lambda: stage.sender.failing_since is not None, 5, "it is noticed")
    assert stage.depth > 0
    await stage.influx.start()
    await wait_until(lambda: stage.depth == 0, 20, "all points are written")
    (stored,) = await stage.influx.query("shelly", "SELECT count(x) AS x, sum(y) AS y FROM em")
    assert (stored["x"], stored["y"]) == (LINES, sum(one + 0.5 for one in range(LINES)))
    assert stage.sender.failing_since is None
    assert stage.counts.failures


async def test_the_database_is_dropped_and_made_again(stage: Stage) -> None:
    stage.keep(b"em x=1 %d" % NOW)
    await wait_until(lambda: stage.depth == 0, 10, "the point is written")
    await stage.influx.query("", 'DROP DATABASE "shelly"')
    stage.keep(b"em x=2 %d" % (NOW + 1))
    await wait_until(lambda: bool(stage.counts.failures), 10, "it is missed")
    await wait_until(lambda: stage.depth == 0, 10, "the point is written")
    assert stage.counts.failures == ["missing"]
    assert await stage.influx.query("shelly", "SELECT x FROM em") == [{"time": NOW + 1, "x": 2}]
    assert (await stage.influx.query("", 'SHOW RETENTION POLICIES ON "shelly"'))[0]["duration"] == "1440h0m0s"


async def test_what_is_refused_is_a_dead_letter_with_its_reason(stage: Stage) -> None:
    stage.keep(b"em x=1i %d" % NOW)
    await wait_until(lambda: stage.depth == 0, 10, "the point is written")
    stage.keep(b"em x=1.5,y=1 %d" % (NOW + 1), b"garbage", b"em x=3i 1000", b"em x=4i %d" % (NOW + 4))
    await wait_until(lambda: stage.depth == 0, 10, "the good points are written")
    kept = {letter.line: letter.reason for file in stage.letters.read() for letter in file.letters}
    assert "field type conflict" in kept.pop(b"em x=1.5 %d" % (NOW + 1))
    assert "unable to parse" in kept.pop(b"garbage")
    assert "beyond retention policy" in kept.pop(b"em x=3i 1000")
    assert kept == {}
    assert [row.get("x") for row in await stage.influx.query("shelly", "SELECT x, y FROM em")] == [1, None, 4]
