"""A status that cannot be had: nothing answers, or something else does."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from shelly_exporter.settings import Settings
from shelly_exporter.settings import Web as WebSettings
from shelly_exporter.status import health_url
from tests.exporter.status_stage import status_of
from tests.stack.processes import free_port


async def test_nothing_answers() -> None:
    settings = Settings(web=WebSettings(port=free_port()))
    code, text = await status_of(settings)
    assert code == 2
    assert f"No exporter answers at http://127.0.0.1:{settings.web.port}/health: nothing listens there.\n" in text
    assert "shelly-exporter run" in text
    assert "web.port (SHELLY_WEB_PORT)" in text


@asynccontextmanager
async def something_else(answer: Callable[[web.Request], web.StreamResponse]) -> AsyncIterator[Settings]:
    """Another program on the port."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return answer(request)

    app = web.Application()
    app.router.add_get("/health", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
    yield Settings(web=WebSettings(port=port))
    await runner.cleanup()


@pytest.mark.parametrize(
    "body",
    [
        "hello",
        "[]",
        "{}",
        "null",
        json.dumps({"status": "fine", "hops": []}),
        json.dumps({"status": "ok", "hops": [1]}),
        json.dumps({"status": "ok", "hops": [{"name": "x", "level": "odd", "reason": None}]}),
        json.dumps({"status": ["ok"], "hops": []}),
    ],
)
async def test_something_else_answers(body: str) -> None:
    async with something_else(lambda _request: web.Response(text=body)) as settings:
        code, text = await status_of(settings)
    assert code == 2
    assert text.startswith(f"Something answers at http://127.0.0.1:{settings.web.port}/health, but it is no exporter.")


NO_KEY: Any = None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TimeoutError(), "/health: there was no answer in time.\n"),
        (aiohttp.ClientConnectorError(NO_KEY, OSError(113, "No route to host")), "/health: No route to host.\n"),
        (aiohttp.ClientConnectorError(NO_KEY, OSError("name not known")), "/health: name not known.\n"),
    ],
)
async def test_there_is_no_way_to_it(monkeypatch: pytest.MonkeyPatch, error: Exception, told: str) -> None:
    async def fetch(_url: object) -> None:
        raise error

    monkeypatch.setattr("shelly_exporter.status._fetch", fetch)
    code, text = await status_of(Settings())
    assert (code, told in text) == (2, True)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:9433/health"),
        ("0.0.0.0", "http://127.0.0.1:9433/health"),  # noqa: S104
        ("::", "http://[::1]:9433/health"),
        ("::1", "http://[::1]:9433/health"),
        ("exporter.lan", "http://exporter.lan:9433/health"),
    ],
)
def test_who_listens_everywhere_is_asked_on_loopback(host: str, expected: str) -> None:
    assert str(health_url(WebSettings(host=host))) == expected
