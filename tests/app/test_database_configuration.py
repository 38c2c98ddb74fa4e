"""What InfluxDB and the service `database` are told."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from shelly_app import database
from shelly_app.database.memory import available, limits
from shelly_app.database.settings import Settings, load
from shelly_app.database.tokens import TokenFile
from shelly_app.files import write
from shelly_app.options import Boards, Database, DatabaseMode, LogLevel, Options
from shelly_app.places import Accounts
from shelly_app.secret_store import SecretStore
from shelly_app.setup import Setup
from tests.app.database_stage import setup_in
from tests.stack.influxdb2_stand_in import OPTIONS
from tests.stack.processes import Process, accepts, free_port, wait_until

MIB = 1024 * 1024


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return setup_in(tmp_path, port=8186)


@pytest.mark.parametrize(
    ("memory", "heap", "cache", "snapshot", "query", "queries"),
    [
        (512, 192, 64, 8, 32, 2),
        (1024, 256, 64, 8, 32, 2),
        (2048, 512, 128, 12, 64, 4),
        (4096, 1024, 256, 25, 128, 4),
        (8192, 2048, 512, 25, 256, 4),
        (65536, 2048, 512, 25, 256, 4),
    ],
)
def test_limits(memory: int, heap: int, cache: int, snapshot: int, query: int, queries: int) -> None:
    found = limits(memory * MIB)
    assert (found.heap, found.cache, found.snapshot, found.query) == (
        heap * MIB,
        cache * MIB,
        snapshot * MIB,
        query * MIB,
    )
    assert found.queries == queries


@pytest.mark.parametrize(
    ("meminfo", "cap", "expected"),
    [
        ("MemTotal:        2048 kB\nMemFree: 1 kB\n", None, 2 * MIB),
        ("MemTotal:        2048 kB\n", "max\n", 2 * MIB),
        ("MemTotal:        2048 kB\n", "1048576\n", MIB),
        ("MemFree: 1 kB\n", None, 1024 * MIB),
        (None, None, 1024 * MIB),
    ],
    ids=["a machine", "a container without a limit", "one with a limit", "an odd file", "no file"],
)
def test_memory(tmp_path: Path, meminfo: str | None, cap: str | None, expected: int) -> None:
    for name, text in (("meminfo", meminfo), ("cap", cap)):
        if text is not None:
            (tmp_path / name).write_text(text)
    assert available(tmp_path / "meminfo", tmp_path / "cap") == expected


def test_the_memory_of_this_machine() -> None:
    assert available() > 64 * MIB


def test_influxdb_listens_for_us_only_and_tells_nobody(setup: Setup) -> None:
    write(database.files(setup))
    document = yaml.safe_load((setup.layout.places.influxdb / "config.yaml").read_text())
    assert document["http-bind-address"] == "127.0.0.1:8186"
    assert document["reporting-disabled"] is True
    assert document["ui-disabled"] is True
    assert document.keys() <= OPTIONS
    data = setup.layout.places.influxdb_data
    assert {document[f"{name}-path"] for name in ("bolt", "engine", "sqlite")} == {
        str(data / name) for name in ("influxd.bolt", "engine", "influxd.sqlite")
    }
    assert data.is_relative_to(setup.layout.places.config)


@pytest.mark.parametrize(
    ("level", "expected"),
    [(LogLevel.DEBUG, "debug"), (LogLevel.INFO, "info"), (LogLevel.WARNING, "error"), (LogLevel.ERROR, "error")],
)
def test_log_level(tmp_path: Path, level: LogLevel, expected: str) -> None:
    setup = setup_in(tmp_path, Options(log_level=level))
    (text,) = (file.text for path, file in database.files(setup).items() if path.name == "config.yaml")
    assert yaml.safe_load(text)["log-level"] == expected


def test_command_and_environment(setup: Setup) -> None:
    assert database.command(setup) == ("influxd",)
    assert database.environment(setup) == {
        "INFLUXD_CONFIG_PATH": str(setup.layout.places.influxdb / "config.yaml"),
        "GOMEMLIMIT": f"{limits(available()).heap // MIB}MiB",
    }


@pytest.mark.parametrize("mode", [DatabaseMode.EXTERNAL, DatabaseMode.OFF])
def test_without_our_influxdb_there_are_no_files(tmp_path: Path, mode: DatabaseMode) -> None:
    setup = setup_in(tmp_path, Options(database=Database(mode=mode, url="http://there:8086")))
    assert database.files(setup) == {}


def test_what_the_service_is_told(setup: Setup) -> None:
    setup = replace(setup, layout=replace(setup.layout, accounts=Accounts()))
    files = database.files(setup)
    assert {path.name: file.owner for path, file in files.items()} == {"config.yaml": "influxdb", "database.json": None}
    assert {file.mode for file in files.values()} == {0o600}
    path = setup.layout.places.run / "database.json"
    write({path: files[path]})
    found = load(setup.layout.places)
    assert found == Settings.of(setup)
    assert found.url == "http://127.0.0.1:8186"
    assert found.retention_days == {"shelly": 60, "shelly_rollups": 0}
    assert found.writer == TokenFile(path=setup.layout.places.writer_token, owner="shelly-exporter")
    assert found.reader == TokenFile(path=setup.layout.places.grafana / "token", owner="grafana")


def test_without_boards_the_service_hands_out_one_token(tmp_path: Path) -> None:
    setup = setup_in(tmp_path, Options(boards=Boards(enabled=False)))
    write(database.files(setup))
    assert load(setup.layout.places).reader is None


@pytest.mark.parametrize("boards", [True, False])
@pytest.mark.parametrize("history", [True, False], ids=["with files of InfluxDB", "without"])
@pytest.mark.parametrize("kept", [True, False], ids=["with tokens", "without tokens"])
def test_tokens_that_are_known_need_not_be_waited_for(tmp_path: Path, boards: bool, history: bool, kept: bool) -> None:
    setup = setup_in(tmp_path, Options(boards=Boards(enabled=boards)))
    places = setup.layout.places
    if history:
        places.influxdb_data.mkdir(parents=True)
        (places.influxdb_data / "influxd.bolt").touch()
    if kept:
        store = SecretStore(places.secrets)
        store.keep("writer_token", "w")
        store.keep("reader_token", "r")
        setup = replace(setup, secrets=store.load())
    tokens = {path: file.text for path, file in database.files(setup).items() if path.name == "token"}
    expected = {places.writer_token: "w"} | ({places.grafana / "token": "r"} if boards else {})
    assert tokens == (expected if history and kept else {})


async def test_the_program_takes_the_file(tmp_path: Path) -> None:
    """The stand-in refuses what InfluxDB does not know."""
    setup = setup_in(tmp_path, port=free_port())
    write(database.files(setup))
    argv = (sys.executable, "-m", "tests.stack.influxdb2_stand_in")
    process = Process("InfluxDB", argv, log=tmp_path / "log", env=dict(database.environment(setup)))
    async with process:
        port = setup.layout.ports.influxdb
        await process.wait_until(lambda: accepts(port), 20, "InfluxDB listens")
        assert (setup.layout.places.influxdb_data / "influxd.bolt").exists()
        assert (setup.layout.places.influxdb_data / "engine").is_dir()
    assert process.returncode == 0
    await wait_until(lambda: not process.running, 5, "it is gone")
