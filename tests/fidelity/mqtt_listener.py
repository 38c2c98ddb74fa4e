"""What a broker carries, heard by a client that may read everything."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import aiomqtt

from tests.stack.mosquitto import HOME_ASSISTANT, Broker


class Listener:
    """All messages since it was made, in the order they arrived."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._arrived = asyncio.Event()
        self.messages: list[aiomqtt.Message] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, broker: Broker) -> AsyncIterator[Self]:
        """Listen to `broker` until the block ends."""
        async with aiomqtt.Client(
            broker.host, broker.port, username=HOME_ASSISTANT, password=broker.password(HOME_ASSISTANT)
        ) as client:
            await client.subscribe("#", qos=1)
            listener = cls(client)
            reader = asyncio.create_task(listener._read())
            try:
                yield listener
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    async def publish(self, topic: str, payload: str | bytes | dict[str, Any]) -> None:
        """Publish text, bytes or an object as JSON."""
        await self._client.publish(topic, json.dumps(payload) if isinstance(payload, dict) else payload, qos=1)

    async def next(
        self, topic: str, holds: Callable[[Any], bool] = lambda _: True, *, after: int = 0, deadline_s: float = 10.0
    ) -> aiomqtt.Message:
        """Return the first message on `topic`, from index `after` on, whose payload (decoded JSON) `holds`."""
        async with asyncio.timeout(deadline_s):
            while True:
                self._arrived.clear()
                for message in self.messages[after:]:
                    if message.topic.value == topic and holds(payload_of(message)):
                        return message
                await self._arrived.wait()

    async def call(self, topic: str, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call an RPC method over MQTT and return the response frame."""
        start = len(self.messages)
        frame = {"id": start, "src": f"test/{start}", "method": method, "params": params or {}}
        await self.publish(topic, frame)
        reply: dict[str, Any] = payload_of(await self.next(f"test/{start}/rpc", after=start))
        return reply

    def topics(self) -> list[str]:
        """Return the topics heard, in order."""
        return [message.topic.value for message in self.messages]

    async def _read(self) -> None:
        async for message in self._client.messages:
            self.messages.append(message)
            self._arrived.set()


def payload_of(message: aiomqtt.Message) -> Any:
    """Return the payload decoded from JSON, as bytes where it is none."""
    assert isinstance(message.payload, bytes)
    try:
        return json.loads(message.payload)
    except ValueError:
        return message.payload
