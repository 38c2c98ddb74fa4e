"""Signals, reloads and ends, of lives that are only pretended."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

import pytest
from structlog.testing import capture_logs

from shelly_exporter import daemon as module
from shelly_exporter.cluster.errors import ClusterError
from shelly_exporter.settings import Log, LogFormat, Settings, SettingsError
from shelly_exporter.spool import SpoolError
from tests.stack.processes import wait_until

OLD = Settings(instance="old")
NEW = Settings(
    instance="new", log=Log(format=LogFormat.JSON), warnings=("mqtt.tls: the broker is not asked who it is",)
)


class Lives:
    """Stands in for `Exporter`, and knows what became of each."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.log_formats: list[LogFormat] = []
        self.refusal: Exception | None = None
        self.part: asyncio.Future[None] | None = None
        """A part of the present life."""

    def __call__(self, settings: Settings) -> Life:
        return Life(self, settings.instance)

    async def have_said(self, *said: str) -> None:
        await wait_until(lambda: self.said == [*said], 5, f"{said} instead of {self.said}", interval_s=0.002)


class Life:
    """One exporter, from its start to its end."""

    def __init__(self, lives: Lives, name: str) -> None:
        self._lives = lives
        self._name = name
        self.running: tuple[asyncio.Future[None], ...] = ()

    async def __aenter__(self) -> Self:
        if self._lives.refusal is not None:
            raise self._lives.refusal
        self._lives.part = asyncio.get_running_loop().create_future()
        self.running = (asyncio.get_running_loop().create_future(), self._lives.part)
        self._lives.said.append(f"{self._name} begins")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._lives.said.append(f"{self._name} ends")


def refuse() -> Settings:
    raise SettingsError(("mqtt.port: 'x' is no port", "influxdb.url: is no URL"))


@asynccontextmanager
async def running(
    monkeypatch: pytest.MonkeyPatch, reload: Callable[[], Settings] = refuse
) -> AsyncIterator[tuple[Lives, asyncio.Task[int]]]:
    """The daemon, with lives that are pretended."""
    lives = Lives()
    monkeypatch.setattr(module, "Exporter", lives)
    monkeypatch.setattr(module, "set_up", lambda log: lives.log_formats.append(log.format))
    task = asyncio.create_task(module.run(OLD, reload))
    try:
        await lives.have_said("old begins")
        yield lives, task
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def code_of(task: asyncio.Task[int]) -> int:
    async with asyncio.timeout(5):
        return await task


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_orderly_end(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    with capture_logs() as logs:
        async with running(monkeypatch) as (lives, task):
            os.kill(os.getpid(), number)
            assert await code_of(task) == 0
            assert lives.said == ["old begins", "old ends"]
    assert [entry["event"] for entry in logs] == ["Stopped"]


async def test_other_settings_begin_another_life(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        async with running(monkeypatch, lambda: NEW) as (lives, task):
            os.kill(os.getpid(), signal.SIGHUP)
            await lives.have_said("old begins", "old ends", "new begins")
            os.kill(os.getpid(), signal.SIGTERM)
            assert await code_of(task) == 0
            assert lives.log_formats == [LogFormat.CONSOLE, LogFormat.JSON]
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("warning", NEW.warnings[0]),
        ("info", "The settings were reloaded"),
        ("info", "Stopped"),
    ]


async def test_bad_settings_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        async with running(monkeypatch) as (lives, task):
            os.kill(os.getpid(), signal.SIGHUP)
            await lives.have_said("old begins", "old ends", "old begins")
            assert not task.done()
    warnings = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert warnings[:2] == ["mqtt.port: 'x' is no port", "influxdb.url: is no URL"]
    assert "goes on with the old ones" in warnings[2]


async def test_signals_are_taken_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes while another is carried out is not lost."""
    async with running(monkeypatch, lambda: NEW) as (lives, task):
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert await code_of(task) == 0
        assert lives.said == ["old begins", "old ends", "new begins", "new ends", "new begins", "new ends"]


@pytest.mark.parametrize(
    "refusal",
    [
        SpoolError("The spool is in use: stop the other one"),
        SettingsError(("web.port: port 9433 is taken",)),
        ClusterError("cluster.redis_url is none"),
    ],
)
async def test_who_cannot_begin_says_why(monkeypatch: pytest.MonkeyPatch, refusal: Exception) -> None:
    lives = Lives()
    lives.refusal = refusal
    monkeypatch.setattr(module, "Exporter", lives)
    monkeypatch.setattr(module, "set_up", lambda _log: None)
    with capture_logs() as logs:
        assert await module.run(OLD, refuse) == 1
    (entry,) = logs
    assert entry["log_level"] == "critical"
    # Who formats it depends on whether `set_up` was called before, in this process.
    arguments = entry.get("positional_args", ())
    assert str(refusal) in (entry["event"] % arguments if arguments else entry["event"])


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(5, "Input/output error")])
async def test_a_part_that_breaks_ends_all(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A part less would be a hole that nobody notices; whoever runs the exporter starts it again."""
    async with running(monkeypatch) as (lives, task):
        assert lives.part is not None
        lives.part.set_exception(error)
        with pytest.raises(type(error)):
            await code_of(task)
        # Orderly: what was taken is kept.
        assert lives.said == ["old begins", "old ends"]


async def test_settings_that_cannot_run_give_way_to_the_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused_once() -> Settings:
        lives.refusal = SettingsError(("web.port: port 80 is taken",))
        return NEW

    with capture_logs() as entries:
        async with running(monkeypatch, refused_once) as (lives, task):
            real = lives.__class__.__call__

            def forgiving(self: Lives, settings: Settings) -> Life:
                if settings is OLD:
                    self.refusal = None
                return real(self, settings)

            monkeypatch.setattr(Lives, "__call__", forgiving)
            os.kill(os.getpid(), signal.SIGHUP)
            await lives.have_said("old begins", "old ends", "old begins")
            os.kill(os.getpid(), signal.SIGTERM)
            assert await code_of(task) == 0
    told = [entry["event"] for entry in entries if entry["log_level"] in {"warning", "critical"}]
    assert any("goes on with the old settings" in event for event in told)
