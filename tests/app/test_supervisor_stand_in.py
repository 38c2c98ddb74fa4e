"""The stand-in for Supervisor refuses what the real one refuses, and keeps what it knows when it is a program."""

import stat
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.stack.fake_supervisor import FakeSupervisor, State, load, person, save
from tests.stack.processes import Process, accepts, free_port


async def ask(url: str, method: str, path: str, token: str | None, body: Any = None) -> tuple[int, Any]:
    """Ask as an app does; return status and message."""
    headers = {} if token is None else {"X-Supervisor-Token": token}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{url}{path}", headers=headers, json=body) as response,
    ):
        if response.content_type != "application/json":
            return response.status, None
        return response.status, (await response.json()).get("message")


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/network/info", None, (403, None)),
        ("POST", "/services/mqtt", {"port": 1883}, (400, "required key not provided @ data['host']")),
        ("POST", "/services/mqtt", {"host": "a", "port": "b"}, (400, "expected int @ data['port']. Got 'b'")),
        (
            "POST",
            "/services/mqtt",
            {"host": "a", "port": 1, "x": 1},
            (400, "extra keys not allowed @ data['x']. Got 1"),
        ),
        ("POST", "/addons/self/options", {"sidebar": True}, (400, "extra keys not allowed: {'sidebar'}")),
        ("GET", "/services/mqtt", None, (400, "Service not enabled")),
    ],
)
async def test_refusals(method: str, path: str, body: Any, expected: tuple[int, str | None]) -> None:
    async with FakeSupervisor() as fake:
        assert await ask(fake.url, method, path, fake.state.token, body) == expected


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong", 403)])
async def test_strangers(token: str | None, status: int) -> None:
    async with FakeSupervisor() as fake:
        assert await ask(fake.url, "GET", "/info", token) == (status, None)
        assert fake.state.calls == []


async def test_the_token_is_no_login(tmp_path: Path) -> None:
    async with FakeSupervisor() as fake, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {fake.state.token}"}
        async with session.post(f"{fake.url}/auth", headers=headers, json={"username": "a", "password": "b"}) as answer:
            assert answer.status == 401


async def test_as_a_program(tmp_path: Path) -> None:
    file, port = tmp_path / "state.json", free_port()
    save(file, State(token="hunter2", people=[person("anna")]))
    argv = (sys.executable, "-m", "tests.stack.fake_supervisor", "--port", str(port), "--state", file)
    async with Process("Supervisor", argv, log=tmp_path / "log") as process:
        await process.wait_until(lambda: accepts(port), 20, "it listens")
        broker = {"host": "a", "port": 1883}
        assert (await ask(f"http://127.0.0.1:{port}", "POST", "/services/mqtt", "hunter2", broker))[0] == 200
        await process.stop()
        assert process.returncode == 0
    state = load(file)
    assert state.calls == ["POST /services/mqtt"]
    assert state.bodies == [broker]
    assert state.mqtt is not None
    assert state.people == [person("anna")]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
