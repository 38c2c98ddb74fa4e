"""A quota that is reached, a disk that is full, a disk that is broken: who goes, who stays, what is said."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shelly_exporter.spool import Spool, SpoolFullError, Stream
from shelly_exporter.spool.segment import Segment
from tests.exporter.spool_stage import numbered, opened, segments, taken

RAW, COUNTERS = Stream.RAW, Stream.COUNTERS


class Disk:
    """A disk with `room` bytes left for blocks, which fills up in the middle of a write as real ones do."""

    def __init__(self) -> None:
        self.room = 10**9
        self.error = errno.ENOSPC
        self._write, self._truncate, self._delete = os.write, os.ftruncate, Segment.delete

    def write(self, fd: int, data: Any) -> int:
        if self.room <= 0:
            raise OSError(self.error, os.strerror(self.error))
        count = self._write(fd, data[: min(len(data), self.room)])
        self.room -= count
        return count

    def truncate(self, fd: int, size: int) -> None:
        self.room += max(0, os.fstat(fd).st_size - size)
        self._truncate(fd, size)

    def delete(self, segment: Segment) -> None:
        self.room += segment.path.stat().st_size
        self._delete(segment)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "write", disk.write)
    monkeypatch.setattr(os, "ftruncate", disk.truncate)
    monkeypatch.setattr(Segment, "delete", _deleting(disk))
    return disk


def _deleting(disk: Disk) -> Callable[[Segment], None]:
    """Return `disk.delete` as what can be a method."""

    def delete(segment: Segment) -> None:
        disk.delete(segment)

    return delete


def test_at_the_quota_the_oldest_raw_goes_and_is_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path, max_bytes=20_000, segment_bytes=2000) as spool:
        for number in range(200):
            spool.append({RAW: numbered(number * 5, number * 5 + 5), COUNTERS: numbered(number, number + 1)[:1]})
        assert sum(path.stat().st_size for path in (*segments(tmp_path), *segments(tmp_path, COUNTERS))) <= 20_000
        assert spool.depth_bytes(RAW) + spool.depth_bytes(COUNTERS) > 17_000
        lost = spool.lost[RAW, "quota"]
        assert 0 < lost < 1000
        assert taken(spool, COUNTERS) == numbered(0, 200)
        assert taken(spool) == numbered(lost, 1000)
        assert set(spool.lost) == {(RAW, "quota")}
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "oldest first" in caplog.text
        for number in range(200):
            spool.append({RAW: numbered(number * 5, number * 5 + 5)})
    assert len(caplog.records) == 2, "all was delivered in between, so it is news again"


def test_counters_are_never_given_up(tmp_path: Path) -> None:
    with opened(tmp_path, max_bytes=8000, segment_bytes=2000) as spool:
        for number in range(20):
            spool.append({RAW: numbered(number, number + 1)})
        with pytest.raises(SpoolFullError) as caught:
            append_until_full(lambda number: spool.append({COUNTERS: numbered(number, number + 1), RAW: []}))
        count = sum(path.read_bytes().count(b"em,") for path in segments(tmp_path, COUNTERS))
        assert "no raw readings are left" in str(caught.value)
        assert "spool.max_mib (SHELLY_SPOOL_MAX_MIB)" in str(caught.value)
        assert spool.lost == {(RAW, "quota"): 20}
        with pytest.raises(SpoolFullError):
            spool.append({COUNTERS: numbered(count, count + 1), RAW: numbered(0, 1)})
        assert taken(spool, COUNTERS) == numbered(0, count)
        assert taken(spool) == []
        spool.append({COUNTERS: numbered(count, count + 1)})
        assert taken(spool, COUNTERS) == numbered(count, count + 1)


def test_more_than_the_quota_at_once_gives_up_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, max_bytes=2000, segment_bytes=500) as spool:
        spool.append({RAW: [b"a"]})
        with pytest.raises(SpoolFullError, match="2029 bytes at once are more than its quota"):
            spool.append({RAW: [b"x" * 2001]})
        assert taken(spool) == [b"a"]


def test_what_is_delivered_is_not_counted_as_given_up(tmp_path: Path) -> None:
    with opened(tmp_path, max_bytes=4000, segment_bytes=1000) as spool:
        for number in range(100):
            spool.append({RAW: numbered(number * 5, number * 5 + 5)})
            assert taken(spool) == numbered(number * 5, number * 5 + 5)
        assert spool.lost == {}
        spool.append({RAW: [b"a"]})
        batch = spool.read(RAW, 1)
        assert batch is not None
        spool.advance(RAW, batch.end)
        spool.append({RAW: [b"b", b"c"]})
        spool.append({RAW: [b"x" * 3960]})
        assert spool.lost == {(RAW, "quota"): 2}
        assert taken(spool) == [b"x" * 3960]


def test_a_batch_may_be_given_up_while_it_is_delivered(tmp_path: Path) -> None:
    with opened(tmp_path, max_bytes=4000, segment_bytes=1000) as spool:
        spool.append({RAW: [b"a"]})
        batch = spool.read(RAW, 1)
        assert batch is not None
        spool.append({RAW: [b"x" * 3960]})
        spool.advance(RAW, batch.end)
        assert taken(spool) == [b"x" * 3960]
    with opened(tmp_path) as spool:
        assert spool.read(RAW, 1) is None


def test_a_full_disk_costs_the_oldest_raw_and_leaves_no_torn_block(tmp_path: Path, disk: Disk) -> None:
    with opened(tmp_path, segment_bytes=1000, sync=True) as spool:
        disk.room = 6000
        for number in range(100):
            spool.append({RAW: numbered(number * 5, number * 5 + 5), COUNTERS: numbered(number, number + 1)[:1]})
            if number == 50:
                assert taken(spool, COUNTERS) == numbered(0, 51)
        lost = spool.lost[RAW, "disk full"]
        assert 0 < lost < 500
    with opened(tmp_path, segment_bytes=1000) as spool:
        assert taken(spool, COUNTERS) == numbered(51, 100)
        assert taken(spool) == numbered(lost, 500)
        assert (spool.torn, spool.lost) == (0, {})


def test_a_disk_that_stays_full_keeps_the_counters_and_takes_all_or_nothing(tmp_path: Path, disk: Disk) -> None:
    with opened(tmp_path, segment_bytes=1000, sync=True) as spool:
        spool.append({COUNTERS: numbered(0, 30)})
        disk.room = 100
        for _ in range(5):
            with pytest.raises(SpoolFullError, match="the disk is full and no raw readings are left"):
                spool.append({COUNTERS: [b"c"], RAW: numbered(0, 10)})
        assert spool.depth_bytes(RAW) == 0
        assert [path.stat().st_size for path in segments(tmp_path)] in ([], [0])
        disk.room = 10**6
        spool.append({COUNTERS: [b"c"], RAW: numbered(0, 10)})
        assert taken(spool, COUNTERS) == [*numbered(0, 30), b"c"]
        assert taken(spool) == numbered(0, 10)


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS, errno.EFBIG])
def test_on_other_errors_nothing_is_given_up(tmp_path: Path, disk: Disk, error: int) -> None:
    with opened(tmp_path, sync=True) as spool:
        spool.append({RAW: numbered(0, 10)})
        disk.room, disk.error = 50, error
        for _ in range(3):
            with pytest.raises(SpoolFullError, match="check the disk and its mount"):
                spool.append({COUNTERS: [b"c"], RAW: numbered(10, 20)})
        disk.room = 10**6
        spool.append({COUNTERS: [b"c"], RAW: numbered(10, 20)})
        assert taken(spool, COUNTERS) == [b"c"]
        assert taken(spool) == numbered(0, 20)
        assert spool.lost == {}


def test_after_a_sync_that_failed_another_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, "broken")

    with opened(tmp_path, sync=True) as spool:
        spool.append({RAW: [b"a"]})
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            for _ in range(5):
                with pytest.raises(SpoolFullError, match="broken"):
                    spool.append({RAW: [b"b"]})
        assert len(segments(tmp_path)) == 1, "attempts leave no files"
        spool.append({RAW: [b"b"]})
        assert len(segments(tmp_path)) == 2
        assert taken(spool) == [b"a", b"b"]


def test_a_torn_block_that_cannot_be_cut_off_is_passed(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_fd: int, _size: int) -> None:
        raise OSError(errno.EIO, "broken")

    with opened(tmp_path, sync=True) as spool:
        spool.append({RAW: [b"a"]})
        disk.room, disk.error = 10, errno.EIO
        with monkeypatch.context() as patch:
            patch.setattr(os, "ftruncate", fail)
            with pytest.raises(SpoolFullError):
                spool.append({RAW: [b"b"]})
        disk.room = 10**6
        spool.append({RAW: [b"b"]})
        assert segments(tmp_path)[0].stat().st_size == 29 + 10
    with opened(tmp_path) as spool:
        assert taken(spool) == [b"a", b"b"]
        assert (spool.torn, spool.lost) == (1, {})


def test_a_segment_that_cannot_be_read_is_given_up_uncounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_segment: Segment, _offset: int, _length: int) -> bytes:
        raise OSError(errno.EIO, "broken")

    with opened(tmp_path, max_bytes=4000, segment_bytes=1000) as spool:
        spool.append({RAW: [b"a"]})
        with monkeypatch.context() as patch:
            patch.setattr(Segment, "load", fail)
            spool.append({RAW: [b"x" * 3960]})
        assert taken(spool) == [b"x" * 3960]
    assert "is not known" in caplog.text


def test_what_is_delivered_while_it_is_given_up_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = Segment.load
    with opened(tmp_path, max_bytes=8000, segment_bytes=1000) as spool:
        for number in range(6):
            spool.append({RAW: [b"%d" % number * 1000]})
        last = taken_end(spool)

        def deliver_meanwhile(segment: Segment, offset: int, length: int) -> bytes:
            data = load(segment, offset, length)
            spool.advance(RAW, last)
            return data

        with monkeypatch.context() as patch:
            patch.setattr(Segment, "load", deliver_meanwhile)
            spool.append({RAW: [b"x" * 2500]})
        assert spool.lost == {}
        assert taken(spool)[-1] == b"x" * 2500


def taken_end(spool: Spool) -> Any:
    """The end of the oldest batch."""
    batch = spool.read(RAW, 1)
    assert batch is not None
    return batch.end


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one MiB; skipped where none can be mounted."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=1m", "none", path], check=False, capture_output=True
    )
    if mount.returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    yield path
    subprocess.run(["/bin/umount", path], check=True)


def test_a_real_disk_that_is_full(small_disk: Path) -> None:
    with opened(small_disk, segment_bytes=100_000, sync=True) as spool:
        for number in range(400):
            spool.append({RAW: numbered(number * 100, number * 100 + 100), COUNTERS: numbered(number, number + 1)})
        lost = spool.lost[RAW, "disk full"]
        assert lost > 10_000
        (small_disk / "hog").write_bytes(bytes(100))
        with pytest.raises(SpoolFullError):
            append_until_full(lambda number: spool.append({COUNTERS: numbered(400 + number, 401 + number)}))
        assert spool.lost[RAW, "disk full"] == 40_000
    with opened(small_disk, segment_bytes=100_000, sync=True) as spool:
        counters = taken(spool, COUNTERS)
        assert counters[:400] == numbered(0, 400)
        assert counters[400:] == numbered(400, len(counters))
        assert taken(spool) == []
        assert (spool.torn, spool.lost) == (0, {})
        spool.append({RAW: [b"room again"]})
        assert taken(spool) == [b"room again"]


def append_until_full(append: Callable[[int], None]) -> None:
    for number in range(10**6):
        append(number)
