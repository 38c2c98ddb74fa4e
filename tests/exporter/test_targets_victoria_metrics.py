"""VictoriaMetrics, the real one: what it does with points, and what it does not."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shelly_exporter.influxdb_v2 import InfluxV2
from shelly_exporter.isolation import deliver
from shelly_exporter.settings import Kind, Target
from shelly_exporter.targets import Unavailable
from tests.stack.processes import wait_until
from tests.stack.victoria_metrics import VictoriaMetrics

NOW = int(time.time() - 60) * 1000


@pytest.fixture
async def victoria(tmp_path: Path) -> AsyncIterator[VictoriaMetrics]:
    async with VictoriaMetrics(tmp_path / "victoria-metrics") as server:
        yield server


@pytest.fixture
async def target(victoria: VictoriaMetrics) -> AsyncIterator[InfluxV2]:
    made = InfluxV2(Target(kind=Kind.VICTORIAMETRICS, url=victoria.url))
    yield made
    await made.close()


async def test_what_is_written_is_read_back(victoria: VictoriaMetrics, target: InfluxV2) -> None:
    assert await target.prepare() == ()
    await target.write("shelly", b'em,device=a,channel=0 x=1.5,n=2i,s="t" %d\nem,device=b x=9 %d' % (NOW, NOW))
    assert await target.read_back("shelly", "em", ("device", "c"), NOW) is None

    async def found() -> bool:
        return await target.read_back("shelly", "em", ("device", "a"), NOW) is not None

    await wait_until(found, 10, "the point is shown")
    row = await target.read_back("shelly", "em", ("device", "a"), NOW)
    assert row == {"device": "a", "channel": "0", "db": "shelly", "x": 1.5, "n": 2, "s": 0} or row == {
        "device": "a",
        "channel": "0",
        "x": 1.5,
        "n": 2,
        "s": 0,
    }


async def test_writing_twice_changes_nothing_but_a_smaller_value_does_not_win(
    victoria: VictoriaMetrics, target: InfluxV2
) -> None:
    for value in (1, 3, 3, 2):
        await target.write("shelly", b"em,device=a x=%d %d\nem,device=a x=5 %d" % (value, NOW, NOW + 1000))

    async def complete() -> bool:
        return await victoria.samples('{device="a"}') == {"em_x": [(NOW, 3), (NOW + 1000, 5)]}

    await wait_until(complete, 10, "one sample is left of four")


async def test_lines_that_make_no_sense_are_dropped_in_silence(victoria: VictoriaMetrics, target: InfluxV2) -> None:
    lines = [b"em,device=a x=1 %d" % NOW, b"garbage", b"em,device=a x=2 %d" % (NOW + 1)]
    assert await deliver(lambda body: target.write("shelly", body), lines) == []

    async def complete() -> bool:
        return await victoria.samples('{device="a"}') == {"em_x": [(NOW, 1), (NOW + 1, 2)]}

    await wait_until(complete, 10, "both good lines are shown")


async def test_data_survives_a_crash_after_it_was_flushed(victoria: VictoriaMetrics, target: InfluxV2) -> None:
    await target.write("shelly", b"em,device=a x=1 %d" % NOW)

    async def complete() -> bool:
        return await victoria.samples('{device="a"}') == {"em_x": [(NOW, 1)]}

    await wait_until(complete, 10, "the point is shown")
    await victoria.kill()
    with pytest.raises(Unavailable, match="VictoriaMetrics at"):
        await target.write("shelly", b"em,device=a x=2 %d" % (NOW + 1))
    await victoria.start()
    await target.write("shelly", b"em,device=a x=2 %d" % (NOW + 1))

    async def both() -> bool:
        return await victoria.samples('{device="a"}') == {"em_x": [(NOW, 1), (NOW + 1, 2)]}

    await wait_until(both, 10, "both points are shown")
