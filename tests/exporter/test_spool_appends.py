"""How a spool takes lines: with one write and one sync of each stream, from one thread while others read."""

import os
import threading
from pathlib import Path

import pytest

from shelly_exporter.spool import Stream
from shelly_exporter.spool.segments import Segments
from tests.exporter.spool_stage import numbered, opened, segments, taken

RAW, COUNTERS = Stream.RAW, Stream.COUNTERS


def test_an_append_of_nothing_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append({RAW: []})
        spool.append({})
        assert segments(tmp_path) == []
        assert spool.read(RAW, 1) is None


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
