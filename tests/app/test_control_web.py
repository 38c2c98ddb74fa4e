"""The pages of the control daemon."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shelly_app.control.alerts import Alerts
from shelly_app.control.roles import Roles
from shelly_app.control.web import Pages, serve
from shelly_app.supervisor import Supervisor
from tests.app.control_stage import control_settings, listener
from tests.app.grafana_webhook import alert, payload
from tests.stack.fake_supervisor import FakeSupervisor, person
from tests.stack.processes import accepts, free_port, wait_until

TOKEN = {"Authorization": "Bearer token of the alerts"}


@contextlib.asynccontextmanager
async def served(folder: Path, fake: FakeSupervisor | None, **services: int) -> AsyncIterator[tuple[str, Alerts]]:
    """Serve the pages; yield their address and the alerts that were taken."""
    settings = replace(control_settings(folder), services=services)
    async with aiohttp.ClientSession() as session:
        supervisor = None if fake is None else Supervisor(session, fake.state.token, fake.url)
        alerts = Alerts(supervisor)
        pages = Pages(settings, Roles("Viewer", supervisor), alerts, supervisor)
        serving = asyncio.create_task(serve(pages.application(), settings.port))
        await wait_until(lambda: accepts(settings.port), 5, "it listens")
        yield f"http://127.0.0.1:{settings.port}", alerts
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        assert not await accepts(settings.port)


async def get(url: str, **headers: str) -> tuple[int, Any, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        document = await response.json() if response.content_type == "application/json" else None
        return response.status, document, {str(name): value for name, value in response.headers.items()}


async def post(url: str, body: bytes | dict[str, Any], headers: dict[str, str]) -> int:
    sent = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers, **sent) as response:
        return response.status


async def test_roles(tmp_path: Path) -> None:
    async with FakeSupervisor() as fake, served(tmp_path, fake) as (url, _):
        fake.state.people = [person("anna", administrator=True), person("ben")]
        for user, role in (("anna", "Admin"), ("ben", "Viewer"), ("nobody", "Viewer")):
            status, _, headers = await get(f"{url}/role", **{"X-Remote-User-Id": user})
            assert (status, headers["X-Role"]) == (204, role)


@pytest.mark.parametrize("headers", [{}, {"X-Remote-User-Id": ""}])
async def test_nobody_has_no_role(headers: dict[str, str], tmp_path: Path) -> None:
    async with served(tmp_path, None) as (url, _):
        status, _, answered = await get(f"{url}/role", **headers)
        assert status == 400
        assert "X-Role" not in answered


async def test_alerts_are_taken(tmp_path: Path) -> None:
    async with served(tmp_path, None) as (url, alerts):
        assert await post(f"{url}/alerts", payload(alert("a")), TOKEN) == 204
        assert set(alerts._firing) == {"a"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic Zm9v"}])
async def test_alerts_of_others_are_not(headers: dict[str, str], tmp_path: Path) -> None:
    async with served(tmp_path, None) as (url, alerts):
        assert await post(f"{url}/alerts", payload(alert("a")), headers) == 401
        assert alerts._firing == {}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{}"])
async def test_what_is_no_alert_is_refused(body: bytes, tmp_path: Path) -> None:
    async with served(tmp_path, None) as (url, _):
        assert await post(f"{url}/alerts", body, TOKEN | {"Content-Type": "application/json"}) == 400


async def test_health(tmp_path: Path) -> None:
    ports = {"broker": free_port(), "grafana": free_port()}
    async with FakeSupervisor() as fake, served(tmp_path, fake, **ports) as (url, _):
        async with listener(ports["broker"]), listener(ports["grafana"]):
            assert await health(url) == (200, "ok", {"broker": "ok", "grafana": "ok", "supervisor": "ok"})
        async with listener(ports["broker"]):
            assert await health(url) == (200, "degraded", {"broker": "ok", "grafana": "down", "supervisor": "ok"})
            await fake.stop()
            assert await health(url) == (200, "degraded", {"broker": "ok", "grafana": "down", "supervisor": "down"})
        assert await health(url) == (503, "down", {"broker": "down", "grafana": "down", "supervisor": "down"})


async def test_health_without_a_supervisor(tmp_path: Path) -> None:
    async with served(tmp_path, None) as (url, _):
        assert await health(url) == (200, "ok", {})


async def health(url: str) -> tuple[int, str, dict[str, str]]:
    status, report, _ = await get(f"{url}/health")
    return status, report["status"], {hop["name"]: hop["status"] for hop in report["hops"]}


async def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    settings = control_settings(tmp_path)
    pages = Pages(settings, Roles("Viewer", None), Alerts(None), None)
    async with listener(settings.port):
        with pytest.raises(OSError, match="address already in use"):
            await serve(pages.application(), settings.port)
