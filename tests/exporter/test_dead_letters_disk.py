"""Dead letters on a bad or full disk, after a crash, or written by somebody else: never half of a line."""

import errno
import os
from pathlib import Path

import pytest

from shelly_exporter.spool.dead_letters import DeadLetters
from tests.exporter.letters import files, lines_of


def test_what_a_crash_left_or_somebody_wrote_is_passed_and_kept(tmp_path: Path) -> None:
    dead_letters = DeadLetters(tmp_path)
    dead_letters.add("bad", [b"a"])
    path = tmp_path / "000001.jsonl"
    strange = [b"[1]", b'{"at": "then", "reason": "bad", "line": "x"}', b"[" * 100_000, b"\xff", b'{"at": 1.0, "rea']
    with path.open("ab") as file:
        file.write(b"\n".join(strange))
    (tmp_path / "notes.txt").write_text("mine")
    dead_letters.add("bad", [b"b"])
    assert lines_of(dead_letters) == [b"a", b"b"]
    [(number, letters)] = dead_letters.read()
    dead_letters.settle(number, dict.fromkeys(letters))
    assert path.read_bytes().split(b"\n") == [*strange, b""]
    assert lines_of(dead_letters) == []


def test_a_disk_that_is_full_costs_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead_letters = DeadLetters(tmp_path, 800)
    dead_letters.add("bad", [b"a" * 60])
    dead_letters.add("bad", [b"b" * 60])
    assert len(files(tmp_path)) == 2
    write = os.write

    def full(fd: int, data: memoryview) -> int:
        if len(files(tmp_path)) > 2:
            write(fd, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data)

    monkeypatch.setattr(os, "write", full)
    dead_letters.add("bad", [b"c" * 60])
    assert lines_of(dead_letters) == [b"b" * 60, b"c" * 60]
    assert dead_letters.lost == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_what_cannot_be_kept_is_told_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    dead_letters = DeadLetters(tmp_path)
    if code != errno.ENOSPC:
        dead_letters.add("bad", [b"a"])
    before = {name: text for name, text in files(tmp_path).items() if text}
    write = os.write

    def fail(fd: int, data: memoryview) -> int:
        write(fd, data[:10])
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        with pytest.raises(OSError, match=os.strerror(code)):
            dead_letters.add("bad", [b"b"])
    assert {name: text for name, text in files(tmp_path).items() if text} == before
    dead_letters.add("bad", [b"b"])
    assert lines_of(dead_letters)[-1] == b"b"


def test_a_file_that_cannot_be_replaced_stays_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    dead_letters = DeadLetters(tmp_path)
    dead_letters.add("bad", [b"a", b"b"])
    [(number, (a, _))] = dead_letters.read()
    before = files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            dead_letters.settle(number, {a: None})
    assert files(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001.jsonl", "lock"]
