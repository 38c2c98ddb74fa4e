"""Dead letters once more: what is accepted goes, what is refused stays, and a second time changes nothing."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.replay import replay
from shelly_exporter.spool.dead_letters import DeadLetters, Letter
from tests.exporter.replay_stage import MemoryLetters, Store, contents, left, with_letters


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
    kept = MemoryLetters(letters)
    store = Store([b"m x=%d" % number for number in bad])
    asyncio.run(replay(kept, store.write))
    assert store.lines == {b"m x=%d" % number for number in numbers if number not in bad}
    assert kept.lines == [b"m x=%d" % number for number in numbers if number in bad]
    again = asyncio.run(replay(kept, store.write))
    assert again.written == 0
    assert kept.lines == [b"m x=%d" % number for number in numbers if number in bad]
