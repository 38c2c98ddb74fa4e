"""The connection to a real Mosquitto: what arrives, what is acknowledged, what comes again."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shelly_core import LinkClosedError
from shelly_exporter.broker import Message
from shelly_exporter.broker.buffered_client import BURST_S
from shelly_exporter.settings import Protocol
from tests.exporter.broker_stage import (
    TOPIC,
    Stage,
    connected,
    mosquitto,
    publish,
    publisher,
    running,
    settings_for,
)
from tests.stack.mosquitto import Broker as Mosquitto
from tests.stack.processes import wait_until

VERSIONS = pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A broker."""
    async with mosquitto(tmp_path / "mosquitto") as server:
        yield server


async def _again(stage: Stage) -> None:
    """Break the connection off and wait for the next."""
    stage.messages.clear()
    stage.break_off()
    await stage.lost()
    await stage.connected()


@VERSIONS
async def test_messages_arrive_as_they_were_sent(server: Mosquitto, protocol: Protocol) -> None:
    async with connected(server, protocol=protocol) as stage:
        await publish(server, b'{"a":1}', b"", topic=TOPIC)
        await stage.got(2)
        first, second = stage.messages
        assert first[:4] == (TOPIC, b'{"a":1}', False, False)
        assert second.payload == b""
        assert first.receipt is not None
        assert second.receipt is not None
        assert first.receipt != second.receipt
        assert stage.broker.version == protocol.value


async def test_what_is_not_acknowledged_comes_again_and_the_rest_does_not(server: Mosquitto) -> None:
    async with connected(server) as stage:
        await publish(server, b"0", b"1", b"2")
        await stage.got(3)
        stage.broker.acknowledge((stage.receipts[0], stage.receipts[2]))
        await _again(stage)
        await stage.got(1)
        assert stage.messages[0].payload == b"1"
        assert stage.messages[0].duplicate
        assert stage.broker.session_present
        stage.broker.acknowledge(stage.receipts)
        await _again(stage)
        await publish(server, b"3")
        await stage.got(1)
        assert stage.payloads == [b"3"]


async def test_it_comes_again_after_the_exporter_was_stopped_and_what_arrived_meanwhile_too(server: Mosquitto) -> None:
    async with connected(server) as stage:
        assert not stage.broker.session_present
        await publish(server, b"kept", b"done")
        await stage.got(2)
        stage.broker.acknowledge(stage.receipts[1:])
    await publish(server, b"missed")
    async with connected(server) as stage:
        await stage.got(2)
        assert stage.broker.session_present
        assert stage.payloads == [b"kept", b"missed"]


async def test_what_the_session_kept_may_be_acknowledged_as_soon_as_it_arrives(server: Mosquitto) -> None:
    got: list[bytes] = []

    def take(message: Message) -> None:
        got.append(message.payload)
        assert message.receipt is not None
        stage.broker.acknowledge((message.receipt,))

    async with connected(server):
        pass
    await publish(server, b"0", b"1")
    async with running(settings_for(server), on_message=take) as stage:
        await stage.connected()
        await wait_until(lambda: len(got) == 2, 5, "what was kept")
        assert stage.broker.stale_receipts == 0
        await _again(stage)
        await publish(server, b"2")
        await wait_until(lambda: len(got) > 2, 5, "the next message")
        assert got == [b"0", b"1", b"2"]


async def test_receipts_of_an_older_connection_acknowledge_nothing(server: Mosquitto) -> None:
    async with connected(server) as stage:
        await publish(server, b"0")
        await stage.got(1)
        old = stage.receipts
        await _again(stage)
        await stage.got(1)
        assert old[0].mid == stage.receipts[0].mid
        stage.broker.acknowledge(old)
        assert stage.broker.stale_receipts == 1
        await _again(stage)
        await stage.got(1)
        assert stage.broker.stale_receipts == 1


async def test_receipts_are_stale_while_there_is_no_connection(server: Mosquitto) -> None:
    async with connected(server) as stage:
        await publish(server, b"0")
        await stage.got(1)
        await server.stop()
        await stage.lost()
        stage.broker.acknowledge(stage.receipts)
        assert stage.broker.stale_receipts == 1


async def test_far_more_than_the_brokers_default_window_may_wait_for_acknowledgement(server: Mosquitto) -> None:
    count = 300
    async with connected(server) as stage:
        await publish(server, *(b"%d" % number for number in range(count)))
        await stage.got(count)
        assert stage.payloads == [b"%d" % number for number in range(count)]
        stage.broker.acknowledge(stage.receipts)
        await _again(stage)
        await publish(server, b"next")
        await stage.got(1)


