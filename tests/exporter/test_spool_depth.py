"""How much waits in a spool, for how long, and until when it can."""

from pathlib import Path

import pytest

from shelly_exporter.spool import Spool, SpoolError, Stream
from tests.exporter.spool_stage import MUCH, opened

RAW, COUNTERS = Stream.RAW, Stream.COUNTERS


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


def test_a_closed_spool_takes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        pass
    with pytest.raises(SpoolError, match="not open"):
        spool.append({RAW: [b"a"]})
    assert spool.read(RAW, 1) is None
    spool.close()
