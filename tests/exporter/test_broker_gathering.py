"""Messages that follow closely on each other are read together; a lone one is read at once; none is lost or late."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shelly_exporter.broker.buffered_client import BufferedClient
from shelly_exporter.broker.connection import GATHER_S
from tests.exporter.broker_stage import TOPIC, Stage, connected, mosquitto, publish, publisher
from tests.stack.mosquitto import Broker as Mosquitto
from tests.stack.processes import wait_until

DENSE = 300
LONE = 5
LARGE = 32 * 1024
"""More than a trickle."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A broker."""
    async with mosquitto(tmp_path / "mosquitto") as server:
        yield server


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each read has brought so far, in a list that grows."""
    counts: list[int] = []
    read = BufferedClient.read

    def counted(client: BufferedClient) -> bool:
        counts.append(0)
        return read(client)

    hand_on = BufferedClient._take_publish

    def noted(client: BufferedClient) -> bool:
        taken = hand_on(client)
        counts[-1] += taken
        return taken

    monkeypatch.setattr(BufferedClient, "read", counted)
    monkeypatch.setattr(BufferedClient, "_take_publish", noted)
    return counts


async def _tell(server: Mosquitto, count: int, pause_s: float) -> None:
    async with publisher(server) as client:
        for number in range(count):
            await client.publish(TOPIC, b"%d" % number, qos=0)
            await asyncio.sleep(pause_s)


def _gathers(stage: Stage) -> bool:
    return stage.connection._gathers


async def test_what_follows_closely_is_read_together(server: Mosquitto, reads: list[int]) -> None:
    async with connected(server) as stage:
        await _tell(server, DENSE, GATHER_S / 10)
        await stage.got(DENSE)
        assert stage.payloads == [b"%d" % number for number in range(DENSE)]
        brought = [count for count in reads if count]
        assert len(brought) < DENSE / 2


async def test_after_a_while_each_is_read_at_once_again(server: Mosquitto, reads: list[int]) -> None:
    async with connected(server) as stage:
        await _tell(server, DENSE, 0)
        await stage.got(DENSE)
        await asyncio.sleep(GATHER_S * 5)
        reads.clear()
        await _tell(server, LONE, GATHER_S * 5)
        await stage.got(DENSE + LONE)
        assert [count for count in reads if count] == [1] * LONE
        assert not _gathers(stage)


async def test_what_comes_in_bulk_is_not_put_off(server: Mosquitto) -> None:
    async with connected(server) as stage:
        payloads = [bytes([number]) * LARGE for number in range(100)]
        await publish(server, *payloads)
        await stage.got(len(payloads))
        assert stage.payloads == payloads


async def test_a_connection_that_ends_while_it_gathers_is_made_anew(server: Mosquitto) -> None:
    async with connected(server) as stage:
        telling = asyncio.create_task(_tell(server, DENSE, GATHER_S / 10))
        await wait_until(lambda: _gathers(stage), 5, "Messages are gathered", interval_s=0.001)
        stage.break_off()
        await stage.lost()
        await telling
        await stage.connected()
        await publish(server, b"again")
        await wait_until(lambda: b"again" in stage.payloads, 5, "What comes afterwards is read")
