"""The exporter's broker connection against a real Mosquitto, with a publisher beside it."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt

from shelly_exporter.broker import Broker, Message, Receipt
from shelly_exporter.broker.connection import Connection
from shelly_exporter.settings import Mqtt
from tests.stack.mosquitto import Account
from tests.stack.mosquitto import Broker as Mosquitto
from tests.stack.processes import Process, accepts, free_port, wait_until
from tests.stack.server import program

EXPORTER = "exporter"
DEVICE = "device"
TOPIC = "meter/events/rpc"


def mosquitto(directory: Path, *, persistence: bool = False) -> Mosquitto:
    """A broker with an account for the exporter, which may read `meter/#`, and one for devices."""
    accounts = (
        Account(user=EXPORTER, rules=("read meter/#", "write meter/rpc")),
        Account(user=DEVICE, rules=("readwrite meter/#", "readwrite secret/#")),
    )
    return Mosquitto(directory, accounts=accounts, persistence=persistence)


@contextlib.asynccontextmanager
async def strict_mosquitto(directory: Path) -> AsyncIterator[int]:
    """A Mosquitto that refuses subscriptions, as its access file never does: `exporter`, "secret", only `meter/#`."""
    salt = os.urandom(12)
    allowed = [
        {"acltype": kind, "topic": "meter/#", "priority": 0, "allow": True}
        for kind in ("subscribePattern", "publishClientSend", "publishClientReceive")
    ]
    client = {
        "username": EXPORTER,
        "password": base64.b64encode(hashlib.pbkdf2_hmac("sha512", b"secret", salt, 101)).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": 101,
        "roles": [{"rolename": "reader"}],
    }
    (directory / "security.json").write_text(
        json.dumps({"clients": [client], "groups": [], "roles": [{"rolename": "reader", "acls": allowed}]})
    )
    port = free_port()
    options = f"plugin {_security_plugin()}\nplugin_opt_config_file {directory / 'security.json'}\n"
    async with _configured(directory, port, options):
        yield port


def _security_plugin() -> Path:
    return next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))


@contextlib.asynccontextmanager
async def tls_mosquitto(directory: Path, *, client_certificates: bool) -> AsyncIterator[int]:
    """A Mosquitto that speaks nothing but TLS, with the files that `certificates` makes."""
    port = free_port()
    options = (
        f"cafile {directory / 'ca.pem'}\ncertfile {directory / 'broker.pem'}\nkeyfile {directory / 'broker.key'}\n"
        f"require_certificate {str(client_certificates).lower()}\nallow_anonymous true\n"
    )
    async with _configured(directory, port, options):
        yield port


@contextlib.asynccontextmanager
async def _configured(directory: Path, port: int, options: str) -> AsyncIterator[None]:
    configuration = directory / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nuser root\nset_tcp_nodelay true\n{options}")
    argv = (program("mosquitto"), "-c", configuration)
    async with Process("Mosquitto", argv, log=directory / "mosquitto.log") as process:
        await process.wait_until(lambda: accepts(port), 10, f"Mosquitto listens on port {port}")
        yield


def settings_for(server: Mosquitto, **changes: Any) -> Mqtt:
    """How the exporter reaches that broker."""
    chosen: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "username": EXPORTER,
        "password": server.password(EXPORTER),
    }
    return Mqtt(**chosen | changes)


@dataclass
class Stage:
    """What the connection under test has told so far."""

    broker: Broker = field(init=False)
    task: asyncio.Task[None] = field(init=False)
    messages: list[Message] = field(default_factory=list)
    states: list[tuple[bool, str]] = field(default_factory=list)

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]

    @property
    def receipts(self) -> list[Receipt]:
        return [message.receipt for message in self.messages if message.receipt is not None]

    @property
    def reason(self) -> str:
        return self.broker.reason or ""

    @property
    def connection(self) -> Connection:
        assert self.broker._connection is not None
        return self.broker._connection

    async def connected(self, within_s: float = 5) -> None:
        await wait_until(lambda: self.broker.connected, within_s, "the exporter is connected", interval_s=0.01)

    async def lost(self, within_s: float = 5) -> None:
        await wait_until(lambda: not self.broker.connected, within_s, "the exporter lost the broker", interval_s=0.01)

    async def got(self, count: int, within_s: float = 5) -> None:
        """Wait until exactly so many messages are there."""
        await wait_until(lambda: len(self.messages) >= count, within_s, f"{count} messages", interval_s=0.01)
        assert len(self.messages) == count

    async def said(self, words: str, within_s: float = 5) -> None:
        await wait_until(lambda: words in self.reason, within_s, f"a reason with {words!r}")

    def break_off(self) -> None:
        """End the connection as a broken network would, without a word to the broker."""
        sock = self.connection._client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@contextlib.asynccontextmanager
async def running(settings: Mqtt, *filters: str, qos: int = 1, **options: Any) -> AsyncIterator[Stage]:
    """A connection that runs; it may not be there yet. The shortest pauses, so that tests are quick."""
    stage = Stage()
    chosen: dict[str, Any] = {
        "subscriptions": dict.fromkeys(filters or ("meter/#",), qos),
        "on_message": stage.messages.append,
        "on_state": lambda up, reason: stage.states.append((up, reason)),
        "chance": lambda: 1.0,
    } | options
    stage.broker = Broker(settings, **chosen)
    stage.task = asyncio.create_task(stage.broker.run())
    try:
        yield stage
    finally:
        await stage.stop()


@contextlib.asynccontextmanager
async def connected(server: Mosquitto, *filters: str, **changes: Any) -> AsyncIterator[Stage]:
    """As `running`, and the connection is there."""
    async with running(settings_for(server, **changes), *filters) as stage:
        await stage.connected()
        yield stage


@contextlib.asynccontextmanager
async def publisher(server: Mosquitto) -> AsyncIterator[aiomqtt.Client]:
    """A device that may write anything the exporter reads."""
    async with aiomqtt.Client(
        server.host, server.port, username=DEVICE, password=server.password(DEVICE), timeout=10
    ) as client:
        yield client


async def publish(server: Mosquitto, *payloads: bytes, topic: str = TOPIC, qos: int = 1, retain: bool = False) -> None:
    """Publish these payloads; returns when the broker has them."""
    async with publisher(server) as client:
        for payload in payloads:
            await client.publish(topic, payload, qos=qos, retain=retain)
