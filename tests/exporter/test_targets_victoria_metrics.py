"""VictoriaMetrics, the real one: what it does with points, and what it does not."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shelly_exporter.sender.isolation import deliver
from shelly_exporter.settings import Kind, Target
from shelly_exporter.targets import Unavailable
from shelly_exporter.targets.influxdb_v2 import InfluxV2
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


async def shown(victoria: VictoriaMetrics, names: set[str]) -> bool:
    return set(await victoria.samples('{device="a"}')) == names


async def test_what_is_written_is_read_back(victoria: VictoriaMetrics, target: InfluxV2) -> None:
    assert await target.prepare() == ()
    await target.write("shelly", b'em,device=a,channel=0 x=1.5,n=2i,s="t" %d\nem,device=b x=9 %d' % (NOW, NOW))
    # It remembers for a while that it has found nothing, so it is not asked too early.
    await wait_until(lambda: shown(victoria, {"em_x", "em_n", "em_s"}), 10, "the point is shown")

    row = await target.read_back("shelly", "em", ("device", "a"), NOW)
    assert row == {"device": "a", "channel": "0", "x": 1.5, "n": 2, "s": 0}
    assert await target.read_back("shelly", "em", ("device", "c"), NOW) is None


async def test_one_sample_is_left_however_often_it_is_written(victoria: VictoriaMetrics, target: InfluxV2) -> None:
    for value in (1, 3, 3, 2):
        await target.write("shelly", b"em,device=a x=%d %d\nem,device=a x=5 %d" % (value, NOW, NOW + 1000))

    await wait_until(lambda: shown(victoria, {"em_x"}), 10, "the points are shown")
    first, second = (await victoria.samples('{device="a"}'))["em_x"]
    assert first[0] == NOW
    assert first[1] in {2, 3}
    assert second == (NOW + 1000, 5)


async def test_lines_that_make_no_sense_are_dropped_in_silence(victoria: VictoriaMetrics, target: InfluxV2) -> None:
    lines = [b"em,device=a x=1 %d" % NOW, b"garbage", b"em,device=a x=2 %d" % (NOW + 1)]
    assert await deliver(lambda body: target.write("shelly", body), lines) == []

    await wait_until(lambda: shown(victoria, {"em_x"}), 10, "the points are shown")
    assert await victoria.samples('{device="a"}') == {"em_x": [(NOW, 1), (NOW + 1, 2)]}


async def test_it_goes_on_after_a_crash(victoria: VictoriaMetrics, target: InfluxV2) -> None:
    await target.write("shelly", b"em,device=a x=1 %d" % NOW)
    await victoria.kill()
    with pytest.raises(Unavailable, match="VictoriaMetrics at"):
        await target.write("shelly", b"em,device=a x=2 %d" % (NOW + 1))
    await victoria.start()
    await target.write("shelly", b"em,device=a x=2 %d" % (NOW + 1))
    await wait_until(lambda: shown(victoria, {"em_x"}), 10, "the point is shown")
    assert (NOW + 1, 2) in (await victoria.samples('{device="a"}'))["em_x"]
