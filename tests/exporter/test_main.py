"""The command line: what is called with what, and what is said when the settings are wrong."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import shelly_exporter
from shelly_exporter import __main__ as command_line
from shelly_exporter.settings import Settings

PLACES = {"run": ("daemon", "run"), "check": ("check", "check"), "replay": ("replay_command", "run_replay")}
PLACES["status"] = ("status", "status")

type Calls = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment, without anything of ours until a test puts it there."""
    variables = {"SHELLY_INFLUXDB_KIND": "influxdb1"}
    monkeypatch.setattr("os.environ", variables)
    return variables


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the commands, which are replaced, have been called with; each returns the length of its name."""
    made: Calls = []
    for command, (module, function) in PLACES.items():
        fake = ModuleType(f"shelly_exporter.{module}")
        setattr(fake, function, _noting(command, made))
        monkeypatch.setitem(sys.modules, fake.__name__, fake)
        # Once the true module has been imported, the package itself holds it as well.
        monkeypatch.setattr(shelly_exporter, module, fake, raising=False)
    return made


def _noting(command: str, made: Calls) -> Callable[..., Any]:
    async def noted(*arguments: Any) -> int:
        made.append((command, arguments))
        return len(command)

    return noted


def main(*arguments: str) -> int:
    return command_line.main(arguments)


@pytest.mark.parametrize("command", ["check", "replay", "status"])
def test_a_command_gets_the_settings_and_gives_the_exit_code(calls: Calls, command: str) -> None:
    assert main(command) == len(command)
    ((called, (settings,)),) = calls
    assert called == command
    assert isinstance(settings, Settings)


def test_run_can_read_the_settings_again(calls: Calls, environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "exporter.yaml"
    path.write_text("mqtt: {host: one}")
    assert main("--config", str(path), "run") == len("run")
    ((_, (settings, reload)),) = calls
    assert settings.mqtt.host == "one"
    path.write_text("mqtt: {host: two}")
    assert reload().mqtt.host == "two"


def test_the_file_may_be_named_by_a_variable(calls: Calls, environ: dict[str, str], tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"instance: {name}")
    environ["SHELLY_CONFIG"] = str(tmp_path / "one")
    main("check")
    main("check", "--config", str(tmp_path / "two"))
    environ["SHELLY_CONFIG"] = ""
    main("check")
    instances = [arguments[0].instance for _, arguments in calls]
    assert instances[:2] == ["one", "two"]
    assert instances[2] not in {"one", "two"}


def test_problems_are_printed_one_a_line(
    calls: Calls, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environ |= {"SHELLY_MQTT_PORT": "99999", "SHELLY_WEB_PORT": "x"}
    assert main("run") == 2
    assert calls == []
    assert capsys.readouterr().err.splitlines() == [
        "shelly-exporter: mqtt.port (SHELLY_MQTT_PORT): 99999 is no port: give a number from 1 to 65535",
        "shelly-exporter: web.port (SHELLY_WEB_PORT): 'x' is no port: give a number from 1 to 65535",
    ]


def test_warnings_are_printed_and_nothing_stops(
    calls: Calls, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environ["TZ"] = "CET-1CEST"
    assert main("run") == len("run")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("shelly-exporter: warning: time_zone (SHELLY_TIME_ZONE): ")
    main("status")
    assert capsys.readouterr().err == ""


def test_an_interrupt_ends_it_without_a_trace(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(_: Settings) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["shelly_exporter.check"], "check", interrupted)
    assert main("check") == 130


def test_help_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main("--help")
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for command in PLACES:
        assert f"  {command} " in shown
    example = Path(shelly_exporter.__path__[0]) / "exporter.example.yaml"
    assert f"\n  {example}\n" in shown
    assert max(len(line) for line in shown.splitlines() if str(example) not in line) <= 120


@pytest.mark.parametrize("arguments", [(), ("stop",), ("run", "--conf", "x")])
def test_what_nobody_understands_is_refused(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(*arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: shelly-exporter [--config FILE] COMMAND\n")


def test_status_does_not_load_what_run_consists_of() -> None:
    code = "import sys, shelly_exporter.__main__; print('paho' in sys.modules, 'influxdb_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shelly_exporter", "run"],
        check=False,
        capture_output=True,
        text=True,
        env={"SHELLY_MQTT_PORT": "0"},
    )
    assert done.returncode == 2
    assert done.stderr == "shelly-exporter: mqtt.port (SHELLY_MQTT_PORT): 0 is no port: give a number from 1 to 65535\n"
