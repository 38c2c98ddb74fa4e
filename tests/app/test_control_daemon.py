"""The control daemon as a whole: what it does at start, what it survives, and how it ends."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import aiohttp
import pytest

from shelly_app import files
from shelly_app.broker.logins import ALLOWED, DENIED, UNKNOWN
from shelly_app.control import daemon, persistence
from shelly_app.control.daemon import run
from shelly_app.control.persistence import pauses, persist
from shelly_app.control.settings import Settings
from shelly_app.supervisor import SupervisorError
from tests.app.control_stage import control_settings, listener
from tests.app.grafana_webhook import alert, payload
from tests.stack import REPOSITORY
from tests.stack.fake_supervisor import SLUG, FakeSupervisor, person
from tests.stack.processes import Process, accepts, wait_until

PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from shelly_app.control.daemon import run
from shelly_app.control.settings import load
asyncio.run(run(load(Path(sys.argv[1])), os.environ))
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again soon, and administrators are asked for all the time."""
    monkeypatch.setattr(persistence, "_LONGEST_S", 0.05)
    monkeypatch.setattr(daemon, "REFRESH_S", 0.05)


@pytest.fixture
async def fake() -> AsyncIterator[FakeSupervisor]:
    """A Supervisor."""
    async with FakeSupervisor() as server:
        server.state.people = [person("anna", administrator=True)]
        yield server


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings with a broker that answers."""
    chosen = control_settings(tmp_path)
    async with listener(chosen.mqtt_port):
        yield chosen


@contextlib.asynccontextmanager
async def running(settings: Settings, environ: dict[str, str]) -> AsyncIterator[asyncio.Task[None]]:
    """Run the daemon; at the end it is told to stop and must do so."""
    task = asyncio.create_task(run(settings, environ))
    await wait_until(lambda: task.done() or accepts(settings.port), 5, "the daemon listens")
    try:
        yield task
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 5)
    assert not await accepts(settings.port)


def published(fake: FakeSupervisor) -> Callable[[], bool]:
    return lambda: set(fake.state.discovered) == {"mqtt", "shelly_pro"} and "ingress_panel" in fake.state.options


async def role(settings: Settings, user: str) -> str:
    url = f"http://127.0.0.1:{settings.port}/role"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"X-Remote-User-Id": user}) as response:
        return response.headers["X-Role"]


async def post_alert(settings: Settings, *, firing: bool = True) -> None:
    url = f"http://127.0.0.1:{settings.port}/alerts"
    headers = {"Authorization": f"Bearer {settings.alert_token}"}
    body = payload(alert("a", firing=firing))
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers, json=body) as response:
        assert response.status == 204


async def test_start_and_orderly_stop(fake: FakeSupervisor, settings: Settings) -> None:
    async with running(settings, fake.environ):
        await wait_until(published(fake), 5, "all is told")
        assert await role(settings, "anna") == "Admin"
        await post_alert(settings)
        await wait_until(lambda: len(fake.state.events) == 1, 5, "the alert is told")
        assert fake.state.mqtt is not None
        fake.state.calls.clear()
    calls = [call for call in fake.state.calls if "auth" not in call and "websocket" not in call]
    assert calls == ["GET /addons/self/info", "GET /services/mqtt", "DELETE /services/mqtt"]
    assert fake.state.mqtt is None


async def test_supervisor_is_away_for_a_while(
    fake: FakeSupervisor, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    await fake.stop()
    async with running(settings, fake.environ):
        assert await role(settings, "anna") == "Viewer"
        await wait_until(lambda: "Publication: " in caplog.text, 5, "it was tried")
        await fake.start()
        await wait_until(published(fake), 5, "all is told")
        assert fake.state.mqtt is not None
        assert fake.state.mqtt["addon"] == SLUG
        # Once, however often it was tried.
        assert sum(message.startswith("Publication: ") for message in caplog.messages) == 1


async def test_home_assistant_restarts_while_an_alert_fires(fake: FakeSupervisor, settings: Settings) -> None:
    async with running(settings, fake.environ):
        await post_alert(settings)
        await wait_until(lambda: "shelly_pro_a" in fake.state.notifications, 5, "it is shown")
        fake.state.core = False
        asked = fake.state.calls.count("GET /core/websocket")
        await wait_until(lambda: fake.state.calls.count("GET /core/websocket") > asked, 5, "it is found to be away")
        fake.state.notifications.clear()
        fake.state.core = True
        await wait_until(lambda: "shelly_pro_a" in fake.state.notifications, 5, "it is shown again")
    assert len(fake.state.events) == 1


async def test_without_a_supervisor(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    async with running(replace(settings, logins=("anna",)), {}):
        await post_alert(settings)
        assert "Alert fires: Cellar is offline" in caplog.messages
        assert await role(settings, "anna") == "Viewer"


async def test_a_taken_port_is_waited_for(
    fake: FakeSupervisor, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with listener(settings.port):
            await stack.enter_async_context(running(settings, fake.environ))
            await wait_until(published(fake), 5, "all else is done")
            await wait_until(lambda: "Pages: failed" in caplog.text, 5, "it is said")
        await wait_until(lambda: accepts(settings.port), 5, "the daemon listens")
        assert await role(settings, "anna") == "Admin"


async def test_supervisor_is_away_at_the_end(
    fake: FakeSupervisor, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings, fake.environ):
        await wait_until(published(fake), 5, "all is told")
        await fake.stop()
    assert "The broker is still registered" in caplog.messages[-1]


async def test_users_of_home_assistant_may_log_in(fake: FakeSupervisor, settings: Settings) -> None:
    fake.state.logins = {"anna": "hunter2", "ben": "hunter3"}
    async with running(replace(settings, logins=("anna",)), fake.environ):
        await wait_until(settings.socket.is_socket, 5, "it listens")
        assert await log_in(settings.socket, "anna", "hunter2") == ALLOWED
        assert await log_in(settings.socket, "anna", "hunter3") == DENIED
        assert await log_in(settings.socket, "ben", "hunter3") == UNKNOWN
        await fake.stop()
        assert await log_in(settings.socket, "anna", "another") == UNKNOWN


async def log_in(socket: Path, *name_and_password: str) -> bytes:
    """Ask as Mosquitto's plug-in does."""
    reader, writer = await asyncio.open_unix_connection(socket)
    for text in name_and_password:
        writer.write(len(text).to_bytes(2) + text.encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_as_a_program_it_shows_no_secret(fake: FakeSupervisor, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    files.write({path: files.File(text=json.dumps(asdict(settings), default=str))})
    argv = (sys.executable, "-c", PROGRAM, path)
    environ = fake.environ | {"PYTHONPATH": str(REPOSITORY / "addon")}
    async with Process("control", argv, log=tmp_path / "log", env=environ) as process:
        await process.wait_until(published(fake), 20, "all is told")
        await post_alert(settings)
        await process.wait_until(lambda: len(fake.state.events) == 1, 5, "the alert is told")
        process.send(signal.SIGTERM)
        assert await asyncio.wait_for(process.ended(), 10) == 0
    log = (tmp_path / "log").read_text()
    assert "Alert fires: Cellar is offline" in log
    secrets = (settings.alert_token, settings.apps_password, settings.homeassistant_password, fake.state.token)
    assert not [secret for secret in secrets if secret in log]


def test_pauses_grow_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "_LONGEST_S", 60.0)
    assert list(islice(pauses(), 9)) == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert list(islice(pauses(), 1000))[-1] == 60


async def test_what_nobody_expected_is_logged_in_full_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tried = iter([ZeroDivisionError("why"), SupervisorError("away"), SupervisorError("away"), None])

    async def work() -> None:
        if (error := next(tried)) is not None:
            raise error

    await persist("Work", work)
    assert next(tried, "nothing left") == "nothing left"
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.ERROR, "Work: failed, tried again in 0.05 s"),
        (logging.WARNING, "Work: away"),
    ]
    assert "ZeroDivisionError: why" in caplog.text
