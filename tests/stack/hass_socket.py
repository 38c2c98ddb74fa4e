"""Home Assistant's WebSocket API: numbered commands, their answers, and events of subscriptions."""

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from tests.stack.processes import StackError

if TYPE_CHECKING:
    import aiohttp

type Listener = Callable[[Any], None]

ANSWER_S = 60.0


class HassError(StackError):
    """Home Assistant refused a command; `code` is its own, such as `not_found` or `invalid_format`."""

    def __init__(self, command: str, code: str, message: str) -> None:
        super().__init__(f"Home Assistant refused {command}: {code}: {message}")
        self.code = code


class HassSocket:
    """One authenticated connection; use as a context manager."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str) -> None:
        self._session = session
        self._url = f"{base_url}/api/websocket"
        self._token = token
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._listeners: dict[int, Listener] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        socket = await self._session.ws_connect(self._url, max_msg_size=0)
        await socket.receive_json(timeout=ANSWER_S)
        await socket.send_json({"type": "auth", "access_token": self._token})
        greeting = await socket.receive_json(timeout=ANSWER_S)
        if greeting["type"] != "auth_ok":
            await socket.close()
            raise HassError("auth", greeting["type"], greeting.get("message", ""))
        self._socket = socket
        self._reader = asyncio.create_task(self._read(socket))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader

    async def command(self, kind: str, **fields: Any) -> Any:
        """Send one command and return its `result`; HassError when refused, StackError when the connection is gone."""
        return await self._send(next(self._ids), kind, fields)

    async def subscribe(self, kind: str, listener: Listener, **fields: Any) -> int:
        """Subscribe and return the subscription's number; `listener` is given each event's body."""
        number = next(self._ids)
        self._listeners[number] = listener
        await self._send(number, kind, fields)
        return number

    async def unsubscribe(self, number: int) -> None:
        """End the subscription `number`."""
        await self.command("unsubscribe_events", subscription=number)
        del self._listeners[number]

    async def _send(self, number: int, kind: str, fields: dict[str, Any]) -> Any:
        if self._socket is None or self._socket.closed:
            raise StackError(f"The connection to Home Assistant is gone ({kind} was not sent): look at its log")
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_json({"id": number, "type": kind} | fields)
            async with asyncio.timeout(ANSWER_S):
                message = await answer
        except TimeoutError as error:
            raise StackError(f"Home Assistant did not answer {kind} within {ANSWER_S:g} s") from error
        finally:
            del self._answers[number]
        if not message["success"]:
            raise HassError(kind, message["error"]["code"], message["error"]["message"])
        return message.get("result")

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            message = frame.json()
            number = message["id"]
            if message["type"] == "event" and (listener := self._listeners.get(number)):
                listener(message["event"])
            elif (answer := self._answers.get(number)) and not answer.done():
                answer.set_result(message)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(StackError("Home Assistant closed the connection: look at its log"))
