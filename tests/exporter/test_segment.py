"""Segments: the files that blocks are in."""

import errno
import os
from pathlib import Path

import pytest

from shelly_exporter.spool import segment as segment_module
from shelly_exporter.spool.segment import Segment


def test_a_new_segment_is_read_up_to_what_is_committed(tmp_path: Path) -> None:
    segment = Segment.made(tmp_path, 7, sync=True)
    segment.write(b"one")
    assert segment.size == 0
    segment.sync()
    segment.commit()
    segment.write(b"two")
    assert (segment.size, segment.load(0, 3)) == (3, b"one")
    segment.undo()
    assert segment.writable
    assert segment.path.read_bytes() == b"one"
    segment.close()
    assert not segment.writable
    with pytest.raises(OSError, match="the segment is closed"):
        segment.write(b"three")


def test_segments_are_found_in_their_order_and_nothing_else_is(tmp_path: Path) -> None:
    for number in (10, 9, 100):
        Segment.made(tmp_path, number, sync=False).close()
    for name in ("checkpoint", "000000000001.segment.old", "1.segment"):
        (tmp_path / name).touch()
    assert [segment.number for segment in Segment.found(tmp_path, sync=False)] == [9, 10, 100]


def test_a_new_segment_is_not_one_that_is_there(tmp_path: Path) -> None:
    Segment.made(tmp_path, 1, sync=False).close()
    with pytest.raises(FileExistsError):
        Segment.made(tmp_path, 1, sync=False)


def test_an_entry_that_cannot_be_synced_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_directory: Path) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(segment_module, "sync_directory", fail)
    with pytest.raises(OSError, match="broken"):
        Segment.made(tmp_path, 1, sync=True)
    assert list(tmp_path.iterdir()) == []


def test_after_a_sync_that_failed_the_file_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment.made(tmp_path, 1, sync=True)
    segment.write(b"one")

    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(OSError, match="broken"):
        segment.sync()
    segment.undo()
    assert (segment.writable, segment.path.read_bytes()) == (False, b"")
    segment.close()


def test_nor_if_what_was_written_cannot_be_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment.made(tmp_path, 1, sync=True)
    segment.write(b"one")

    def fail(_fd: int, _size: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "ftruncate", fail)
    segment.undo()
    assert not segment.writable
    segment.close()


def test_what_a_disk_cannot_read_costs_the_pages_it_is_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment.made(tmp_path, 1, sync=False)
    content = b"".join(bytes([index]) * 4096 for index in range(4)) + b"end"
    segment.write(content)
    segment.commit()
    segment.close()
    pread = os.pread

    def bad_sector(fd: int, length: int, offset: int) -> bytes:
        if offset < 8192 + 512 and offset + length > 8192:
            raise OSError(errno.EIO, "bad sector")
        return pread(fd, length, offset)

    monkeypatch.setattr(os, "pread", bad_sector)
    assert segment.load(0, len(content)) == content[:8192] + b"\xff" * 4096 + content[12288:]
    with pytest.raises(OSError, match="bad sector"):
        segment.load(8192, 4096)


def test_other_errors_of_a_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment.made(tmp_path, 1, sync=False)

    def fail(_fd: int, _length: int, _offset: int) -> bytes:
        raise OSError(errno.ESTALE, "stale")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(OSError, match="stale"):
        segment.load(0, 1)
    segment.close()
