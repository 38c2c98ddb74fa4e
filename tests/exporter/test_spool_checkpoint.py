"""How far a spool is delivered: over restarts, and when the files are not what they were."""

import os
from pathlib import Path

import pytest

from shelly_exporter.spool import Stream
from tests.exporter.spool_stage import numbered, opened, segments, taken

RAW = Stream.RAW


def test_what_was_delivered_is_not_read_again_though_its_file_came_back(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for number in range(50):
            spool.append({RAW: numbered(number * 5, number * 5 + 5)})
        oldest = segments(tmp_path)[0]
        content = oldest.read_bytes()
        assert taken(spool) == numbered(0, 250)
        spool.append({RAW: [b"new"]})
    # A deletion is not synced: a power cut may undo it.
    assert not oldest.exists()
    oldest.write_bytes(content)
    with opened(tmp_path) as spool:
        assert taken(spool) == [b"new"]
        assert not oldest.exists()


def test_new_segments_come_behind_the_checkpoint_though_all_were_deleted(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for number in range(50):
            spool.append({RAW: numbered(number * 5, number * 5 + 5)})
        assert taken(spool)
    for path in segments(tmp_path):
        path.unlink()
    with opened(tmp_path) as spool:
        assert spool.depth_bytes(RAW) == 0
        spool.append({RAW: [b"new"]})
        assert spool.depth_bytes(RAW) > 0
    with opened(tmp_path) as spool:
        assert taken(spool) == [b"new"]


@pytest.mark.parametrize("damage", ["nonsense", "flipped", "short", "no file to read"])
def test_a_damaged_checkpoint_means_all_again(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path) as spool:
        for number in range(4):
            spool.append({RAW: numbered(number, number + 1)})
        batch = spool.read(RAW, 2)
        assert batch is not None
        spool.advance(RAW, batch.end)
    path = tmp_path / "raw" / "checkpoint"
    text = path.read_bytes()
    match damage:
        case "nonsense":
            path.write_bytes(b"nonsense")
        case "flipped":
            path.write_bytes(text.replace(b"1", b"2", 1))
        case "short":
            path.write_bytes(text[:-1])
        case _:
            path.unlink()
            path.mkdir()
    with opened(tmp_path) as spool:
        assert taken(spool) == numbered(0, 4)
    assert [record.levelname for record in caplog.records][:1] == ["WARNING"]
    assert "delivered again" in caplog.text
    assert str(path) in caplog.text


def test_a_checkpoint_that_was_made_and_never_written_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path) as spool:
        spool.append({RAW: [b"a"]})
    (tmp_path / "raw" / "checkpoint").touch()
    with opened(tmp_path) as spool:
        assert taken(spool) == [b"a"]
    assert caplog.text == ""


def test_a_checkpoint_behind_the_end_of_its_segment_is_taken_back_to_it(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append({RAW: [b"a"]})
        spool.append({RAW: [b"b"]})
        assert taken(spool) == [b"a", b"b"]
    # Without syncs a power cut may keep the checkpoint and lose what it is about.
    os.truncate(segments(tmp_path)[0], 29)
    with opened(tmp_path) as spool:
        spool.append({RAW: [b"c"]})
        assert taken(spool) == [b"c"]


def test_a_checkpoint_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as spool:
        for number in range(3):
            spool.append({RAW: numbered(number, number + 1)})
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", _no_space)
            for number in range(2):
                batch = spool.read(RAW, 1)
                assert batch is not None
                assert batch.body == numbered(number, number + 1)[0]
                spool.advance(RAW, batch.end)
        assert len(caplog.records) == 1
        assert "cannot be written" in caplog.text
        assert taken(spool) == numbered(2, 3)
    with opened(tmp_path) as spool:
        assert taken(spool) == []


def _no_space(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_segment_that_cannot_be_deleted_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_path: Path, *, missing_ok: bool) -> None:
        raise PermissionError(1, "Operation not permitted")

    with opened(tmp_path) as spool:
        for number in range(50):
            spool.append({RAW: numbered(number * 5, number * 5 + 5)})
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", fail)
            assert taken(spool) == numbered(0, 250)
    assert "cannot be deleted" in caplog.text
    with opened(tmp_path) as spool:
        assert taken(spool) == []
        assert len(segments(tmp_path)) == 1


def test_a_segment_that_somebody_deleted_stops_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for number in range(50):
            spool.append({RAW: numbered(number * 5, number * 5 + 5)})
        paths = segments(tmp_path)
        missing = paths[1].read_bytes().count(b"em,")
        paths[1].unlink()
        assert len(taken(spool)) == 250 - missing
