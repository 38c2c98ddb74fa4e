"""The command that replays dead letters: where it writes, and what it says."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from shelly_exporter import replay_command
from shelly_exporter.replay_command import run_replay
from shelly_exporter.settings import Kind, Settings, SpoolSettings
from shelly_exporter.settings import Target as TargetSettings
from shelly_exporter.spool.dead_letters import DeadLetters
from shelly_exporter.targets import Denied, Unavailable
from tests.exporter.replay_stage import Store, left


class Target:
    """A store with buckets; only `write` and `close` are asked of it."""

    def __init__(self, bad: Collection[bytes] = (), error: Unavailable | None = None) -> None:
        self.stores: dict[str, Store] = {}
        self.bad = bad
        self.error = error
        self.closed = False

    async def write(self, bucket: str, body: bytes) -> None:
        if self.error is not None:
            raise self.error
        await self.stores.setdefault(bucket, Store(self.bad)).write(body)

    async def close(self) -> None:
        self.closed = True


RAW_LINE = b"em,channel=0,device=a,phase=a act_power=1.0 1790000000000"
HOUR_LINE = b"energy_1h,channel=0,device=a,dow=1,hour=00,phase=a import_kwh=1.0 1790000000000"


def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Target) -> Settings:
    monkeypatch.setattr(replay_command, "target_for", lambda _settings, _session: target)
    DeadLetters(tmp_path / "dead-letters").add("old", [RAW_LINE, HOUR_LINE])
    return replace(
        Settings(),
        spool=SpoolSettings(directory=tmp_path),
        target=TargetSettings(kind=Kind.INFLUXDB1, bucket="live", rollup_bucket="rollups"),
    )


async def test_the_command_writes_each_line_to_its_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Target()
    settings = command(tmp_path, monkeypatch, target)
    assert await run_replay(settings) == 0
    assert {bucket: store.lines for bucket, store in target.stores.items()} == {
        "live": {RAW_LINE},
        "rollups": {HOUR_LINE},
    }
    assert target.closed
    assert capsys.readouterr().out == "2 written, 0 refused again\n"
    assert await run_replay(settings) == 0
    assert capsys.readouterr().out == "There are no dead letters.\n"


async def test_the_command_says_what_is_refused_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = command(tmp_path, monkeypatch, Target([HOUR_LINE]))
    assert await run_replay(settings) == 1
    out = capsys.readouterr().out.splitlines()
    assert out == ["1 written, 1 refused again", f"  1 refused: no {HOUR_LINE.decode()} dropped=1"]


async def test_the_command_says_why_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = command(tmp_path, monkeypatch, Target(error=Denied("the token is wrong: check influxdb.token")))
    assert await run_replay(settings) == 1
    out = capsys.readouterr().out
    assert "0 written, 0 refused again" in out
    assert "the rest is kept: the token is wrong: check influxdb.token" in out
    assert len(left(DeadLetters(tmp_path / "dead-letters"))) == 2


async def test_the_command_tells_what_is_wrong_with_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Target()
    settings = command(tmp_path, monkeypatch, target)
    (tmp_path / "dead-letters" / "lock").unlink()
    (tmp_path / "dead-letters" / "lock").mkdir()
    assert await run_replay(settings) == 1
    assert f"The dead letters in {tmp_path / 'dead-letters'} cannot be used" in capsys.readouterr().out
    assert target.closed
