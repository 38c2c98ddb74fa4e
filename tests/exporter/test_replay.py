"""Dead letters once more: what is accepted goes, what is refused stays, and a second time changes nothing."""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import override

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter import replay_command
from shelly_exporter.dead_letters import DeadLetters, Letter, Letters
from shelly_exporter.replay import replay
from shelly_exporter.replay_command import run_replay
from shelly_exporter.settings import Kind, Settings, SpoolSettings
from shelly_exporter.settings import Target as TargetSettings
from shelly_exporter.targets import Denied, Refused, Unavailable


class Store:
    """Takes all lines but those that are `bad`; `fails` at a line. What it takes is a set: points are idempotent."""

    def __init__(self, bad: Collection[bytes] = (), *, fails: bytes | None = None) -> None:
        self.bad = set(bad)
        self.fails = fails
        self.lines: set[bytes] = set()
        self.writes = 0

    async def write(self, body: bytes) -> None:
        self.writes += 1
        lines = body.split(b"\n")
        if self.fails in lines:
            raise Unavailable("the store is away")
        # A partial write: what is good is kept, the answer is an error all the same.
        self.lines |= set(lines) - self.bad
        if refused := [line for line in lines if line in self.bad]:
            raise Refused(f"no {refused[0].decode()} dropped={len(refused)}")


def left(dead_letters: DeadLetters) -> list[Letter]:
    return [letter for _, letters in dead_letters.read() for letter in letters]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def with_letters(directory: Path, count: int, max_bytes: int = 80_000) -> tuple[DeadLetters, list[bytes]]:
    """Letters in several files, or in one where `max_bytes` is large."""
    dead_letters = DeadLetters(directory, max_bytes, wall=lambda: 1.0)
    lines = [b"m x=%d" % number for number in range(count)]
    dead_letters.add("old", lines)
    return dead_letters, lines


async def test_what_the_store_takes_now_is_removed(tmp_path: Path) -> None:
    dead_letters, lines = with_letters(tmp_path, 1200)
    store = Store()
    result = await replay(dead_letters, store.write)
    assert (result.written, result.refused, result.stopped) == (1200, {}, None)
    assert store.lines == set(lines)
    assert left(dead_letters) == []
    assert store.writes < 20, "all good lines go together"
    assert await replay(dead_letters, store.write) == (0, {}, None)


async def test_what_it_still_refuses_stays_with_the_new_reason(tmp_path: Path) -> None:
    dead_letters, lines = with_letters(tmp_path, 1200)
    bad = [lines[0], lines[7], lines[8], lines[777], lines[1199]]
    store = Store(bad)
    result = await replay(dead_letters, store.write)
    assert result.written == 1195
    assert result.refused == {f"no {line.decode()} dropped=1": 1 for line in bad}
    assert store.lines == set(lines) - set(bad)
    assert left(dead_letters) == [Letter(1.0, f"no {line.decode()} dropped=1", line) for line in bad]
    files = contents(tmp_path)
    again = await replay(dead_letters, store.write)
    assert (again.written, again.refused) == (0, result.refused)
    assert contents(tmp_path) == files
    assert store.lines == set(lines) - set(bad)


@pytest.mark.parametrize("max_bytes", [80_000, 10**7])
async def test_a_store_that_goes_away_costs_nothing(tmp_path: Path, max_bytes: int) -> None:
    dead_letters, lines = with_letters(tmp_path, 1200, max_bytes)
    store = Store([lines[3]], fails=lines[900])
    result = await replay(dead_letters, store.write)
    assert result.stopped == "the store is away"
    assert result.refused == {"no m x=3 dropped=1": 1}
    rest = {letter.line for letter in left(dead_letters)}
    assert rest | store.lines == set(lines)
    assert len(rest) == 1200 - result.written
    assert result.written >= 499
    assert lines[900] in rest
    store.fails = None
    result = await replay(dead_letters, store.write)
    assert result.stopped is None
    assert [letter.line for letter in left(dead_letters)] == [lines[3]]


async def test_when_it_is_cancelled_what_was_delivered_is_removed(tmp_path: Path) -> None:
    dead_letters, _ = with_letters(tmp_path, 600, 10**7)
    second = asyncio.Event()
    bodies: list[bytes] = []

    async def write(body: bytes) -> None:
        bodies.append(body)
        if len(bodies) == 2:
            second.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(replay(dead_letters, write))
    await asyncio.wait_for(second.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(left(dead_letters)) == 100


async def test_what_the_exporter_adds_meanwhile_stays(tmp_path: Path) -> None:
    dead_letters, lines = with_letters(tmp_path, 10)
    daemon = DeadLetters(tmp_path)

    async def write(_body: bytes) -> None:
        daemon.add("new", [b"m x=new"])

    result = await replay(dead_letters, write)
    assert result.written == len(lines)
    assert [letter.line for letter in left(dead_letters)] == [b"m x=new"]


@given(st.lists(st.integers(0, 30), max_size=80), st.sets(st.integers(0, 30)))
def test_nothing_is_lost_and_nothing_good_stays(numbers: list[int], bad: set[int]) -> None:
    letters = [Letter(float(index), "old", b"m x=%d" % number) for index, number in enumerate(numbers)]
    kept = _Memory(letters)
    store = Store([b"m x=%d" % number for number in bad])
    asyncio.run(replay(kept, store.write))
    assert store.lines == {b"m x=%d" % number for number in numbers if number not in bad}
    assert kept.lines == [b"m x=%d" % number for number in numbers if number in bad]
    again = asyncio.run(replay(kept, store.write))
    assert again.written == 0
    assert kept.lines == [b"m x=%d" % number for number in numbers if number in bad]


class _Memory(DeadLetters):
    """Dead letters without a disk."""

    def __init__(self, letters: list[Letter]) -> None:
        super().__init__(Path("/nowhere"))
        self._letters = letters

    @property
    def lines(self) -> list[bytes]:
        return [letter.line for letter in self._letters]

    @override
    def read(self) -> Iterator[Letters]:
        if self._letters:
            yield Letters(1, tuple(self._letters))

    @override
    def settle(self, number: int, outcomes: Mapping[Letter, str | None]) -> None:
        assert number == 1
        outcome = [(letter, outcomes.get(letter, letter.reason)) for letter in self._letters]
        self._letters = [letter._replace(reason=reason) for letter, reason in outcome if reason is not None]


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
