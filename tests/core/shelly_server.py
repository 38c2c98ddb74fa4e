"""A web server with the manners of a Shelly: firmware 2.0's digest rules, one answer a connection."""

import asyncio
import hashlib
import itertools
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

REALM = "shellypro3-e868e7a1c5f0"
INFO = {
    "name": None,
    "id": REALM,
    "mac": "E868E7A1C5F0",
    "slot": 0,
    "model": "SPSW-003XE16EU",
    "gen": 2,
    "fw_id": "20260923-091512/2.0.1-g3c40aa1",
    "ver": "2.0.1",
    "app": "Pro3",
    "auth_en": True,
    "auth_domain": REALM,
}


class ShellyServer:
    """Answers `{"echo": params}` to every request that it lets pass, and keeps a record of all of them."""

    def __init__(self, password: str | None = None) -> None:
        self.password = password
        self.nonces: dict[str, int] = {}
        """The last `nc` of each nonce that is alive."""
        self.record: list[tuple[int, str | None, str | None]] = []
        """Status, nonce and `nc` of each request."""
        self.throttled = 0
        """How many requests to refuse with 429."""
        self.always_stale = False
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
        """What to do instead of answering, once a request has passed."""
        self.asked = asyncio.Event()
        self.in_flight = 0
        self.most_in_flight = 0
        self._numbers = itertools.count(1)

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/rpc", self._post)
        application.router.add_get("/shelly", self._get_info)
        return application

    def forget_nonces(self) -> None:
        """Let all nonces grow old."""
        self.nonces.clear()

    @property
    def statuses(self) -> list[int]:
        return [status for status, _, _ in self.record]

    async def _get_info(self, request: web.Request) -> web.StreamResponse:
        return await self.answer(request) if self.answer is not None else web.json_response(INFO)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            response = await self._respond(request)
        finally:
            self.in_flight -= 1
        response.headers["Connection"] = "close"
        return response

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        given = _parameters(request.headers.get("Authorization", ""))
        status, stale = self._judge(given)
        self.asked.set()
        self.record.append((status, given.get("nonce"), given.get("nc")))
        if status == 401:
            return web.Response(status=401, headers={"WWW-Authenticate": self._challenge(stale=stale)})
        if status == 429:
            return web.Response(status=429)
        if self.answer is not None:
            return await self.answer(request)
        await asyncio.sleep(0.005)
        frame: dict[str, Any] = json.loads(await request.read())
        return web.json_response({"id": frame["id"], "src": REALM, "result": {"echo": frame.get("params")}})

    def _judge(self, given: dict[str, str]) -> tuple[int, bool]:
        if self.password is None:
            return 200, False
        if self.throttled:
            self.throttled -= 1
            return 429, False
        if not given:
            return 401, False
        nonce, nc = given["nonce"], int(given["nc"], 16)
        if nonce not in self.nonces or self.always_stale:
            return 401, True
        if nc != self.nonces[nonce] + 1 or not self._is_right(given):
            del self.nonces[nonce]
            return 401, False
        self.nonces[nonce] = nc
        return 200, False

    def _is_right(self, given: dict[str, str]) -> bool:
        ha1 = _sha256(f"admin:{REALM}:{self.password}")
        ha2 = _sha256("POST:/rpc")
        wanted = _sha256(f"{ha1}:{given['nonce']}:{given['nc']}:{given['cnonce']}:auth:{ha2}")
        facts = {"username": "admin", "realm": REALM, "uri": "/rpc", "qop": "auth", "algorithm": "SHA-256"}
        return given["response"] == wanted and all(given[name] == value for name, value in facts.items())

    def _challenge(self, *, stale: bool) -> str:
        nonce = f"n{next(self._numbers):x}"
        self.nonces[nonce] = 0
        text = f'Digest qop="auth", realm="{REALM}", nonce="{nonce}", algorithm=SHA-256'
        return f"{text}, stale=true" if stale else text


async def status_503(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=503, text="busy")


async def redirect(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "https://127.0.0.1/rpc"})


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.close()
    return response


def _parameters(header: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|[^\s,]+)', header)}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
