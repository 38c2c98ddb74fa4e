"""The spool while all is well: order, limits, restarts."""

from pathlib import Path

import pytest

from shelly_exporter.spool import Position, Stream
from tests.exporter.spool_stage import numbered, opened, segments, taken

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
