"""A spool for tests: small segments, no syncs unless asked for, and readers that take all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shelly_exporter.spool import Spool, Stream

MUCH = 10**9


@contextmanager
def opened(
    directory: Path, *, max_bytes: int = MUCH, segment_bytes: int = 4096, sync: bool = False, now: float = 1000.0
) -> Iterator[Spool]:
    spool = Spool(directory, max_bytes=max_bytes, segment_bytes=segment_bytes, sync=sync, wall=lambda: now)
    spool.open()
    try:
        yield spool
    finally:
        spool.close()


def taken(spool: Spool, stream: Stream = Stream.RAW, max_lines: int = 100) -> list[bytes]:
    """Read and advance until nothing is left."""
    lines: list[bytes] = []
    while (batch := spool.read(stream, max_lines)) is not None:
        assert batch.body.count(b"\n") + 1 == batch.lines
        lines += batch.body.split(b"\n")
        spool.advance(stream, batch.end)
    return lines


def segments(directory: Path, stream: Stream = Stream.RAW) -> list[Path]:
    return sorted((directory / stream).glob("*.segment"))


def numbered(first: int, last: int) -> list[bytes]:
    """Lines that can be told apart."""
    return [b"em,device=%d act_power=%d.5 1790000000000" % (number, number) for number in range(first, last)]
