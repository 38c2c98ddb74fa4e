"""The connection while the broker is away, hangs, refuses, or is none: it comes back by itself and says what to do."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from shelly_exporter.broker import STABLE_S
from shelly_exporter.broker import connection as broker_connection
from shelly_exporter.settings import Mqtt, Protocol
from tests.exporter.broker_stage import (
    EXPORTER,
    connected,
    mosquitto,
    publish,
    running,
    settings_for,
    strict_mosquitto,
)
from tests.exporter.mqtt_fake import FakeBroker
from tests.stack.mosquitto import Broker as Mosquitto
from tests.stack.processes import free_port, wait_until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A broker."""
    async with mosquitto(tmp_path / "mosquitto") as server:
        yield server


async def test_a_killed_broker_is_found_again_when_it_is_back(
    server: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with connected(server) as stage:
        await server.kill()
        await stage.lost()
        await stage.said(f"no broker listens on 127.0.0.1:{server.port}: start it")
        assert not stage.broker.connected
        assert stage.broker.version is None
        await server.start()
        await stage.connected(10)
        assert stage.broker.reason is None
        await publish(server, b"0")
        await stage.got(1)
        assert [up for up, _ in stage.states] == [True, False, True]
        assert [reason for _, reason in stage.states] == [
            f"connected to 127.0.0.1:{server.port} with MQTT 5, its session is new",
            "the broker closed the connection",
            f"connected to 127.0.0.1:{server.port} with MQTT 5, its session is new",
        ]
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == [
        "MQTT: the broker closed the connection",
        f"MQTT: no broker listens on 127.0.0.1:{server.port}: start it, or correct mqtt.host and mqtt.port",
    ]


async def test_a_broker_that_keeps_its_sessions_delivers_again_after_a_restart(tmp_path: Path) -> None:
    async with mosquitto(tmp_path, persistence=True) as server, connected(server) as stage:
        await publish(server, b"0", b"1")
        await stage.got(2)
        stage.broker.acknowledge(stage.receipts[:1])
        # Whatever Mosquitto answers after the acknowledgement proves that it has it.
        await stage.broker.subscribe({"meter/#": 1})
        stage.messages.clear()
        await server.restart()
        await stage.lost()
        assert stage.states[-1] == (False, "the broker closed the connection")
        await stage.connected(10)
        assert stage.broker.session_present
        await stage.got(1)
        assert (stage.messages[0].payload, stage.messages[0].duplicate) == (b"1", True)


async def test_a_broker_that_hangs_is_noticed_in_time(server: Mosquitto) -> None:
    async with connected(server, keepalive_s=2) as stage:
        loop = asyncio.get_running_loop()
        server.suspend()
        begun = loop.time()
        await stage.lost(10)
        assert 0.9 < loop.time() - begun < 2 * 1.5
        assert stage.states[-1] == (
            False,
            "the broker has been silent for 2 s; it hangs, or the network is broken",
        )
        server.resume()
        await stage.connected(10)
        await publish(server, b"0")
        await stage.got(1)


async def test_a_broker_with_nothing_to_tell_is_not_taken_for_dead(server: Mosquitto) -> None:
    async with connected(server, keepalive_s=1) as stage:
        await asyncio.sleep(3.2)
        assert stage.broker.connected
        assert len(stage.states) == 1


async def test_a_hanging_broker_that_accepts_connections_is_told(
    server: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_connection, "ANSWER_S", 0.1)
    server.suspend()
    try:
        async with running(settings_for(server)) as stage:
            await stage.said("accepts connections, but does not answer")
            server.resume()
            await stage.connected()
    finally:
        server.resume()


@pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
async def test_a_wrong_password_is_told_until_it_is_right(server: Mosquitto, protocol: Protocol) -> None:
    settings = settings_for(server, password="to come", protocol=protocol)
    async with running(settings) as stage:
        await stage.said("refuses the user name or password: correct mqtt.username and mqtt.password")
        assert stage.states == [(False, stage.broker.reason)]
        await server.change_password(EXPORTER, "to come")
        await stage.connected(10)
        assert stage.broker.reason is None
        assert [up for up, _ in stage.states] == [False, True]
        await server.change_password(EXPORTER, "another")
        await stage.lost(10)
        await stage.said("correct mqtt.username and mqtt.password", 10)


async def test_an_anonymous_client_is_told_what_is_missing(server: Mosquitto) -> None:
    async with running(settings_for(server, username=None, password=None)) as stage:
        await stage.said("wants a user name and a password: set mqtt.username")


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (Protocol.V5, "the broker does not let user 'exporter' read secret/#: allow it"),
        (Protocol.V311, "the broker refuses user 'exporter' the subscription to secret/# (reason code 128)"),
    ],
)
async def test_a_refused_subscription_is_told_and_the_others_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: Protocol, words: str
) -> None:
    async with strict_mosquitto(tmp_path) as port:
        settings = Mqtt(port=port, username=EXPORTER, password="secret", protocol=protocol)
        async with running(settings, "meter/#", "secret/#") as stage:
            await stage.connected()
            assert stage.reason.startswith(words)
            assert "meter" not in stage.reason
            assert any(words in record.getMessage() for record in caplog.records)
            stage.broker.publish("meter/rpc", b"0")
            await stage.got(1)
            assert [up for up, _ in stage.states] == [True]
            await stage.broker.unsubscribe(["secret/#"])
            assert stage.broker.reason is None
            await stage.broker.subscribe({"secret/again": 1})
            assert "secret/again" in stage.reason


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (b"\xe0\x01\x8e", "another program connected as 'shelly-exporter': give each a mqtt.client_id of its own"),
        (b"\xe0\x02\x8b\x00", "the broker shuts down"),
        (b"\xe0\x02\x97\x00", "the broker closed the connection with reason code 151: look into its log"),
        (b"\xe0\x00", "the broker closed the connection"),
    ],
)
async def test_a_broker_that_says_why_it_ends_is_quoted(packet: bytes, words: str) -> None:
    async with FakeBroker(lambda _: b"\x20\x03\x00\x00\x00") as fake, running(fake.settings) as stage:
        await stage.connected()
        await fake.send(packet)
        await stage.lost()
        assert stage.states[-1] == (False, words)


