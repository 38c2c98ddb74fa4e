import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from shelly_core import Level
from shelly_exporter.health import Hop, device_hop, report
from shelly_exporter.settings import Settings
from shelly_exporter.settings import Web as WebSettings
from shelly_exporter.status import health_url, status
from shelly_exporter.web import Web
from tests.exporter.healths import health_of
from tests.stack.processes import free_port

METER = "shellypro3em-3ce90e6ff1a0"
OK, DEGRADED, DOWN = Level.OK, Level.DEGRADED, Level.DOWN


def hops(broker: Level = OK, spool: Level = OK, target: Level = OK) -> list[Hop]:
    levels = {"broker": broker, "spool": spool, "target": target}
    return [Hop(name, level, None if level is OK else f"{name} hurts", {}) for name, level in levels.items()]


@asynccontextmanager
async def exporter(health: Callable[[], dict[str, Any]]) -> AsyncIterator[Settings]:
    """A running exporter, and the settings that `status` of it gets."""
    settings = WebSettings(port=free_port())
    async with Web(settings, health=health, metrics=lambda: b""):
        yield Settings(web=settings)


async def status_of(settings: Settings) -> tuple[int, str]:
    out = io.StringIO()
    return await status(settings, out), out.getvalue()


async def test_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    async with exporter(lambda: report([*hops(), device_hop(METER, health_of())])) as settings:
        code, text = await status_of(settings)
    assert code == 0
    assert text == (
        "The exporter is well.\n"
        "\n"
        "what                              how  why\n"
        "MQTT broker                       ok\n"
        "spool (queue on disk)             ok\n"
        "InfluxDB                          ok\n"
        f"device {METER}  ok\n"
    )


async def test_something_is_degraded() -> None:
    device = device_hop(METER, health_of(DEGRADED, "MQTT: no answer"))
    async with exporter(lambda: report([*hops(target=DOWN), Hop("redis", OK, None, {}), device])) as settings:
        code, text = await status_of(settings)
    assert code == 1
    lines = [line.split() for line in text.splitlines()]
    assert text.startswith("The exporter works, but not everything is as it should be.\n")
    assert ["InfluxDB", "DOWN", "target", "hurts"] in lines
    assert ["Redis", "ok"] in lines
    assert ["device", METER, "degraded", "MQTT:", "no", "answer"] in lines


async def test_it_is_down() -> None:
    async with exporter(lambda: report(hops(broker=DOWN))) as settings:
        code, text = await status_of(settings)
    assert code == 2
    assert text.startswith("The exporter cannot do its work.\n")
    assert ["MQTT", "broker", "DOWN", "broker", "hurts"] in [line.split() for line in text.splitlines()]
    assert "No device was found yet: `shelly-exporter check` says what is missing." in text


async def test_long_reasons_wrap_in_their_column_and_control_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reason = "it is \x1b[31mbroken\nand " + "needs care " * 9
    async with exporter(lambda: report([Hop("broker", DEGRADED, reason, {})])) as settings:
        _, text = await status_of(settings)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines()[2:5])) <= 80
    wrapped = text.splitlines()[4]
    column = text.splitlines()[2].index("why")
    assert (wrapped[:column].strip(), wrapped[column] != " ") == ("", True)


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


async def test_it_prints_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    async with exporter(lambda: report(hops())) as settings:
        assert await status(settings) == 0
    captured = capsys.readouterr()
    assert (captured.out.splitlines()[0], captured.err) == ("The exporter is well.", "")
