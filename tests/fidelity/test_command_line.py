"""Options from command line and file, and the process as demo and benchmarks start it."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.simulator.options import PASSWORD_VARIABLE, OptionError, parse

ROOT = Path(__file__).resolve().parents[2]


def test_defaults() -> None:
    options = parse([])
    assert [line.model.name for line in options.devices] == ["pro3", "pro3em"]
    assert {line.firmware.version for line in options.devices} == {"1.7.5"}
    assert {line.house for line in options.devices} == {"house"}
    assert (options.host, options.http_port, options.speed, options.mqtt) == ("127.0.0.1", 0, 1.0, {})


def test_a_spec() -> None:
    (line,) = parse(["--device", "pro3em400@2.0.1,count=50,seed=7,password=007,cadence=0.5"]).devices
    assert (line.model.name, line.firmware.version, line.count, line.seed) == ("pro3em400", "2.0.1", 50, 7)
    assert (line.password, line.cadence) == ("007", 0.5)
    assert "007" not in repr(line)


def test_how_a_device_is_wired(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(
        "devices: [{model: pro3em, house: barn, unwired: ab, neutral_ct: true}, {model: pro3, house: barn}]\n"
    )
    lines = parse(["--config", str(file), "--device", "pro3em,house=12,unwired=c,neutral_ct=true"]).devices
    told = [(line.house, line.unwired, line.neutral_ct) for line in lines]
    assert told == [("barn", {"a", "b"}, True), ("barn", frozenset(), False), ("12", {"c"}, True)]


def test_command_line_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("speed: 10\nseed: 3\nmqtt: {server: 'a:1883', user: one}\ndevices: [{model: pro3, count: 2}]\n")
    monkeypatch.setenv(PASSWORD_VARIABLE, "broker secret")
    options = parse(["--config", str(file), "--speed", "2", "--mqtt", "b:1884", "--device", "pro3em"])
    assert (options.speed, options.seed) == (2.0, 3)
    assert options.mqtt == {"server": "b:1884", "user": "one", "pass": "broker secret"}
    assert [line.model.name for line in options.devices] == ["pro3", "pro3em"]
    assert "secret" not in repr(options)


def test_password_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("broker secret\n")
    options = parse(["--mqtt", "a:1", "--mqtt-password-file", str(tmp_path / "password")])
    assert options.mqtt["pass"] == "broker secret"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--device", "pro4"], r"model.*pro3em"),
        (["--device", "pro3@0.9"], r"firmware.*1\.7\.5"),
        (["--device", "pro3,count"], "key=value"),
        (["--device", "pro3,count=none"], "count"),
        (["--device", "pro3,colour=red"], "colour"),
        (["--device", "pro3em,unwired=d"], r"unwired: write some of the letters abc"),
        (["--device", "pro3em,neutral_ct=maybe"], "neutral_ct"),
        (["--device", "pro3,unwired=a,neutral_ct=true"], r"neutral_ct, unwired: a pro3 measures nothing"),
        (["--speed", "0"], "speed"),
        (["--http-port", "70000"], "http_port"),
        (["--config", "missing.yaml"], r"missing\.yaml cannot be read"),
        (["--mqtt", "a:1", "--mqtt-password-file", "missing"], r"mqtt\.password_file: missing cannot be read"),
    ],
)
def test_wrong_options_are_explained(argv: list[str], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        parse(argv)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("devices: [{model: pro3, mqtt: {sever: x}}]", r"devices\.0\.mqtt\.sever.*README"),
        ("devices: pro3", "devices"),
        ("speed: fast", "speed"),
        ("- pro3", "dictionary"),
        ("a: [", "no YAML"),
        ("mqtt: {password: a, password_file: b}", "password"),
    ],
)
def test_wrong_files_are_explained(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "fleet.yaml").write_text(text)
    with pytest.raises(OptionError, match=told):
        parse(["--config", str(tmp_path / "fleet.yaml")])


async def start(*argv: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.simulator",
        *argv,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={key: value for key, value in os.environ.items() if key != PASSWORD_VARIABLE},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process(number: signal.Signals) -> None:
    process = await start("--device", "pro3,count=3", "--device", "pro3em-mono@1.4.4")
    assert process.stdout is not None
    async with asyncio.timeout(20):
        said = json.loads(await process.stdout.readline())
    assert list(said) == ["control", "devices"]
    assert list(said["devices"][0]) == [
        "id", "model", "mac", "host", "http_port", "profile", "firmware", "topic_prefix",
    ]  # fmt: skip
    reader, writer = await asyncio.open_connection("127.0.0.1", said["devices"][3]["http_port"])
    begun = time.monotonic()
    process.send_signal(number)
    async with asyncio.timeout(5):
        output, _ = await process.communicate()
    assert time.monotonic() - begun < 2
    assert process.returncode == 0
    assert output == b"", "one line, no more"
    writer.close()
    del reader


async def test_the_process_explains_a_wrong_option() -> None:
    process = await start("--device", "toaster")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"README.md" in errors
    assert b"Traceback" not in errors
