"""The spool while all is well: order, limits, restarts, the lock."""

import os
import threading
from pathlib import Path

import pytest

from shelly_exporter.segments import Segments
from shelly_exporter.spool import Position, Spool, SpoolError, Stream
from tests.exporter.spool_stage import MUCH, numbered, opened, segments, taken

RAW, COUNTERS = Stream.RAW, Stream.COUNTERS


def test_lines_come_out_in_their_order_and_once(tmp_path: Path) -> None:
    with opened(tmp_path, sync=True) as spool:
        for first in range(0, 500, 10):
            spool.append({RAW: numbered(first, first + 10)})
        assert len(segments(tmp_path)) > 3
        assert taken(spool) == numbered(0, 500)
        assert spool.read(RAW, 100) is None
        assert spool.depth_bytes(RAW) == 0
        assert len(segments(tmp_path)) == 1


def test_the_same_is_read_until_it_is_delivered(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append({RAW: [b"a"]})
        first = spool.read(RAW, 10)
        spool.append({RAW: [b"b"]})
        second = spool.read(RAW, 10)
        assert first is not None
        assert second is not None
        assert (first.body, second.body, second.lines) == (b"a", b"a\nb", 2)
        spool.advance(RAW, first.end)
        third = spool.read(RAW, 10)
        assert third is not None
        assert (third.body, third.end) == (b"b", second.end)


def test_streams_do_not_mix(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append({RAW: [b"r1"], COUNTERS: [b"c1", b"c2"]})
        spool.append({RAW: [], COUNTERS: [b"c3"]})
        assert taken(spool, COUNTERS) == [b"c1", b"c2", b"c3"]
        assert taken(spool, RAW) == [b"r1"]


def test_an_append_of_nothing_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append({RAW: []})
        spool.append({})
        assert segments(tmp_path) == []
        assert spool.read(RAW, 1) is None


def test_limits_are_kept_but_a_block_is_never_divided(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for size in (3, 3, 9, 1):
            spool.append({RAW: [b"x"] * size})
        sizes = []
        while (batch := spool.read(RAW, 7)) is not None:
            sizes.append(batch.lines)
            spool.advance(RAW, batch.end)
        assert sizes == [6, 9, 1]
        spool.append({RAW: [b"y" * 100]})
        spool.append({RAW: [b"z" * 100]})
        batch = spool.read(RAW, 100, 150)
        assert batch is not None
        assert batch.body == b"y" * 100


def test_a_block_larger_than_what_is_read_at_once_comes_whole(tmp_path: Path) -> None:
    large = [b"x" * 300_000]
    with opened(tmp_path) as spool:
        spool.append({RAW: large})
        batch = spool.read(RAW, 1, 1)
        assert batch is not None
        assert batch.body == large[0]


def test_age_is_that_of_the_oldest_line_that_waits(tmp_path: Path) -> None:
    now = 100.0
    spool = Spool(tmp_path, max_bytes=MUCH, sync=False, wall=lambda: now)
    spool.open()
    assert spool.oldest(RAW) is None
    spool.append({RAW: [b"a"]})
    now = 200.0
    spool.append({RAW: [b"b"]})
    batch = spool.read(RAW, 1)
    assert batch is not None
    assert (spool.oldest(RAW), batch.written) == (100.0, 100.0)
    spool.advance(RAW, batch.end)
    assert (spool.oldest(RAW), spool.oldest(COUNTERS)) == (200.0, None)
    spool.close()


def test_depth_counts_what_waits(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for _ in range(3):
            spool.append({RAW: [b"x" * 72]})
        assert spool.depth_bytes(RAW) == 300
        batch = spool.read(RAW, 2)
        assert batch is not None
        spool.advance(RAW, batch.end)
        assert (spool.depth_bytes(RAW), spool.depth_bytes(COUNTERS)) == (100, 0)


@pytest.mark.parametrize("delivered", [0, 1, 7, 49, 50])
def test_a_restart_changes_nothing(tmp_path: Path, delivered: int) -> None:
    with opened(tmp_path) as spool:
        for number in range(50):
            spool.append({RAW: numbered(number * 5, number * 5 + 5)})
        for _ in range(delivered):
            batch = spool.read(RAW, 5)
            assert batch is not None
            spool.advance(RAW, batch.end)
        depth = spool.depth_bytes(RAW)
    with opened(tmp_path) as spool:
        assert spool.depth_bytes(RAW) == depth
        spool.append({RAW: numbered(250, 260)})
        assert taken(spool) == numbered(delivered * 5, 260)
        assert spool.torn == 0
    with opened(tmp_path) as spool:
        assert spool.read(RAW, 1) is None
        assert spool.lost == {}


def test_what_is_advanced_over_is_gone(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for number in range(50):
            spool.append({RAW: numbered(number * 5, number * 5 + 5)})
        oldest, second, third = segments(tmp_path)[:3]
        skipped = (oldest.read_bytes() + second.read_bytes()).count(b"em,")
        spool.advance(RAW, Position(3, 0))
        assert segments(tmp_path)[0] == third
        assert taken(spool) == numbered(skipped, 250)


@pytest.mark.parametrize("sync", [True, False])
def test_an_append_is_one_write_and_one_sync_of_each_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool
) -> None:
    calls: list[str] = []

    def noted(name: str) -> None:
        original = getattr(os, name)

        def call(fd: int, *arguments: object) -> object:
            calls.append(f"{name} {Path(f'/proc/self/fd/{fd}').readlink().relative_to(tmp_path)}")
            return original(fd, *arguments)

        monkeypatch.setattr(os, name, call)

    with opened(tmp_path, sync=sync) as spool:
        for name in ("write", "fdatasync", "fsync"):
            noted(name)
        spool.append({RAW: numbered(0, 500), COUNTERS: [b"c"]})
        raw, counters = "raw/000000000001.segment", "counters/000000000001.segment"
        writes, syncs = [f"write {raw}", f"write {counters}"], [f"fdatasync {raw}", f"fdatasync {counters}"]
        if sync:
            assert calls == ["fsync raw", writes[0], "fsync counters", writes[1], *syncs]
        else:
            assert calls == writes
        calls.clear()
        spool.append({COUNTERS: [b"d"]})
        assert calls == ([writes[1], syncs[1]] if sync else [writes[1]])
        calls.clear()
        batch = spool.read(COUNTERS, 10)
        assert batch is not None
        spool.advance(COUNTERS, batch.end)
        assert calls == [], "the checkpoint is not synced"


def test_without_a_write_there_is_nothing_to_sync_to_commit_or_to_undo(tmp_path: Path) -> None:
    stream = Segments(tmp_path / "raw", segment_bytes=100, sync=True)
    stream.open()
    stream.sync()
    stream.commit()
    stream.undo()
    assert (segments(tmp_path), stream.disk_bytes, stream.read(1, 1)) == ([], 0, None)
    stream.close()


def test_a_closed_spool_takes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        pass
    with pytest.raises(SpoolError, match="not open"):
        spool.append({RAW: [b"a"]})
    assert spool.read(RAW, 1) is None
    spool.close()


def test_one_thread_appends_while_others_read(tmp_path: Path) -> None:
    appends = 100
    with opened(tmp_path, segment_bytes=8192, sync=True) as spool:

        def append() -> None:
            for number in range(appends):
                spool.append({RAW: numbered(number * 5, number * 5 + 5), COUNTERS: numbered(number, number + 1)})

        def watch() -> None:
            while appender.is_alive():
                spool.oldest(RAW)
                assert spool.depth_bytes(RAW) >= 0

        appender, watcher = threading.Thread(target=append), threading.Thread(target=watch)
        appender.start()
        watcher.start()
        found: dict[Stream, list[bytes]] = {RAW: [], COUNTERS: []}
        while appender.is_alive():
            for stream in Stream:
                if (batch := spool.read(stream, 37)) is not None:
                    found[stream] += batch.body.split(b"\n")
                    spool.advance(stream, batch.end)
        appender.join()
        watcher.join()
        for stream in Stream:
            found[stream] += taken(spool, stream)
        assert found == {RAW: numbered(0, appends * 5), COUNTERS: numbered(0, appends)}
        assert spool.lost == {}