@VERSIONS
async def test_a_stream_goes_on_with_acknowledgements_in_batches(server: Mosquitto, protocol: Protocol) -> None:
    count = 2000
    waiting: list[Message] = []
    seen: set[bytes] = set()

    async def commit(stage: Stage) -> None:
        while len(seen) < count:
            await asyncio.sleep(0.01)
            batch = [message.receipt for message in waiting if message.receipt is not None]
            seen.update(message.payload for message in waiting)
            waiting.clear()
            stage.broker.acknowledge(batch)

    settings = settings_for(server, protocol=protocol)
    async with running(settings, on_message=waiting.append) as stage:
        await stage.connected()
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(commit(stage))
            async with publisher(server) as client:
                for start in range(0, count, 100):
                    numbers = range(start, start + 100)
                    await asyncio.gather(*(client.publish(TOPIC, b"%d" % number, qos=1) for number in numbers))
        assert seen == {b"%d" % number for number in range(count)}
        assert stage.broker.stale_receipts == 0


async def test_quality_0_needs_no_receipt(server: Mosquitto) -> None:
    async with connected(server) as stage:
        await publish(server, b"0", qos=0)
        await stage.got(1)
        assert stage.messages == [Message(TOPIC, b"0", False, False, None)]


async def test_quality_2_is_asked_for_as_1(server: Mosquitto) -> None:
    async with running(settings_for(server), qos=2) as stage:
        await stage.connected()
        await publish(server, b"0", qos=2)
        await stage.got(1)
        assert stage.receipts


async def test_retained_messages_are_told_apart(server: Mosquitto) -> None:
    await publish(server, b"old", retain=True)
    async with connected(server) as stage:
        await stage.got(1)
        await publish(server, b"new")
        await stage.got(2)
        assert [(message.payload, message.retain) for message in stage.messages] == [(b"old", True), (b"new", False)]


@VERSIONS
async def test_a_huge_payload_is_dropped_and_breaks_nothing(server: Mosquitto, protocol: Protocol) -> None:
    async with connected(server, protocol=protocol) as stage:
        await publish(server, b"before", b"x" * 10_000_000, b"y" * 256 * 1024, b"after")
        await stage.got(3, within_s=10)
        assert [payload[:6] for payload in stage.payloads] == [b"before", b"yyyyyy", b"after"]
        assert stage.broker.oversized == 1
        stage.broker.acknowledge(stage.receipts)
        await _again(stage)
        await publish(server, b"next")
        await stage.got(1)
        assert stage.broker.oversized == 1


async def test_subscriptions_come_and_go_and_outlive_the_connection(server: Mosquitto) -> None:
    async with connected(server, "meter/a") as stage:
        await stage.broker.subscribe({"meter/b": 1, "meter/c": 0})
        await stage.broker.unsubscribe(["meter/a", "meter/never"])
        await publish(server, b"a", topic="meter/a")
        await publish(server, b"b", topic="meter/b")
        await publish(server, b"c", topic="meter/c")
        await stage.got(2)
        assert [message.receipt is None for message in stage.messages] == [False, True]
        stage.broker.acknowledge(stage.receipts)
        await _again(stage)
        await publish(server, b"b", topic="meter/b")
        await stage.got(1)


async def test_subscriptions_made_while_the_broker_is_away_are_in_place_afterwards(server: Mosquitto) -> None:
    async with connected(server, "meter/a") as stage:
        await server.kill()
        await stage.lost()
        await stage.broker.subscribe({"meter/b": 1})
        await stage.broker.unsubscribe(["meter/a"])
        await server.start()
        await stage.connected(10)
        assert not stage.broker.session_present
        await publish(server, b"a", topic="meter/a")
        await publish(server, b"b", topic="meter/b")
        await stage.got(1)
        assert stage.payloads == [b"b"]


async def test_subscriptions_made_in_the_moment_of_loss_are_in_place_afterwards(server: Mosquitto) -> None:
    async with connected(server, "meter/a") as stage:
        stage.connection.close()
        await stage.broker.subscribe({"meter/b": 1})
        await stage.broker.unsubscribe(["meter/a"])
        await stage.lost()
        await stage.connected()
        await publish(server, b"b", topic="meter/b")
        await stage.got(1)


