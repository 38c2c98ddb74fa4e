"""What a spool holds after its files were damaged: all but the damaged blocks, which are said and counted once."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelly_exporter.spool import Stream
from shelly_exporter.spool.segment import Segment
from tests.exporter.spool_stage import numbered, opened, segments, taken
from tests.exporter.written_blocks import appends, flat, written

RAW = Stream.RAW


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
