"""A short session on the broker beside the exporter's own: what it hears of devices, and questions to them."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Self

from shelly_core import FrameError, Json, LinkTimeoutError, Notification, RpcError, Session
from shelly_exporter.broker import Broker, Message
from shelly_exporter.settings import Mqtt

ANSWER_S: Final = 3.0
_ONLINE = "/online"
_STATES: Mapping[bytes, bool] = {b"true": True, b"false": False}


class UnconnectedError(Exception):
    """There is no connection to the broker; the text says why, and what to do."""


class Visit:
    """Connected while the context lasts. Nothing of it stays on the broker; the exporter's session is left alone."""

    def __init__(self, settings: Mqtt) -> None:
        self.source = f"{settings.client_id}-check"
        """The client id, to which devices answer."""
        self.online: dict[str, bool] = {}
        """What the broker has kept of each device, by its topic prefix: whether it is connected."""
        self._answers = f"{self.source}/rpc"
        self._session = Session(self.source)
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._state: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._filters = {self._answers: 1} | {f"{prefix}{_ONLINE}": 1 for prefix in settings.prefixes}
        self.broker = Broker(
            replace(settings, client_id=self.source, session_expiry_s=0),
            subscriptions=self._filters,
            on_message=self._take,
            on_state=self._take_state,
        )
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Connect. Raises `UnconnectedError`."""
        self._task = asyncio.create_task(self.broker.run())
        reason = await self._state
        if reason is not None:
            await self._leave()
            raise UnconnectedError(reason)
        return self

    async def __aexit__(self, *_: object) -> None:
        # MQTT 3.1.1 has no other way to leave nothing behind.
        await self.broker.unsubscribe(self._filters)
        await self._leave()

    async def ask(self, prefix: str, method: str) -> dict[str, Any]:
        """Ask the device with this topic prefix.

        Raises `LinkTimeoutError`, `LinkClosedError`, `RpcError` for a refusal, and `FrameError` for no object.
        """
        request = self._session.request(method, now=time.monotonic(), timeout_s=ANSWER_S)
        answer = self._waiting[request.id] = asyncio.get_running_loop().create_future()
        try:
            self.broker.publish(f"{prefix}/rpc", request.frame)
            async with asyncio.timeout(ANSWER_S):
                result = await answer
        except TimeoutError:
            raise LinkTimeoutError(f"no answer within {ANSWER_S:.0f} s") from None
        finally:
            self._session.cancel(request.id)
            del self._waiting[request.id]
        if not isinstance(result, dict):
            raise FrameError("not an object")
        return result

    def _take(self, message: Message) -> None:
        if message.topic == self._answers:
            self._take_answer(message.payload)
        elif message.topic.endswith(_ONLINE) and (online := _STATES.get(message.payload)) is not None:
            self.online[message.topic.removesuffix(_ONLINE)] = online
        if message.receipt is not None:
            self.broker.acknowledge((message.receipt,))

    def _take_answer(self, payload: bytes) -> None:
        with suppress(FrameError):
            reply = self._session.handle(payload, time.monotonic())
            if reply is None or isinstance(reply, Notification):
                return
            answer = self._waiting[reply.request.id]
            if answer.done():  # given up in this very moment
                return
            if reply.error is not None:
                answer.set_exception(RpcError(reply.error.code, reply.error.message, reply.request.method))
            else:
                answer.set_result(reply.result)

    def _take_state(self, connected: bool, reason: str) -> None:
        if not self._state.done():
            self._state.set_result(None if connected else reason)

    async def _leave(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
