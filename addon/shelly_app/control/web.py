"""The pages of the control daemon, for the gateway, for Grafana and for whoever looks after the app."""

import asyncio
import hmac
import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from shelly_app.services.ports import listening
from shelly_app.supervisor.client import Supervisor
from shelly_app.supervisor.errors import SupervisorError

from .alerts import AlertError, Alerts, parse
from .roles import Roles
from .settings import Settings

USER = "X-Remote-User-Id"
ROLE = "X-Role"
_NEEDED = frozenset({"broker", "gateway"})


class Pages:
    """`GET /role`, `POST /alerts` and `GET /health`; only this machine reaches them."""

    def __init__(self, settings: Settings, roles: Roles, alerts: Alerts, supervisor: Supervisor | None) -> None:
        self._settings = settings
        self._roles = roles
        self._alerts = alerts
        self._supervisor = supervisor

    def application(self) -> web.Application:
        """Return what serves them."""
        app = web.Application()
        app.router.add_get("/role", self._get_role, allow_head=False)
        app.router.add_post("/alerts", self._post_alerts)
        app.router.add_get("/health", self._get_health, allow_head=False)
        return app

    async def _get_role(self, request: web.Request) -> web.Response:
        """Tell the role of the user whose id Supervisor has put into the request."""
        user = request.headers.get(USER)
        if not user:
            raise web.HTTPBadRequest(text=f"{USER} is missing\n")
        return web.Response(status=HTTPStatus.NO_CONTENT, headers={ROLE: await self._roles.role(user)})

    async def _post_alerts(self, request: web.Request) -> web.Response:
        """Take alerts of Grafana, which knows the token."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._settings.alert_token.encode()):
            raise web.HTTPUnauthorized(text="The token is wrong\n")
        try:
            self._alerts.take(parse(await request.json()))
        except (AlertError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _get_health(self, _request: web.Request) -> web.Response:
        """Tell which hops answer; 503 if the broker or the gateway does not."""
        hops = {name: listening(port) for name, port in self._settings.services.items()}
        if self._supervisor is not None:
            hops["supervisor"] = await _answers(self._supervisor)
        report = {
            "status": _status(hops),
            "hops": [{"name": name, "status": "ok" if up else "down"} for name, up in hops.items()],
        }
        down = report["status"] == "down"
        return web.json_response(report, status=HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK)


def _status(hops: Mapping[str, bool]) -> str:
    if all(hops.values()):
        return "ok"
    return "down" if any(not up for name, up in hops.items() if name in _NEEDED) else "degraded"


async def _answers(supervisor: Supervisor) -> bool:
    try:
        await supervisor.info()
    except SupervisorError:
        return False
    return True


async def serve(application: web.Application, port: int) -> None:
    """Serve on 127.0.0.1 until cancelled; OSError if the port is taken."""
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
