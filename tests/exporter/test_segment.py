"""Blocks and the files they are in: what is whole is found, what is not is told apart."""

import errno
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter import segment as segment_module
from shelly_exporter.segment import Segment
from shelly_exporter.spool_block import (
    HEADER_BYTES,
    MAGIC,
    MAX_BLOCK_BYTES,
    damage_at,
    encode,
    header_at,
    lines_in,
    take,
    torn_at,
)

lines = st.lists(st.binary(min_size=1, max_size=40).filter(lambda line: b"\n" not in line), min_size=1, max_size=6)
appends = st.lists(lines, min_size=1, max_size=6)
EVERYTHING = 10**9


def joined(appends: list[list[bytes]]) -> list[bytes]:
    return [line for lines in appends for line in lines]


@given(appends)
def test_whole_blocks_come_back_as_one_run(appends: list[list[bytes]]) -> None:
    data = b"".join(encode(lines, 10.0 + index) for index, lines in enumerate(appends))
    run = take(data, EVERYTHING, EVERYTHING)
    assert run is not None
    assert run.body.split(b"\n") == joined(appends)
    assert (run.lines, run.end, run.written) == (len(joined(appends)), len(data), 10.0)
    assert torn_at(data) == len(data)
    assert lines_in(data) == run.lines


@given(appends, st.integers(1, 20), st.integers(1, 120))
def test_a_run_keeps_to_the_limits_unless_one_block_alone_is_larger(
    appends: list[list[bytes]], max_lines: int, max_bytes: int
) -> None:
    data = b"".join(encode(lines, 1.0) for lines in appends)
    found: list[bytes] = []
    while data:
        run = take(data, max_lines, max_bytes)
        assert run is not None
        if run.end > (first := header_at(data, 0) or pytest.fail("no header")).end:
            assert run.lines <= max_lines
            assert len(run.body) <= max_bytes
        following = header_at(data, run.end)
        if following is not None:
            grown = len(run.body) + 1 + following.end - following.body
            assert run.lines + following.lines > max_lines or grown > max_bytes
        assert run.end >= first.end
        found += run.body.split(b"\n")
        data = data[run.end :]
    assert found == joined(appends)


def test_an_item_may_be_several_lines() -> None:
    run = take(encode([b"a\nb", b"c"], 1.0), EVERYTHING, EVERYTHING)
    assert run is not None
    assert (run.body, run.lines) == (b"a\nb\nc", 3)


def test_much_at_once_becomes_several_blocks() -> None:
    lines = [bytes([65 + index]) * (MAX_BLOCK_BYTES // 2) for index in range(5)]
    data = encode(lines, 1.0)
    sizes = []
    offset = 0
    while (header := header_at(data, offset)) is not None:
        sizes.append(header.lines)
        offset = header.end
    assert (sizes, offset) == ([2, 2, 1], len(data))
    run = take(data, EVERYTHING, EVERYTHING)
    assert run is not None
    assert run.body.split(b"\n") == lines


def test_an_item_larger_than_a_block_is_not_divided() -> None:
    large = b"x" * (MAX_BLOCK_BYTES + 1)
    data = encode([large, b"y"], 1.0)
    first = take(data, 1, 1)
    assert first is not None
    assert first.body == large
    second = take(data[first.end :], 1, 1)
    assert second is not None
    assert second.body == b"y"


def test_the_format_is_what_the_docstring_says() -> None:
    block = encode([b"a 1", b"b 2"], 2.5)
    assert block[:4] == MAGIC
    assert int.from_bytes(block[4:8], "little") == 7
    assert int.from_bytes(block[8:12], "little") == 2
    assert int.from_bytes(block[20:24], "little") == zlib.crc32(b"a 1\nb 2")
    assert int.from_bytes(block[24:28], "little") == zlib.crc32(block[:24])
    assert block[28:] == b"a 1\nb 2"


@given(lines, st.data())
def test_a_cut_block_is_torn_wherever_it_is_cut(lines: list[bytes], data: st.DataObject) -> None:
    whole, block = encode([b"before"], 1.0), encode(lines, 2.0)
    cut = data.draw(st.integers(1, len(block) - 1))
    assert torn_at(whole + block[:cut]) == len(whole)
    assert damage_at(whole + block[:cut], len(whole)) == (len(whole) + cut, 0, True)
    assert take(block[:cut], EVERYTHING, EVERYTHING) is None
    assert lines_in(whole + block[:cut]) == 1


def test_room_that_was_never_written_to_is_torn() -> None:
    block = encode([b"a"], 1.0)
    assert torn_at(block + bytes(5000)) == len(block)
    assert torn_at(bytes(5000)) == 0


@given(appends, st.data())
def test_a_flipped_byte_costs_one_block(appends: list[list[bytes]], data: st.DataObject) -> None:
    blocks = [encode(lines, 1.0) for lines in appends]
    victim = data.draw(st.integers(0, len(blocks) - 1))
    position = data.draw(st.integers(0, len(blocks[victim]) - 1))
    bad = bytearray(blocks[victim])
    bad[position] ^= data.draw(st.integers(1, 255))
    following = b"".join(blocks[victim + 1 :])
    assert take(bytes(bad), EVERYTHING, EVERYTHING) is None
    damage = damage_at(bytes(bad) + following, 0)
    assert (damage.end, damage.torn) == (len(bad), False)
    if position >= HEADER_BYTES:
        assert damage.lines == len(appends[victim])
    assert damage.lines >= 1


def test_a_magic_in_damaged_bytes_is_no_block() -> None:
    bad = bytearray(encode([b"a", MAGIC + b"b" * 40, b"c"], 1.0))
    bad[5] ^= 1
    following = encode([b"d"], 2.0)
    assert damage_at(bytes(bad) + following, 0) == (len(bad), 3, False)


def test_a_header_that_promises_more_than_there_is_hides_nothing() -> None:
    short, following = encode([b"a" * 50, b"b"], 1.0)[:-10], encode([b"c"], 2.0)
    data = short + following
    damage = damage_at(data, 0)
    # The first block reaches into the next and is long enough, so its body does not match.
    assert not damage.torn
    short, following = encode([b"a" * 500, b"b"], 1.0)[:100], encode([b"c"], 2.0)
    assert damage_at(short + following, 0) == (len(short), 1, False)


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
