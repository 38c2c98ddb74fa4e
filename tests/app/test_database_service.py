"""The service that sets InfluxDB up, however late it comes."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import override

import pytest

from shelly_app import database
from shelly_app.database import service, state
from shelly_app.database.settings import Settings
from shelly_app.files import write
from tests.app.database_stage import Stage, stage_in
from tests.stack import REPOSITORY
from tests.stack.processes import Process, wait_until

READY = "InfluxDB is ready for the exporter and Grafana"
PROGRAM = """
import sys, pathlib
from shelly_app.database.service import main
from shelly_app.places import Layout, Places
folder = pathlib.Path(sys.argv[1])
main(Layout(places=Places(data=folder / "data", config=folder / "config", run=folder / "run")))
"""
PYTHONPATH = {"PYTHONPATH": str(REPOSITORY / "addon")}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage_in(tmp_path) as stage:
        yield stage


@pytest.fixture(autouse=True)
def verbose(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[asyncio.Task[None]]:
    """The service, which tries again twenty times a second."""
    task = asyncio.create_task(service.run(Settings.of(stage.setup()), stage.store, [0.05] * 1000))
    yield task
    async with asyncio.timeout(10):
        await task


async def test_influxdb_is_there(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async with running(stage):
        pass
    assert await stage.write(stage.token("exporter")) == 204
    assert caplog.messages == ["InfluxDB is set up", READY]


async def test_influxdb_is_late(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    await stage.influx.stop()
    async with running(stage):
        await wait_until(lambda: len(caplog.messages) == 1, 10, "a line says what it waits for")
        assert caplog.messages == [f"InfluxDB does not answer at {stage.influx.url} (ClientConnectorError)"]
        await stage.influx.start()
        stage.influx.failure = (503, "starting")
        await wait_until(lambda: len(caplog.messages) == 2, 10, "another line says what has changed")
        assert "not ready yet" in caplog.messages[1]
        asked = len(stage.influx.calls)
        await wait_until(lambda: len(stage.influx.calls) > asked + 3, 10, "it tries again")
        assert len(caplog.messages) == 2
        stage.influx.failure = None
    assert caplog.messages[2:] == ["InfluxDB is set up", READY]


async def test_a_start_of_some_seconds_is_nothing_to_talk_about(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.influx.failure = (503, "starting")
    async with running(stage):
        await wait_until(lambda: len(stage.influx.calls) == 2, 10, "it tries again")
        stage.influx.failure = None
    assert caplog.messages == ["InfluxDB is set up", READY]


async def test_a_token_that_is_refused_is_told_at_once_and_remembered(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.provision()
    token = stage.secrets.operator_token
    stage.store.keep("operator_token", "another")
    caplog.clear()
    async with running(stage):
        await wait_until(lambda: len(caplog.messages) == 1, 10, "a line")
        assert "Restart the app" in caplog.messages[0]
        assert not state.load(stage.store).accepted
        stage.store.keep("operator_token", token)
    assert caplog.messages[1:] == [READY]
    assert state.load(stage.store).accepted


async def test_a_refusal_is_told_at_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.influx.failure = (403, "no")
    async with running(stage):
        await wait_until(lambda: len(caplog.messages) == 1, 10, "a line")
        assert "InfluxDB refuses GET /api/v2/setup (403" in caplog.messages[0]
        stage.influx.failure = None


async def test_an_end_in_the_middle_is_made_up_for(stage: Stage) -> None:
    """Whatever the call is after which everything stops, the next start completes the work."""
    await stage.provision()
    calls = len(stage.influx.calls)
    for fatal in range(1, calls + 1):
        folder = stage.folder / str(fatal)
        async with _mortal(folder, fatal) as mortal:
            with pytest.raises(Exception, match=r"InfluxDB"):
                await mortal.provision()
            mortal.influx.failure = None
            await mortal.start_again()
            assert await mortal.write(mortal.token("exporter")) == 204
            assert await mortal.read(mortal.token("grafana")) == {"em": 1}
            assert len(mortal.descriptions()) == 3


@asynccontextmanager
async def _mortal(folder: Path, fatal: int) -> AsyncIterator[Stage]:
    """An InfluxDB that does what the call number `fatal` asks, and dies before it answers."""

    class Calls(list[str]):
        @override
        def append(self, call: str, /) -> None:
            super().append(call)
            if len(self) == fatal:
                influx.failure = (503, "dead")

    async with stage_in(folder) as stage:
        influx = stage.influx
        influx.calls = Calls()
        yield stage


async def test_the_program(stage: Stage) -> None:
    setup = stage.setup()
    write(database.files(setup))
    log = stage.folder / "log"
    async with Process("database", (sys.executable, "-c", PROGRAM, stage.folder), log=log, env=PYTHONPATH) as process:
        assert await process.ended() == 0
    assert await stage.write(stage.token("exporter")) == 204
    assert re.fullmatch(rf"\S+ \S+ INFO InfluxDB is set up\n\S+ \S+ INFO {READY}\n", log.read_text())
    token = stage.token("exporter")
    await asyncio.to_thread(service.main, setup.layout)
    assert stage.token("exporter") == token