async def test_who_is_thrown_out_again_and_again_waits_longer_each_time_and_is_told_a_cause() -> None:
    async with (
        FakeBroker(lambda _: b"\x20\x03\x00\x00\x00", then_close=True) as fake,
        running(fake.settings, subscriptions={}) as stage,
    ):
        await stage.said("if another program uses the client id 'shelly-exporter', change mqtt.client_id", 10)
        assert len(fake.levels) == 3
        assert stage.broker._backoff._failures == 3


async def test_a_connection_that_lasted_begins_with_the_shortest_pause(server: Mosquitto) -> None:
    now = 0.0
    async with running(settings_for(server), clock=lambda: now) as stage:
        await stage.connected()
        stage.broker._backoff.next_s()
        stage.broker._backoff.next_s()
        now += STABLE_S + 1
        stage.break_off()
        await stage.lost()
        assert stage.broker._backoff._failures == 1


async def test_auto_falls_back_to_3_1_1() -> None:
    def greet(level: int) -> bytes:
        return b"\x20\x02\x00\x01" if level == 5 else b"\x20\x02\x01\x00"

    async with FakeBroker(greet) as fake, running(fake.settings) as stage:
        await stage.connected()
        assert fake.levels == [5, 4]
        assert stage.broker.version == "3.1.1"
        assert stage.broker.session_present


async def test_a_version_that_is_demanded_is_not_replaced() -> None:
    async with (
        FakeBroker(lambda _: b"\x20\x03\x00\x84\x00") as fake,
        running(replace(fake.settings, protocol=Protocol.V5)) as stage,
    ):
        await stage.said("does not speak this version of MQTT: set mqtt.protocol to 'auto'")
        assert fake.levels == [5]


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100, b"\x20\x02\x00\xff" * 10, b"\x32\x02\x00\x09"],
)
async def test_what_is_no_broker_is_told(answer: bytes) -> None:
    async with FakeBroker(lambda _: answer) as fake, running(fake.settings) as stage:
        await wait_until(lambda: stage.broker.reason is not None, 5, "a reason")
        assert "MQTT" in stage.reason
        assert stage.states == [(False, stage.broker.reason)]


async def test_a_broker_that_closes_without_a_word_is_told() -> None:
    async with FakeBroker(lambda _: b"", then_close=True) as fake, running(fake.settings) as stage:
        await stage.said("closed the connection without an answer: if it wants TLS, set mqtt.tls")


async def test_a_name_nobody_knows_is_told() -> None:
    async with running(Mqtt(host="no-such-host.invalid")) as stage:
        await stage.said("the broker's name 'no-such-host.invalid' is not known here: correct mqtt.host", 10)


async def test_nobody_listening_is_told_for_a_name_too() -> None:
    port = free_port()
    async with running(Mqtt(host="localhost", port=port)) as stage:
        await stage.said(f"no broker listens on localhost:{port}: start it")


async def test_no_answer_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(broker_connection, "DIAL_S", 0.05)
    monkeypatch.setattr(broker_connection, "connected_socket", never)
    async with running(Mqtt()) as stage:
        await stage.said("127.0.0.1:1883 does not answer")
