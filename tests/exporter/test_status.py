"""The status of an exporter that answers, as people read it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shelly_core import Level
from shelly_exporter.health import Hop, device_hop, report
from shelly_exporter.settings import Settings
from shelly_exporter.settings import Web as WebSettings
from shelly_exporter.status import status
from shelly_exporter.web import Web
from tests.exporter.healths import health_of
from tests.exporter.status_stage import status_of
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


async def test_it_prints_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    async with exporter(lambda: report(hops())) as settings:
        assert await status(settings) == 0
    captured = capsys.readouterr()
    assert (captured.out.splitlines()[0], captured.err) == ("The exporter is well.", "")
