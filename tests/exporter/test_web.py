"""What the web server tells, and where it listens."""

import asyncio
import json

import aiohttp
import pytest

from shelly_exporter.settings import SettingsError
from shelly_exporter.settings import Web as Settings
from tests.exporter.web_stage import get, web


@pytest.mark.parametrize(("status", "code"), [("ok", 200), ("degraded", 200), ("down", 503)])
async def test_health(status: str, code: int) -> None:
    report = {"status": status, "reason": "why", "hops": [{"name": "broker"}]}
    async with web(health=lambda: report) as server:
        answered, text = await get(server, "/health")
    assert (answered, json.loads(text)) == (code, report)


async def test_health_is_asked_anew_each_time() -> None:
    reports = iter([{"status": "ok"}, {"status": "down"}])
    async with web(health=lambda: next(reports)) as server:
        assert [(await get(server, "/health"))[0] for _ in range(2)] == [200, 503]


async def test_health_has_no_secrets_and_is_json_whatever_the_numbers() -> None:
    details = {"url": "redis://:hunter2@cache/0", "token": "abc", "age": float("nan"), "password_refused": True}
    async with web(health=lambda: {"status": "ok", "hops": [{"details": details}]}) as server:
        _, text = await get(server, "/health")
    assert "hunter2" not in text
    assert json.loads(text)["hops"][0]["details"] == {
        "url": "redis://***@cache/0",
        "token": "***",
        "age": None,
        "password_refused": True,
    }


async def test_metrics() -> None:
    async with (
        web() as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session,
        session.get("/metrics") as response,
    ):
        assert (response.status, await response.text()) == (200, "up 1\n")
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert response.headers["Server"] == "shelly-exporter"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_nothing_but_get(method: str) -> None:
    async with web() as server:
        assert [(await get(server, path, method=method))[0] for path in ("/health", "/metrics")] == [405, 405]
        assert (await get(server, "/"))[0] == 404


async def test_a_taken_port_is_said_with_its_key() -> None:
    async with web() as server:
        port = server.port
        with pytest.raises(SettingsError) as caught:
            await web(Settings(host="127.0.0.1", port=port)).__aenter__()
        assert (await get(server, "/health"))[0] == 200
    (problem,) = caught.value.problems
    assert problem.startswith("web.port (SHELLY_WEB_PORT): ")
    assert f"port {port} is taken" in problem


async def test_an_address_of_another_machine_is_said_with_its_key() -> None:
    with pytest.raises(SettingsError, match=r"^web\.host \(SHELLY_WEB_HOST\): cannot listen on '192\.0\.2\.1'"):
        await web(Settings(host="192.0.2.1", port=0)).__aenter__()


async def test_a_port_that_is_not_for_this_user_is_said_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("aiohttp.web.TCPSite.start", refuse)
    with pytest.raises(SettingsError, match=r"^web\.port \(SHELLY_WEB_PORT\): this user may not listen on port 80"):
        await web(Settings(port=80)).__aenter__()


async def test_it_listens_no_more_afterwards() -> None:
    async with web() as server:
        port = server.port
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)
