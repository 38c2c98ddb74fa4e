"""Whatever dies on the way, every reading that was told is in the store once, and as it was told."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.exporter_line import raise_line
from tests.stack.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.end_to_end.exporter_line import Line

KILLS = 3
OUTAGE = 300
"""Readings of the meter that come while the store is away: as many as one of every second brings in five minutes."""


async def test_the_store_is_away(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line:
        await line.store.kill()
        await line.told(OUTAGE)
        target = await line.exporter.hop("target")
        assert target["level"] in {"degraded", "down"}
        assert str(line.store.port) in target["reason"]
        assert (await line.exporter.health())["status"] == "degraded"
        waiting = (await line.exporter.metrics())['shelly_exporter_spool_bytes{stream="raw"}']
        assert waiting > OUTAGE * 400, "four lines of a reading have more than that"
        await line.store.start()
        await line.assert_all_stored()
        assert (await line.exporter.hop("target"))["level"] == "ok"


async def test_the_exporter_is_killed_again_and_again(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line:
        for _ in range(KILLS):
            await line.told(10)
            await line.exporter.kill()
            await line.told(20)
            await line.exporter.start()
            await line.exporter.connected()
        await line.told(5)
        await line.assert_all_stored()


async def test_the_store_is_killed_while_it_writes(tmp_path: Path) -> None:
    async with raise_line(tmp_path, settings={"influxdb": {"batch_s": 0.05}}) as line:
        for _ in range(KILLS):
            await line.told(10)
            await line.store.kill()
            await line.told(5)
            await line.store.start()
        await line.told(5)
        await line.assert_all_stored()


async def test_the_broker_is_killed(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line:
        await line.told(10)
        for away_s in (0.0, 12.0):
            async with line.nobody_listens():
                await line.broker.kill()
                begun = time.time()
                await asyncio.sleep(away_s)
                back = time.time()
                await line.broker.start()
                await line.fleet.process.wait_until(line.fleet.connected, 60, "Every device is back on the broker")
            await line.told(10)
        await line.assert_all_stored()
        await line.assert_read_over_http(begun, back)


async def test_everything_is_killed_at_once_and_the_minutes_are_fetched_from_the_meter(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line:

        async def first_minute() -> bool:
            known = line.exporter.spool / "history.json"
            return known.exists() and line.meter.id in known.read_text() and bool(await line.minutes())

        await wait_until(first_minute, 100, "The meter's record of a minute is stored")
        (first, *_) = await line.minutes()
        # What happens in the next minute, and its record, is told to nobody.
        async with line.nobody_listens():
            await asyncio.gather(line.exporter.kill(), line.broker.kill(), line.store.kill())
            await wait_until(lambda: time.time() > first + 122, 130, "A minute is over", interval_s=1)
            await asyncio.gather(line.broker.start(), line.store.start())
            await line.exporter.start()
            await line.fleet.process.wait_until(line.fleet.connected, 60, "Every device is back on the broker")

        async def two_minutes() -> bool:
            return first + 60 in await line.minutes()

        await wait_until(two_minutes, 60, "The minute that nobody heard is stored")
        assert await line.minutes() == sorted({*range(first, (await line.minutes())[-1] + 60, 60)})
        await line.assert_all_stored()


async def test_exporter_and_store_are_killed_together(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line:
        await line.told(10)
        await asyncio.gather(line.exporter.kill(), line.store.kill())
        await line.told(50)
        await line.exporter.start()
        await line.told(10)
        await line.exporter.kill()
        await line.store.start()
        await line.exporter.start()
        await line.exporter.connected()
        await line.told(5)
        await line.assert_all_stored()


def reloaded(line: Line) -> bool:
    return [entry["event"] for entry in line.exporter.said()].count("The settings were reloaded") > 1


async def test_another_password_at_the_broker(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line:
        await line.told(5)

        async def refused() -> bool:
            hop = await line.exporter.hop("broker")
            return bool(hop["level"] == "down" and "password" in hop["reason"])

        # Mosquitto keeps nothing for whom it has thrown out.
        async with line.nobody_listens():
            await line.broker.change_password(line.exporter.user)
            await wait_until(refused, 20, "The exporter says that its password is wrong")
            begun = time.time()
            await asyncio.sleep(12)
            end = time.time()
            line.exporter.reload(mqtt={"password": line.broker.password(line.exporter.user)})
            # Until the old connection is gone, the health is of that.
            await wait_until(lambda: reloaded(line), 20, "It is reloaded")
        await line.told(5)
        await line.assert_all_stored()
        await line.assert_read_over_http(begun, end)
        assert line.broker.password(line.exporter.user) not in line.exporter.process.log.read_text()


async def reorder(line: Line) -> None:
    await line.fleet.set_fault_everywhere("reorder", hold_s=3.0)


async def duplicate(line: Line) -> None:
    await line.fleet.set_fault_everywhere("duplicate")


async def oversized(line: Line) -> None:
    await line.fleet.set_fault_everywhere("oversized", every=5, bytes=300_000)


@pytest.mark.parametrize("fault", [reorder, duplicate, oversized])
async def test_the_road_spoils_what_is_told(tmp_path: Path, fault: Callable[[Line], Any]) -> None:
    async with raise_line(tmp_path) as line:
        await line.told(5)
        await fault(line)
        await line.told(60)
        await line.fleet.clear_faults_everywhere()
        await line.told(20)
        await line.assert_all_stored()


async def test_damaged_frames_spoil_nothing_else(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line:
        await line.fleet.set_fault_everywhere("malformed", every=4)
        await line.told(60)
        results = await line.compared(deadline_s=10)
        for device in line.fleet.devices:
            result, frames = results[device.id], (await line.fleet.ledger(device))["frames"]
            damaged = sum(frame["kind"] == "damaged" for frame in frames)
            # An answer may be damaged, too, without being listed as such.
            assert (result.lost, result.different) == ([], []), device.id
            assert result.points > 0
            # What is plausible in a damaged frame is taken: of a meter that may be two phases of three, and the total.
            answers = sum(frame["kind"] == "Shelly.GetStatus" for frame in frames)
            assert len(result.extra) <= 4 * damaged + 10 * answers, device.id
        rejects = (await line.exporter.hop(f"device:{line.meter.id}"))["details"]["rejects"]
        assert sum(rejects.values()) > 0
