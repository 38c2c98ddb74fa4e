"""What a spool holds after kill -9 or a power cut: what was confirmed, in its order, and nothing else."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from shelly_exporter.spool import Stream
from tests.exporter.spool_stage import numbered, opened, taken
from tests.exporter.written_blocks import appends, flat, written

RAW, COUNTERS = Stream.RAW, Stream.COUNTERS


@settings(deadline=None)
@given(appends, st.data())
def test_a_power_cut_at_any_byte_costs_only_what_was_not_confirmed(
    appends: list[list[bytes]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ends = written(directory, appends)
        newest, size = ends[-1]
        original = newest.read_bytes()
        cut = data.draw(st.integers(0, size))
        tail = bytes(data.draw(st.integers(0, 50)))
        os.truncate(newest, cut)
        with newest.open("ab") as file:
            # Some file systems give a file its length before its bytes.
            file.write(tail)
        left = newest.read_bytes()
        whole = [
            lines
            for lines, (path, end) in zip(appends, ends, strict=True)
            if path != newest or left[:end] == original[:end]
        ]
        boundaries = {0, *(end for path, end in ends if path == newest)}
        with opened(directory, segment_bytes=200) as spool:
            if cut in boundaries or not tail:
                assert spool.torn == (bool(tail) or cut not in boundaries)
            spool.append({RAW: [b"after"]})
            found = taken(spool, max_lines=data.draw(st.integers(1, 10)))
            # A torn block with zeros behind it is long enough, so it may be taken for a damaged one.
            assert spool.lost == {} or tail
        assert found == [*flat(whole), b"after"]
        with opened(directory) as spool:
            assert taken(spool) == []


_CHILD = """
import pathlib, sys
from shelly_exporter.spool import Spool, Stream
spool = Spool(pathlib.Path(sys.argv[1]), max_bytes=10**9, segment_bytes=20_000)
spool.open()
number = int(sys.argv[2])
while True:
    lines = [b"em,device=%d act_power=%d.5 1790000000000" % (n, n) for n in range(number, number + number % 7 + 1)]
    spool.append({Stream.RAW: lines, Stream.COUNTERS: lines})
    number += len(lines)
    print(number, flush=True)
"""


def test_after_kill_9_nothing_that_was_confirmed_is_missing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found: dict[Stream, list[bytes]] = {RAW: [], COUNTERS: []}
    first = 0
    for wanted in (1, 40, 150, 77):
        command = [sys.executable, "-c", _CHILD, str(tmp_path), str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
            assert child.stdout is not None
            confirmed = [int(child.stdout.readline()) for _ in range(wanted)]
            child.send_signal(signal.SIGKILL)
            confirmed += [int(text) for text in child.stdout.read().splitlines(keepends=True) if text.endswith(b"\n")]
        with opened(tmp_path, segment_bytes=20_000) as spool:
            for stream in Stream:
                found[stream] += taken(spool, stream)
            assert spool.lost == {}
        # The last append may be whole and yet not confirmed, in one stream or in both.
        following = numbered(0, confirmed[-1] + 7)
        assert found[RAW][: confirmed[-1]] == following[: confirmed[-1]]
        assert found[COUNTERS][: confirmed[-1]] == following[: confirmed[-1]]
        assert found[RAW] == following[: len(found[RAW])]
        assert found[COUNTERS] == following[: len(found[COUNTERS])]
        found = {stream: lines[: confirmed[-1]] for stream, lines in found.items()}
        first = confirmed[-1]
    assert first > 268
