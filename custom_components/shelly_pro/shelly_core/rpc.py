"""Questions and answers: sends a request on a given link and waits for its reply, on whatever link that comes."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from .auth import THROTTLE_S
from .errors import AuthError, FrameError, LinkError, LinkTimeoutError, RpcError, ShellyError
from .frame import Json, Notification, RpcFault
from .link import Link, Transport
from .session import Reply, Request, Session


class Answer(NamedTuple):
    """A result with our own times of asking and answering, in Unix seconds."""

    request: Request
    result: Json
    source: str
    asked: float
    answered: float


class _Waiting(NamedTuple):
    transport: Transport
    outcome: asyncio.Future[Answer]
    asked: float


class Rpc:
    """All requests to one device.

    `vet` sees each reply, even a refusal, and raises a `ShellyError` for one of another device; `on_answer` sees each
    result before whoever waits for it, and may refuse it in the same way.
    """

    def __init__(
        self,
        source: str,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        vet: Callable[[Reply], None],
        on_answer: Callable[[Answer, Transport], None],
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._vet = vet
        self._on_answer = on_answer
        # Answers to an earlier run under the same name may still be under way: do not count from 1.
        self._session = Session(source, first_id=secrets.randbelow(1 << 24) + 1)
        self._waiting: dict[int, _Waiting] = {}

    @property
    def unknown_replies(self) -> int:
        """How many answers came that nobody waited for any more."""
        return self._session.unknown_replies

    async def ask(self, link: Link, method: str, params: Mapping[str, Any] | None, timeout_s: float) -> Answer:
        """Ask on `link`. Raises `RpcError`, `LinkError`, `AuthError`, `FrameError`."""
        request = self._session.request(method, params, now=self._clock(), timeout_s=timeout_s)
        outcome: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = _Waiting(link.transport, outcome, self._wall())
        try:
            async with asyncio.timeout(timeout_s):
                await link.send(request.frame)
                if link.transport is Transport.HTTP and not outcome.done():
                    # The answer to the POST was no reply to it, and no other will come.
                    raise FrameError("no reply")
                return await outcome
        except TimeoutError as err:
            raise LinkTimeoutError(f"no answer to {method} within {timeout_s:g} s") from err
        finally:
            self._session.cancel(request.id)
            del self._waiting[request.id]
            if outcome.done() and not outcome.cancelled():
                outcome.exception()  # whoever waited has got its own error

    def handle(self, data: bytes, transport: Transport) -> Notification | None:
        """Take a frame that came in; a notification is returned, a reply goes to its question. Raises `FrameError`."""
        frame = self._session.handle(data, self._clock())
        if type(frame) is Notification:
            return frame
        if type(frame) is Reply:
            self._settle(frame, transport)
        return None

    def give_up(self, error: LinkError, *transports: Transport) -> None:
        """Let everybody who waits for an answer to a question on one of the links fail with `error`."""
        for waiting in self._waiting.values():
            if waiting.transport in transports and not waiting.outcome.done():
                waiting.outcome.set_exception(error)

    def _settle(self, reply: Reply, transport: Transport) -> None:
        _, outcome, asked = self._waiting[reply.request.id]
        if outcome.done():
            return
        try:
            self._vet(reply)
            if reply.error is not None:
                raise _error(reply.error, reply.request)
            answer = Answer(reply.request, reply.result, reply.source, asked, self._wall())
            self._on_answer(answer, transport)
        except ShellyError as err:
            outcome.set_exception(err)
        else:
            outcome.set_result(answer)


def _error(error: RpcFault, request: Request) -> ShellyError:
    if error.code == HTTPStatus.UNAUTHORIZED:
        return AuthError("the device wants a password")
    if error.code == HTTPStatus.TOO_MANY_REQUESTS:
        return LinkError(error.message, retry_after_s=THROTTLE_S)
    return RpcError(error.code, error.message, request.method)
