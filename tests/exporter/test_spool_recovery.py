"""What a spool holds after kill -9, a power cut, a bad disk: what was confirmed, in its order, and nothing else."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelly_exporter.segment import Segment
from shelly_exporter.spool import Stream
from tests.exporter.spool_stage import numbered, opened, segments, taken

RAW, COUNTERS = Stream.RAW, Stream.COUNTERS

line = st.binary(min_size=1, max_size=30).filter(lambda line: b"\n" not in line)
appends = st.lists(st.lists(line, min_size=1, max_size=4), min_size=1, max_size=12)


def written(directory: Path, appends: list[list[bytes]]) -> list[tuple[Path, int]]:
    """Append, and return the segment in which each block is and where it ends."""
    ends: list[tuple[Path, int]] = []
    with opened(directory, segment_bytes=200) as spool:
        for lines in appends:
            spool.append({RAW: lines})
            newest = segments(directory)[-1]
            ends.append((newest, newest.stat().st_size))
    return ends


def flat(appends: list[list[bytes]]) -> list[bytes]:
    return [line for lines in appends for line in lines]


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


@settings(deadline=None)
@given(appends, st.data())
def test_a_flipped_byte_anywhere_costs_one_block_and_is_counted(
    appends: list[list[bytes]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ends = written(directory, appends)
        victim = data.draw(st.sampled_from(segments(directory)))
        content = bytearray(victim.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
        victim.write_bytes(content)
        damaged = next(index for index, (path, end) in enumerate(ends) if path == victim and position < end)
        with opened(directory, segment_bytes=200) as spool:
            spool.append({RAW: [b"after"]})
            found = taken(spool, max_lines=data.draw(st.integers(1, 10)))
            assert found == [*flat(appends[:damaged] + appends[damaged + 1 :]), b"after"]
            assert set(spool.lost) == {(RAW, "corrupt")}
            assert spool.lost[RAW, "corrupt"] >= 1
            assert spool.torn == 0


def test_damage_is_said_and_counted_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path) as spool:
        for number in range(3):
            spool.append({RAW: numbered(number * 10, number * 10 + 10)})
        path = segments(tmp_path)[0]
        content = path.read_bytes()
        path.write_bytes(content.replace(b"device=12 ", b"device=21 "))
        first = spool.read(RAW, 100)
        assert first is not None
        assert (first.lines, spool.lost) == (10, {})
        spool.advance(RAW, first.end)
        for _ in range(3):
            again = spool.read(RAW, 100)
            assert again is not None
            assert again.body.split(b"\n") == numbered(20, 30)
        assert spool.lost == {(RAW, "corrupt"): 10}
        assert taken(spool) == numbered(20, 30)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["10 lines are lost"]
    assert "check the disk" in caplog.text


def test_damage_that_two_readers_find_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as spool:
        spool.append({RAW: numbered(0, 10)})
        spool.append({RAW: [b"good"]})
        path = segments(tmp_path)[0]
        path.write_bytes(path.read_bytes().replace(b"device=5 ", b"device=6 "))
        load, readers = Segment.load, [0]

        def read_meanwhile(segment: Segment, offset: int, length: int) -> bytes:
            readers[0] += 1
            if readers[0] == 1:
                assert spool.oldest(RAW) is not None
            return load(segment, offset, length)

        monkeypatch.setattr(Segment, "load", read_meanwhile)
        assert taken(spool) == [b"good"]
        assert spool.lost == {(RAW, "corrupt"): 10}


def test_a_torn_end_of_an_older_segment_is_passed(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for number in range(50):
            spool.append({RAW: numbered(number * 5, number * 5 + 5)})
    first = segments(tmp_path)[0]
    count = first.read_bytes().count(b"em,")
    with first.open("ab") as file:
        file.write(first.read_bytes()[:40])
    with opened(tmp_path) as spool:
        assert count < 250
        assert taken(spool) == numbered(0, 250)
        assert (spool.torn, spool.lost) == (1, {})


def test_a_file_that_holds_nothing_of_ours_is_passed(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append({RAW: [b"a"]})
    path = segments(tmp_path)[0]
    path.rename(path.with_name("000000000009.segment"))
    path.write_bytes(b"no\nblock\n" * 30_000)
    with opened(tmp_path) as spool:
        assert taken(spool) == [b"a"]
        assert spool.lost[RAW, "corrupt"] > 50_000
        assert not path.exists()


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
