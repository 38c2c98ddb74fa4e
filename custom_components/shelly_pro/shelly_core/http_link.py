"""The HTTP road to a device: each frame is one POST, its reply the answer."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
from yarl import URL

from .auth import USERNAME, refusal
from .device_info import DeviceInfo
from .errors import AuthError, FrameError, LinkClosedError, LinkError, LinkTimeoutError
from .frame import MAX_FRAME_BYTES, decode_json
from .link import Signal, Transport

TIMEOUT_S = 10.0

BUSY_S = 1.0
"""All six connections of a device are taken: somebody else will be done soon."""

LONGEST_PAUSE_S = 600.0
"""A device that wants to be left alone for longer is asked whether it still does."""


class HttpLink:
    """A link over HTTP on an injected session; a device never talks first on it, so it has to be polled.

    One request at a time: a device has six connections for everybody.
    """

    transport = Transport.HTTP

    def __init__(
        self,
        session: aiohttp.ClientSession,
        host: str,
        *,
        port: int = 80,
        password: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Address the device by host name or IP address; nothing is sent yet."""
        self._session = session
        self._url = _url(host, port, "/rpc")
        self._password = password
        self.timeout_s = timeout_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._digest = self._fresh_digest()
        self._turn = asyncio.Lock()
        self._not_before = -math.inf
        self._on_frame: Callable[[bytes], None] | None = None

    async def open(self, on_frame: Callable[[bytes], None], _on_signal: Callable[[Signal, str], None]) -> None:
        """Remember whom to tell; there is no lasting connection."""
        self._on_frame = on_frame

    async def send(self, frame: bytes) -> None:
        """Send a request frame; its reply is passed on before this returns."""
        async with self._turn:
            if self._on_frame is None:
                raise LinkClosedError("the link is not open")
            await self._leave_alone()
            try:
                body = await self._post(frame)
            except LinkError as err:
                if err.retry_after_s is not None:
                    self._not_before = asyncio.get_running_loop().time() + err.retry_after_s
                raise
            if self._on_frame is None:
                raise LinkClosedError("the link was closed while it waited")
            self._on_frame(body)

    async def close(self) -> None:
        """Pass nothing on any more. Safe to call twice."""
        self._on_frame = None

    async def _leave_alone(self) -> None:
        """Wait as long as the device has asked for; raises `LinkError` if that is longer than an answer may take."""
        pause = self._not_before - asyncio.get_running_loop().time()
        if pause > self.timeout_s:
            raise LinkError("the device wants to be left alone", retry_after_s=pause)
        if pause > 0:
            await asyncio.sleep(pause)

    async def _post(self, frame: bytes) -> bytes:
        try:
            async with (
                _translated_errors(),
                self._session.post(
                    self._url,
                    data=frame,
                    headers={"Content-Type": "application/json"},
                    timeout=self._timeout,
                    allow_redirects=False,
                    middlewares=self._digest,
                ) as response,
            ):
                self._raise_for_refusal(response)
                return await _body(response)
        except LinkError as err:
            if isinstance(err.__cause__, ValueError) or type(err.__cause__) is aiohttp.ClientError:
                # The challenge cannot be answered: keeping it would fail every request from now on.
                self._digest = self._fresh_digest()
            raise

    def _raise_for_refusal(self, response: aiohttp.ClientResponse) -> None:
        error = refusal(response.status, response.headers.get("WWW-Authenticate"))
        if error is None:
            return
        # A nonce that was refused must not be used again: that is what feeds the device's throttle.
        self._digest = self._fresh_digest()
        if self._password is None and isinstance(error, AuthError):
            raise AuthError("the device wants a password")
        if isinstance(error, LinkError):
            error.retry_after_s = max(error.retry_after_s or 0.0, _retry_after_s(response) or 0.0)
        raise error

    def _fresh_digest(self) -> tuple[aiohttp.DigestAuthMiddleware, ...]:
        """Return credentials that know no nonce yet.

        aiohttp's middleware does what firmware 2.0 demands: it keeps the last nonce and sends it without being asked,
        counts `nc` from 1 for each new nonce, and after a 401 tries exactly once more, with the nonce of that 401.
        """
        return () if self._password is None else (aiohttp.DigestAuthMiddleware(USERNAME, self._password),)


async def fetch_info(
    session: aiohttp.ClientSession, host: str, port: int = 80, *, timeout_s: float = TIMEOUT_S
) -> DeviceInfo:
    """Ask who lives at an address; a device answers this without a password.

    Raises `LinkError`, `FrameError` if it is no Shelly, `UnsupportedDeviceError` if it is one of the first generation.
    """
    url, timeout = _url(host, port, "/shelly"), aiohttp.ClientTimeout(total=timeout_s)
    async with _translated_errors(), session.get(url, timeout=timeout, allow_redirects=False) as response:
        body = await _body(response)
    return DeviceInfo.parse(decode_json(body))


@asynccontextmanager
async def _translated_errors() -> AsyncIterator[None]:
    """Raise what aiohttp raises as a `LinkError`."""
    try:
        yield
    except TimeoutError as err:
        raise LinkTimeoutError("no answer over HTTP in time") from err
    except (aiohttp.ClientError, ValueError) as err:
        # ValueError: an address inside of an answer, as the domain of a challenge, that is none.
        raise LinkError(f"HTTP: {_phrase(err)}") from err


def _phrase(err: Exception) -> str:
    """Say in words what a person can act on; the exception itself stays the cause."""
    match err:
        case aiohttp.ClientConnectorError():
            return "no connection"
        case aiohttp.ServerDisconnectedError():
            return "the device closed the connection"
        case _:
            return f"an answer that makes no sense ({err})"


def _url(host: str, port: int, path: str) -> URL:
    """Build an address; raises `LinkError` for a host or port that cannot be part of one."""
    try:
        return URL.build(scheme="http", host=host.strip("[]"), port=port, path=path)
    except ValueError as err:
        raise LinkError(f"{host!r} is no address") from err


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer of at most the size of a frame."""
    if response.status != HTTPStatus.OK:
        raise LinkError(f"HTTP status {response.status}", retry_after_s=_retry_after_s(response))
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_FRAME_BYTES:
            raise FrameError("too long")
    return bytes(body)


def _retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    """Return how long the device wants to be left alone: a 503 is that even without saying for how long."""
    told = response.headers.get("Retry-After", "")
    if told.isdecimal() and told.isascii():
        return min(float(told), LONGEST_PAUSE_S)
    return BUSY_S if response.status == HTTPStatus.SERVICE_UNAVAILABLE else None
