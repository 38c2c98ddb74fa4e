"""Blocks: what is written comes back whole, and as one run."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.spool.block import MAGIC, MAX_BLOCK_BYTES, encode, header_at, lines_in, take, torn_at
from tests.exporter.block_lines import appends

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
