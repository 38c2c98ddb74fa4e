"""Blocks that are damaged: what is torn and what is broken is told apart, and costs no other block."""

from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.spool.block import HEADER_BYTES, MAGIC, damage_at, encode, lines_in, take, torn_at
from tests.exporter.block_lines import appends, lines

EVERYTHING = 10**9


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
