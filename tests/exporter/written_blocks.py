"""Any lines, appended to a spool of small segments, and where each block of them ends."""

from pathlib import Path

from hypothesis import strategies as st

from shelly_exporter.spool import Stream
from tests.exporter.spool_stage import opened, segments

line = st.binary(min_size=1, max_size=30).filter(lambda line: b"\n" not in line)
appends = st.lists(st.lists(line, min_size=1, max_size=4), min_size=1, max_size=12)


def written(directory: Path, appends: list[list[bytes]]) -> list[tuple[Path, int]]:
    """Append, and return the segment in which each block is and where it ends."""
    ends: list[tuple[Path, int]] = []
    with opened(directory, segment_bytes=200) as spool:
        for lines in appends:
            spool.append({Stream.RAW: lines})
            newest = segments(directory)[-1]
            ends.append((newest, newest.stat().st_size))
    return ends


def flat(appends: list[list[bytes]]) -> list[bytes]:
    return [line for lines in appends for line in lines]
