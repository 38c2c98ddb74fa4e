"""The calls of Supervisor's API that the app needs, and of Home Assistant's behind it."""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Self

import aiohttp

from . import answers
from .answers import Host, Own, Person, Registered
from .errors import SupervisorError, away, odd, refused

_URL = "http://supervisor"
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)


class Supervisor:
    """Each call raises `SupervisorError` if it fails; none shows what was sent, which may be a secret."""

    def __init__(self, session: aiohttp.ClientSession, token: str, url: str = _URL) -> None:
        """Supervisor makes a new `token` at each start of the app."""
        self._session = session
        self._token = token
        self._url = url.rstrip("/")

    @classmethod
    def of(cls, environ: Mapping[str, str], session: aiohttp.ClientSession) -> Self | None:
        """Return the Supervisor that has started this app; `None` if none has. `SUPERVISOR_URL` is for tests."""
        token = environ.get("SUPERVISOR_TOKEN")
        return cls(session, token, environ.get("SUPERVISOR_URL", _URL)) if token else None

    async def info(self) -> Host:
        """Return what is known of the machine."""
        return await self._read("/info", Host.read)

    async def own_info(self) -> Own:
        """Return what is known of this app."""
        return await self._read("/addons/self/info", Own.read)

    async def mqtt_service(self) -> Registered | None:
        """Return the broker that is registered, whoever has done so; `None` if there is none."""
        try:
            return await self._read("/services/mqtt", Registered.read)
        except SupervisorError as error:
            # "Service not enabled"; but the same status says that Supervisor itself is not ready.
            if error.status == HTTPStatus.BAD_REQUEST and "not ready" not in str(error):
                return None
            raise

    async def register_mqtt(self, *, host: str, port: int, username: str, password: str) -> None:
        """Register our broker for other apps; status 409 if any is registered, even if it is ours."""
        await self._call("POST", "/services/mqtt", _broker(host, port, username, password))

    async def withdraw_mqtt(self) -> None:
        """Take the registration away. Supervisor does not ask whose it is: ask before."""
        await self._call("DELETE", "/services/mqtt")

    async def discover(self, service: str, config: Mapping[str, Any]) -> None:
        """Let Home Assistant discover something; the same twice is told once."""
        await self._call("POST", "/discovery", {"service": service, "config": dict(config)})

    async def discover_mqtt(self, *, host: str, port: int, username: str, password: str) -> None:
        """Let Home Assistant discover our broker."""
        await self.discover("mqtt", _broker(host, port, username, password))

    async def set_own_options(self, options: Mapping[str, Any]) -> None:
        """Change what a person can change of this app, such as `{"ingress_panel": True}`."""
        await self._call("POST", "/addons/self/options", dict(options))

    async def check_login(self, username: str, password: str) -> bool:
        """Tell whether this is the password of that user of Home Assistant."""
        status, document = await self._request("POST", "/auth", {"username": username, "password": password})
        if status == HTTPStatus.UNAUTHORIZED:
            return False
        self._check("POST /auth", status, document, show=False)
        return True

    async def core_urls(self) -> tuple[str, ...]:
        """Return the addresses under which Home Assistant says it is to be found."""
        status, document = await self._request("GET", "/core/api/config")
        self._check("GET /core/api/config", status, document)
        return _understood("GET /core/api/config", answers.urls, document)

    async def people(self) -> tuple[Person, ...]:
        """Return all users of Home Assistant."""
        result = await self._command("config/auth/list")
        return _understood("config/auth/list", lambda users: tuple(map(Person.read, users)), result)

    async def addresses(self) -> tuple[str, ...]:
        """Return the IPv4 addresses of the machine that are in use."""
        return _understood("network", answers.addresses, await self._command("network"))

    async def call_service(self, domain: str, service: str, data: Mapping[str, Any]) -> None:
        """Call a service of Home Assistant."""
        await self._call("POST", f"/core/api/services/{domain}/{service}", dict(data))

    async def fire_event(self, name: str, data: Mapping[str, Any]) -> None:
        """Fire an event in Home Assistant."""
        await self._call("POST", f"/core/api/events/{name}", dict(data))

    async def _read[T](self, path: str, read: Callable[[Any], T]) -> T:
        status, document = await self._request("GET", path)
        self._check(f"GET {path}", status, document)
        return _understood(f"GET {path}", lambda answer: read(answer["data"]), document)

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        status, document = await self._request(method, path, body)
        # A complaint about a body may quote it.
        self._check(f"{method} {path}", status, document, show=body is None)

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Return status and document; `None` if the body of the answer is none, such as a page of a proxy."""
        # `/auth` takes `Authorization` for the login that is to be checked, Home Assistant's proxy takes nothing else.
        name, scheme = ("Authorization", "Bearer ") if path.startswith("/core/") else ("X-Supervisor-Token", "")
        try:
            async with self._session.request(
                method,
                f"{self._url}{path}",
                json=body,
                headers={name: f"{scheme}{self._token}"},
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                try:
                    return response.status, await response.json(content_type=None)
                except ValueError:
                    return response.status, None
        except _FAILURES as error:
            raise away(f"{method} {path}", type(error).__name__) from error

    @staticmethod
    def _check(asked: str, status: int, document: Any, *, show: bool = True) -> None:
        if status < HTTPStatus.BAD_REQUEST:
            return
        reason = document.get("message") if show and isinstance(document, dict) else None
        raise refused(asked, status, None if reason is None else str(reason))

    async def _command(self, kind: str) -> Any:
        """Return the result of a command of Home Assistant's WebSocket API that takes nothing."""
        try:
            async with (
                asyncio.timeout(_TIMEOUT.total),
                self._session.ws_connect(
                    f"{self._url}/core/websocket", timeout=aiohttp.ClientWSTimeout(ws_close=1.0)
                ) as socket,
            ):
                await _receive(socket, kind)
                await socket.send_json({"type": "auth", "access_token": self._token})
                if (await _receive(socket, kind)).get("type") != "auth_ok":
                    raise refused(kind, HTTPStatus.UNAUTHORIZED)
                await socket.send_json({"id": 1, "type": kind})
                answer = await _receive(socket, kind)
        except aiohttp.WSServerHandshakeError as error:
            raise refused(kind, error.status) from error
        except _FAILURES as error:
            raise away(kind, type(error).__name__) from error
        if not answer.get("success"):
            raise odd(kind, str(answer.get("error")))
        return answer.get("result")


async def _receive(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    try:
        answer = await socket.receive_json()
    except (TypeError, ValueError) as error:
        # It is closed without a word while Home Assistant is away.
        raise away(kind, "it ended the connection") from error
    if not isinstance(answer, dict):
        raise odd(kind, type(answer).__name__)
    return answer


def _understood[T](asked: str, read: Callable[[Any], T], document: Any) -> T:
    try:
        return read(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise odd(asked, repr(error)) from error


def _broker(host: str, port: int, username: str, password: str) -> dict[str, Any]:
    return {
        "host": host,
        "port": port,
        "ssl": False,
        "protocol": "3.1.1",
        "username": username,
        "password": password,
    }
