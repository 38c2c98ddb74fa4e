"""The web server: `GET /health` for monitors and people, `GET /metrics` for Prometheus. It changes nothing."""

import errno
import json
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Self

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from .health import Level
from .redaction import without_secrets
from .settings import SettingsError
from .settings import Web as Settings
from .settings.schema import label

type _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {"Server": "shelly-exporter", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Web:
    """Serves while the context lasts; `health` and `metrics` are asked for each request.

    On loopback only requests to a local name are answered: a page in a browser that has its own name resolve to this
    machine (DNS rebinding) must not read what the exporter tells.
    """

    def __init__(
        self, settings: Settings, *, health: Callable[[], dict[str, Any]], metrics: Callable[[], bytes]
    ) -> None:
        """Serve what `health.report` returned, and `metrics` in Prometheus' text format."""
        self._settings = settings
        self._health = health
        self._metrics = metrics
        # The decorator leaves a mark, which a bound method does not take.
        app = web.Application(middlewares=[web.middleware(partial(self._check_host))])
        app.router.add_get("/health", self._get_health, allow_head=False)
        app.router.add_get("/metrics", self._get_metrics, allow_head=False)
        app.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        self._names: frozenset[str] | None = None
        """The names under which requests are answered; `None`: under any."""

    async def __aenter__(self) -> Self:
        """Listen. Raises `SettingsError` if that is impossible where the settings say."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as err:
            await self._runner.cleanup()
            raise SettingsError((_problem(err, self._settings),)) from err
        if all(ip_address(address[0]).is_loopback for address in self._runner.addresses):
            self._names = _LOCAL | {self._settings.host.lower()}
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close; requests that are being answered have a second."""
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._runner.addresses[0][1]
        return port

    async def _check_host(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        # No browser leaves the header away, so without it there is nothing to fear.
        asked = request.headers.get("Host")
        if asked is not None and self._names is not None and _name(asked) not in self._names:
            raise web.HTTPMisdirectedRequest(text="This server answers to localhost only.\n")
        return await handler(request)

    async def _get_health(self, _request: web.Request) -> web.Response:
        report = self._health()
        status = HTTPStatus.SERVICE_UNAVAILABLE if report["status"] == Level.DOWN else HTTPStatus.OK
        return web.json_response(without_secrets(report), status=status, dumps=_dumps)

    async def _get_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _name(host: str) -> str:
    """Return a Host header's name or address, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _dumps(report: Any) -> str:
    return json.dumps(report, allow_nan=False)


def _problem(err: OSError, settings: Settings) -> str:
    host, port = label("web.host"), label("web.port")
    match err.errno:
        case errno.EADDRINUSE:
            return (
                f"{port}: port {settings.port} is taken, perhaps by another exporter: end that, or choose another port"
            )
        case errno.EACCES:
            return f"{port}: this user may not listen on port {settings.port}: choose one above 1023"
        case _:
            return f"{host}: cannot listen on {settings.host!r} ({err.strerror}): give an address of this machine"