async def test_nothing_is_handed_on_after_the_stop(server: Mosquitto) -> None:
    got: list[Message] = []

    def take(message: Message) -> None:
        got.append(message)
        time.sleep(BURST_S * 2)  # so that the rest has to wait for its turn

    async with connected(server):
        pass
    await publish(server, *(b"%d" % number for number in range(50)))
    async with running(settings_for(server), on_message=take) as stage:
        await wait_until(lambda: len(got) > 1, 5, "two messages", interval_s=0)
        await stage.stop()
        count = len(got)
        assert count < 50
        await asyncio.sleep(BURST_S * 4)
        assert len(got) == count


async def test_nothing_is_subscribed_when_nothing_is_asked_for(server: Mosquitto) -> None:
    async with running(settings_for(server), subscriptions={}) as stage:
        await stage.connected()
        assert stage.broker.reason is None


@VERSIONS
async def test_publishing(server: Mosquitto, protocol: Protocol) -> None:
    async with connected(server, protocol=protocol) as stage:
        stage.broker.publish("meter/rpc", b"request")
        await stage.got(1)
        assert (stage.messages[0].topic, stage.messages[0].payload) == ("meter/rpc", b"request")
        stage.broker.publish("meter/rpc", b"once", qos=0)
        await stage.got(2)


async def test_publishing_without_a_connection_is_refused_with_the_reason(server: Mosquitto) -> None:
    async with connected(server) as stage:
        stage.break_off()
        await stage.lost()
        with pytest.raises(LinkClosedError, match="closed the connection"):
            stage.broker.publish("meter/rpc", b"request")
        await stage.connected()
        stage.connection.close()
        with pytest.raises(LinkClosedError, match="has ended"):
            stage.broker.publish("meter/rpc", b"request")
        await stage.stop()
        with pytest.raises(LinkClosedError, match="is stopping"):
            stage.broker.publish("meter/rpc", b"request")


async def test_publishing_before_the_first_connection_is_refused(server: Mosquitto) -> None:
    async with running(settings_for(server)) as stage:
        with pytest.raises(LinkClosedError, match="not connected"):
            stage.broker.publish("meter/rpc", b"request")


async def test_what_the_receiver_raises_costs_that_message_only(
    server: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[bytes] = []

    def take(message: Message) -> None:
        if message.payload == b"poison":
            raise RuntimeError("a fault of ours")
        got.append(message.payload)

    async with running(settings_for(server), on_message=take) as stage:
        await stage.connected()
        await publish(server, b"0", b"poison", b"1", b"poison", b"2")
        await wait_until(lambda: len(got) == 3, 5, "the other messages")
        assert got == [b"0", b"1", b"2"]
        assert stage.broker.failed == 2
        told = [record.exc_text or "" for record in caplog.records if record.levelname == "ERROR"]
        assert len(told) == 1
        assert "a fault of ours" in told[0]
        await _again(stage)
        await publish(server, b"3")
        await wait_until(lambda: got[-1] == b"3", 5, "the next message")
        assert stage.broker.failed == 2


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are only listed on Linux")
@pytest.mark.parametrize("moment", ["dialling", "connected", "waiting"])
async def test_a_stopped_connection_leaves_nothing_behind(server: Mosquitto, moment: str) -> None:
    def sockets() -> set[str]:
        links = (link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
        return {str(name) for name in links if str(name).startswith("socket:")}

    loop = asyncio.get_running_loop()
    if moment == "waiting":
        await server.stop()
    before = sockets()
    threads = threading.active_count()
    watched = len(loop._selector.get_map())  # type: ignore[attr-defined]
    async with running(settings_for(server)) as stage:
        if moment == "connected":
            await stage.connected()
        elif moment == "waiting":
            await stage.said("start it")
        else:
            await asyncio.sleep(0)
    assert sockets() <= before
    assert threading.active_count() == threads
    assert len(loop._selector.get_map()) == watched  # type: ignore[attr-defined]
    assert [handle for handle in loop._scheduled if not handle.cancelled()] == []  # type: ignore[attr-defined]
    assert {task for task in asyncio.all_tasks() if task is not asyncio.current_task()} == set()
    assert stage.states[-1] == (False, "the exporter is stopping") or moment == "waiting"
    assert not stage.broker.connected


async def test_leaving_is_orderly(server: Mosquitto) -> None:
    async with connected(server) as stage:
        await publish(server, b"0")
        await stage.got(1)
        stage.broker.acknowledge(stage.receipts)
    await wait_until(
        lambda: "Client shelly-exporter disconnected." in server.process.tail(30), 5, "Mosquitto has seen it leave"
    )
    async with connected(server) as stage:
        await publish(server, b"1")
        await stage.got(1)
        assert stage.payloads == [b"1"]
