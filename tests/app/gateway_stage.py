"""A gateway with somebody in Grafana's place and somebody in control's, and requests as Supervisor sends them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from shelly_app.gateway import command, files
from shelly_app.options import Options
from shelly_app.places import NOBODY_ELSE, Layout, Places, Ports
from shelly_app.secret_store import Secrets
from shelly_app.setup import BrokerAccess, Home, Setup
from tests.stack.nginx import Nginx
from tests.stack.processes import free_port

PEER = "127.0.0.2"
"""Supervisor's address in tests; the tests' own is 127.0.0.1."""
ENTRY = "/api/hassio_ingress/sesame"
USER = {"X-Remote-User-Id": "a1b2", "X-Remote-User-Name": "anna", "X-Remote-User-Display-Name": "Anna B."}


class Upstream:
    """Answers what it was asked, in JSON; some paths do more."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()
        """The beginning of a body has arrived."""
        self.go_on = asyncio.Event()
        """Whether the rest of an answer may be sent."""
        self.application = web.Application()
        self.application.router.add_get("/ws", self._socket)
        self.application.router.add_post("/upload", self._upload)
        self.application.router.add_get("/download", self._download)
        self.application.router.add_get("/moved", self._moved)
        self.application.router.add_get("/error/{status}", self._error)
        self.application.router.add_route("*", "/{path:.*}", self._echo)

    @staticmethod
    async def _echo(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = {"method": request.method, "path": request.raw_path, "headers": headers, "body": await request.text()}
        return web.json_response(asked, headers={"Set-Cookie": "grafana=1"})

    @staticmethod
    async def _socket(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{request.headers.get('X-WEBAUTH-USER', 'nobody')} says {message.data}")
        return socket

    async def _upload(self, request: web.Request) -> web.Response:
        first = await request.content.readany()
        self.seen.set()
        return web.Response(text=f"{len(first)} and {len(await request.content.read())}")

    async def _download(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await self.go_on.wait()
        await response.write(b"last")
        return response

    @staticmethod
    async def _moved(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.query["to"]})

    @staticmethod
    async def _error(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]), text="Grafana's own words")


class Control:
    """Answers `/role` with `status` and `headers`, and counts."""

    def __init__(self, **roles: str) -> None:
        self.roles = roles
        self.status = 204
        self.headers: Mapping[str, str] = {}
        self.asked: list[str] = []
        self.received: Mapping[str, str] = {}
        self.application = web.Application()
        self.application.router.add_get("/role", self._role)

    async def _role(self, request: web.Request) -> web.Response:
        user = request.headers["X-Remote-User-Id"]
        self.asked.append(user)
        self.received = dict(request.headers)
        return web.Response(status=self.status, headers={"X-Role": self.roles.get(user, "Viewer"), **self.headers})


@dataclass(kw_only=True)
class Stage:
    """All of it, running."""

    setup: Setup
    upstream: Upstream = field(default_factory=Upstream)
    control: Control
    nginx: Nginx
    session: aiohttp.ClientSession

    async def get(self, path: str = "/", **headers: str) -> dict[str, Any]:
        """Return what Grafana was asked, when `USER` asks for `path`."""
        async with self.session.get(path, headers={**USER, **headers}) as response:
            assert response.status == 200
            answer: dict[str, Any] = await response.json()
            return answer


def setup_of(
    directory: Path,
    *,
    supervised: bool = True,
    certificate: tuple[str, str] | None = None,
    options: Options | None = None,
) -> Setup:
    """Return a setup below `directory`, on free ports, for whoever runs the tests."""
    places = Places(
        data=directory / "data",
        config=directory / "config",
        ssl=directory / "ssl",
        run=directory / "run",
        boards=directory / "boards",
        auth_plugin=None,
    )
    ports = Ports(gateway=free_port(), https=free_port(), grafana=free_port(), control=free_port())
    return Setup(
        options=Options() if options is None else options,
        secrets=Secrets(
            homeassistant_password="secret-1",
            apps_password="secret-2",
            exporter_password="secret-3",
            operator_token="secret-4",
            grafana_secret_key="secret-5",
            grafana_admin_password="secret-6",
            alert_token="secret-7",
            devices={},
        ),
        layout=Layout(places=places, ports=ports, accounts=NOBODY_ELSE, host="127.0.0.1", ingress_peer=PEER),
        home=Home(
            supervised=supervised,
            time_zone="Europe/Berlin",
            hostname="shelly",
            ingress_entry=ENTRY if supervised else "",
            certificate=certificate,
        ),
        broker=BrokerAccess(internal=True, host="127.0.0.1", port=1883, username=None, password=None),
    )


def with_options(setup: Setup, options: Options) -> Setup:
    """Return the same setup with other options."""
    return replace(setup, options=options)


def nginx_of(setup: Setup, port: int | None = None) -> Nginx:
    """Return the gateway of `setup`; `port` is where it is waited for, when it is not the usual one."""
    waited_for = setup.layout.ports.gateway if port is None else port
    return Nginx(setup.layout.places.run.parent / "logs", waited_for, files(setup), command(setup))


@contextlib.asynccontextmanager
async def served(application: web.Application, port: int) -> AsyncIterator[None]:
    """Serve `application` on loopback."""
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def browser(base: str, source: str = PEER) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session that connects from `source` and follows no redirection."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    async with aiohttp.ClientSession(base, connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@contextlib.asynccontextmanager
async def gateway(setup: Setup, *, grafana: bool = True, control: bool = True, **roles: str) -> AsyncIterator[Stage]:
    """Run the gateway of `setup`, and who is behind it unless `grafana` or `control` is dead; `roles` by user id."""
    upstream, teller = Upstream(), Control(**roles)
    async with contextlib.AsyncExitStack() as stack:
        if grafana:
            await stack.enter_async_context(served(upstream.application, setup.layout.ports.grafana))
        if control:
            await stack.enter_async_context(served(teller.application, setup.layout.ports.control))
        nginx = await stack.enter_async_context(nginx_of(setup))
        session = await stack.enter_async_context(browser(nginx.url))
        yield Stage(setup=setup, upstream=upstream, control=teller, nginx=nginx, session=session)
