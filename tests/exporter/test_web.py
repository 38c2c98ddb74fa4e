import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from shelly_exporter.settings import SettingsError
from shelly_exporter.settings import Web as Settings
from shelly_exporter.web import Web

LOOPBACK = Settings(host="127.0.0.1", port=0)
WELL: dict[str, Any] = {"status": "ok", "reason": None, "hops": []}


def web(
    settings: Settings = LOOPBACK,
    *,
    health: Callable[[], dict[str, Any]] = lambda: WELL,
    metrics: Callable[[], bytes] = lambda: b"up 1\n",
) -> Web:
    return Web(settings, health=health, metrics=metrics)


async def get(server: Web, path: str, *, method: str = "GET", host: str | None = None) -> tuple[int, str]:
    headers = {} if host is None else {"Host": host}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session,
        session.request(method, path, headers=headers) as response,
    ):
        return response.status, await response.text()


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


@pytest.mark.parametrize("path", ["/health", "/metrics", "/"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:9433", "127.0.0.1.evil.example", "[fe80::1]:80", ""])
async def test_a_page_that_has_its_own_name_resolve_to_us_learns_nothing(host: str, path: str) -> None:
    asked: list[str] = []

    def health() -> dict[str, Any]:
        asked.append("health")
        return WELL

    def metrics() -> bytes:
        asked.append("metrics")
        return b"up 1\n"

    async with web(health=health, metrics=metrics) as server:
        status, text = await get(server, path, host=host)
    assert (status, text, asked) == (421, "This server answers to localhost only.\n", [])


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9433", "127.0.0.1", "127.0.0.1:9433", "[::1]", "[::1]:9433", "127.0.0.2:1"]
)
async def test_local_names_and_the_configured_one_are_answered(host: str) -> None:
    async with web(Settings(host="127.0.0.2", port=0)) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.2:{server.port}/health"
        async with session.get(url, headers={"Host": host}) as response:
            assert response.status == 200


async def test_who_sends_no_host_is_no_browser() -> None:
    async with web() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"200"
        writer.close()


async def test_who_listens_for_the_network_answers_under_every_name() -> None:
    async with web(Settings(host="0.0.0.0", port=0)) as server:  # noqa: S104
        assert (await get(server, "/health", host="exporter.lan:9433"))[0] == 200


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
