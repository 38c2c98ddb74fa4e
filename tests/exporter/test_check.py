import io
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog

from shelly_exporter import check as command
from shelly_exporter.check import check
from shelly_exporter.check.steps import Outcome, Step
from shelly_exporter.settings import Cluster, Devices, Kind, Log, LogLevel, Mqtt, Settings, SpoolSettings, Target
from tests.stack.fleet import DeviceSpec, Fleet
from tests.stack.influxdb import InfluxServer
from tests.stack.mosquitto import HOME_ASSISTANT, Broker
from tests.stack.processes import free_port, wait_until
from tests.stack.redis_server import RedisServer


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What other tests find is what this one found; and rows are not wrapped."""
    monkeypatch.setenv("COLUMNS", "400")
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def told(settings: Settings) -> tuple[int, list[str]]:
    out = io.StringIO()
    code = await check(settings, out, listen_s=0.3)
    return code, out.getvalue().splitlines()


async def test_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    spec = DeviceSpec(model="pro3em")
    async with (
        Broker(tmp_path / "broker") as broker,
        Fleet(tmp_path / "fleet", (spec,), broker=broker) as fleet,
        InfluxServer(tmp_path / "influxdb") as influx,
        RedisServer(tmp_path / "redis") as redis,
    ):
        await wait_until(fleet.connected, 10, "the meter reaches the broker")
        (meter,) = fleet.devices
        settings = Settings(
            mqtt=Mqtt(port=broker.port, username=HOME_ASSISTANT, password=broker.password(HOME_ASSISTANT)),
            devices=Devices(addresses={meter.id: f"{meter.host}:{meter.http_port}"}),
            target=Target(kind=Kind.INFLUXDB1, url=influx.url),
            spool=SpoolSettings(directory=tmp_path / "spool", max_mib=64),
            cluster=Cluster(group="home", redis_url=redis.url),
            time_zone=ZoneInfo("Europe/Berlin"),
        )
        code, lines = await told(settings)
    assert code == 0
    assert [line.split()[:2] for line in lines[:-2]] == [
        ["ok", "settings"],
        ["ok", "spool"],
        ["ok", "MQTT"],
        ["ok", meter.id],
        ["ok", meter.id],
        ["ok", "InfluxDB"],
        ["ok", "InfluxDB"],
        ["ok", "Redis"],
    ]
    assert lines[-2:] == ["", "All is well."]
    assert lines[0].startswith("ok     settings                   time zone Europe/Berlin")


async def test_nothing_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(
        mqtt=Mqtt(port=free_port()),
        target=Target(kind=Kind.INFLUXDB1, url=f"http://127.0.0.1:{free_port()}"),
        spool=SpoolSettings(directory=tmp_path, max_mib=64),
        time_zone=ZoneInfo("Europe/Berlin"),
        warnings=("influxdb.bucket: token=hunter2",),
    )
    code, lines = await told(settings)
    assert code == 1
    assert [line.split()[0] for line in lines[:-2]] == ["ok", "note", "ok", "WRONG", "WRONG"]
    assert lines[-1] == "2 steps are wrong; what to do stands there."
    assert "hunter2" not in "".join(lines)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")  # what is told is not logged, too


def pretend(monkeypatch: pytest.MonkeyPatch, *given: Step) -> None:
    """Let the check find these steps."""

    async def made(_settings: Settings, _listen_s: float) -> AsyncIterator[Step]:
        for step in given:
            yield step

    monkeypatch.setattr(command, "_steps", made)


async def test_notes_are_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Step("spool", Outcome.NOTE, "little space", "free some"))
    code, lines = await told(Settings())
    assert (code, lines) == (
        0,
        [
            "note   spool                      little space",
            "                                  -> free some",
            "",
            "All is well.",
        ],
    )


async def test_one_wrong_step(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = "a\x1b[31mb\nok  all"
    pretend(monkeypatch, Step(bad, Outcome.WRONG, bad), Step("spool", Outcome.OK, "fine"))
    code, lines = await told(Settings())
    assert code == 1
    assert lines[0] == "WRONG  a [31mb ok  all            a [31mb ok  all"
    assert lines[-1] == "1 step is wrong; what to do stands there."


@pytest.mark.parametrize(("level", "expected"), [(LogLevel.INFO, logging.ERROR), (LogLevel.DEBUG, logging.DEBUG)])
async def test_the_log_is_quiet_unless_somebody_looks_for_trouble(
    monkeypatch: pytest.MonkeyPatch, level: LogLevel, expected: int
) -> None:
    pretend(monkeypatch)
    assert await check(Settings(log=Log(level=level)), io.StringIO()) == 0
    assert logging.getLogger().level == expected


async def test_it_prints_to_stdout(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(monkeypatch, Step("spool", Outcome.OK, "fine"))
    assert await check(Settings()) == 0
    assert capsys.readouterr().out == "ok     spool                      fine\n\nAll is well.\n"
