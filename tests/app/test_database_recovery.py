"""An app that was installed anew finds the history of the one before."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from shelly_app import database
from shelly_app.database import state
from shelly_app.database.api import LoginRefusedError
from shelly_app.database.recovery import Outcome, forget, run_as_owner
from shelly_app.options import Database, DatabaseMode, Options
from shelly_app.secret_store import SecretStore
from shelly_app.setup import Setup
from tests.app.database_stage import Stage, setup_in, stage_in
from tests.stack import REPOSITORY

TABLE = """\
ID\t\t\tUser Name\tUser ID\t\t\tDescription\t\t\tToken\t\tPermissions
0d5be2d4f40f2000\tshelly-pro\t0d5be2d4ee8f2000\tshelly-pro's Token\t\tREDACTED\t[read:buckets]
0d5be2d4f40f2002\tshelly-pro\t0d5be2d4ee8f2000\tshelly-pro's Recovery Token\tnewest==\t[read:buckets]
0d5be2d4f40f2001\tshelly-pro\t0d5be2d4ee8f2000\tshelly-pro's Recovery Token\tolder==\t[read:buckets]
0d5be2d4f40f2003\tshelly-pro\t0d5be2d4ee8f2000\tsomebody's Recovery Token\tother==\t[read:buckets]
0d5be2d4f40f2004\t\t0d5be2d4ee8f2000\t\tnobody's\t[read:buckets]
"""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """An InfluxDB that was set up and has a point in it."""
    async with stage_in(tmp_path) as stage:
        await stage.provision()
        assert await stage.write(stage.token("exporter")) == 204
        yield stage


class Influxd:
    """Says what it is told to say, and remembers what it was asked."""

    def __init__(self, output: str = TABLE, *, code: int = 0, errors: str = "") -> None:
        self._outcome = Outcome(code=code, output=output, errors=errors)
        self.commands: list[tuple[str, ...]] = []

    async def __call__(self, command: Sequence[str], _: Path) -> Outcome:
        self.commands.append(tuple(command))
        return self._outcome


async def program(command: Sequence[str], path: Path) -> Outcome:
    """Run the stand-in's own `recovery` in the place of InfluxDB's."""
    script = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); "
    script += "from tests.stack.influxdb2_stand_in import main; sys.exit(main(sys.argv[1:]))"
    return await run_as_owner((sys.executable, "-c", script, *command[1:]), path)


def orphaned(folder: Path) -> Setup:
    """A new app that finds files of InfluxDB."""
    setup = setup_in(folder)
    setup.layout.places.influxdb_data.mkdir(parents=True)
    (setup.layout.places.influxdb_data / "influxd.bolt").touch()
    return setup


async def test_the_history_survives_a_new_installation(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    old = stage.token("exporter")
    await stage.influx.stop()
    shutil.rmtree(stage.folder / "data")
    shutil.rmtree(stage.folder / "run")
    lost = stage.secrets.operator_token
    await database.adopt(stage.setup(), stage.store, program)
    assert caplog.messages == ["The history of an earlier installation is used again"]
    assert stage.secrets.operator_token != lost
    await stage.influx.start()
    await stage.start_again()
    assert await stage.read(stage.token("grafana")) == {"em": 1}
    assert await stage.write(stage.token("exporter")) == 204
    assert await stage.write(old) == 401
    assert len(stage.descriptions()) == 4
    assert stage.secrets.operator_token not in caplog.text


async def test_our_own_files_are_left_alone(stage: Stage) -> None:
    influxd = Influxd()
    await database.adopt(stage.setup(), stage.store, influxd)
    assert influxd.commands == []


def store_of(setup: Setup) -> SecretStore:
    """The secrets of the app."""
    return SecretStore(setup.layout.places.secrets)


async def test_the_first_start_asks_nothing(tmp_path: Path) -> None:
    setup, influxd = setup_in(tmp_path), Influxd()
    await database.adopt(setup, store_of(setup), influxd)
    assert influxd.commands == []


@pytest.mark.parametrize("mode", [DatabaseMode.EXTERNAL, DatabaseMode.OFF])
async def test_files_of_influxdb_are_left_alone_while_another_is_used(tmp_path: Path, mode: DatabaseMode) -> None:
    setup, influxd = orphaned(tmp_path), Influxd()
    other = replace(setup, options=Options(database=Database(mode=mode, url="http://there:8086")))
    await database.adopt(other, store_of(setup), influxd)
    assert influxd.commands == []


async def test_the_newest_token_is_taken(tmp_path: Path) -> None:
    setup, influxd = orphaned(tmp_path), Influxd()
    await database.adopt(setup, store_of(setup), influxd)
    assert store_of(setup).load().operator_token == "newest=="
    assert state.load(store_of(setup)).accepted
    bolt = setup.layout.places.influxdb_data / "influxd.bolt"
    command = "influxd recovery auth create-operator --org home --username shelly-pro --bolt-path"
    assert influxd.commands == [(*command.split(), str(bolt))]


async def test_files_that_were_never_set_up_are_no_history(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    setup = orphaned(tmp_path)
    before = store_of(setup).load()
    await database.adopt(setup, store_of(setup), program)
    assert store_of(setup).load() == before
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("influxd", "reason"),
    [
        (
            Influxd("", code=1, errors="2026\tinfo\tx\nError: unable to open boltdb file: timeout\n"),
            "Error: unable to open boltdb file: timeout",
        ),
        (Influxd("", code=-9), "it does not say why"),
        (Influxd(TABLE.replace("newest==", "REDACTED").replace("older==", "N/A")), "it does not show the token"),
        (Influxd(""), "it does not show the token"),
    ],
    ids=["files in use", "killed", "no token shown", "nothing said"],
)
async def test_a_failure_is_told_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, influxd: Influxd, reason: str
) -> None:
    setup = orphaned(tmp_path)
    before = store_of(setup).load()
    await database.adopt(setup, store_of(setup), influxd)
    (line,) = caplog.messages
    assert f"({reason})" in line
    assert "restart the app" in line
    assert store_of(setup).load() == before
    assert not state.load(store_of(setup)).accepted


@pytest.mark.parametrize("error", [TimeoutError(), FileNotFoundError("influxd")])
async def test_a_program_that_hangs_or_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    async def fail(command: Sequence[str], path: Path) -> Outcome:
        raise error

    setup = orphaned(tmp_path)
    await database.adopt(setup, store_of(setup), fail)
    assert f"({type(error).__name__})" in caplog.text


async def test_files_in_use_are_not_touched(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    before = stage.descriptions()
    state.keep(stage.store, state.State())
    await database.adopt(stage.setup(), stage.store, program)
    assert "unable to open boltdb file" in caplog.text
    assert stage.descriptions() == before


async def test_a_refused_token_is_replaced_at_the_next_start(stage: Stage) -> None:
    stage.store.keep("operator_token", "that of another backup")
    with pytest.raises(LoginRefusedError):
        await stage.provision()
    forget(stage.store)
    await stage.influx.stop()
    await database.adopt(stage.setup(), stage.store, program)
    await stage.influx.start()
    await stage.start_again()
    assert await stage.write(stage.token("exporter")) == 204


async def test_a_program_gets_no_more_than_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISOR_TOKEN", "secret")
    script = (
        "import os, sys; print(sorted(os.environ), os.getuid(), os.getgroups()); print(3, file=sys.stderr); exit(4)"
    )
    outcome = await run_as_owner((sys.executable, "-c", script), tmp_path)
    assert (outcome.code, outcome.errors) == (4, "3\n")
    assert "SUPERVISOR_TOKEN" not in outcome.output
    assert f"] {os.getuid()} [" in outcome.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_a_program_runs_as_the_owner_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "influxd.bolt"
    path.touch()
    os.chown(path, 1234, 1235)
    outcome = await run_as_owner(("/bin/sh", "-c", "id -u; id -g; id -G"), path)
    assert outcome.output.split() == ["1234", "1235", "1235"]


async def test_somebody_who_is_not_root_stays_who_he_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    if os.getuid() == 0:
        os.chown(tmp_path, 1234, 1235)
    outcome = await run_as_owner(("/bin/sh", "-c", "id -u"), tmp_path)
    assert outcome.output.strip() == str(os.getuid())


async def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; exec sleep 60"
    with pytest.raises(TimeoutError):
        await run_as_owner(("/bin/sh", "-c", script), tmp_path, 1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
