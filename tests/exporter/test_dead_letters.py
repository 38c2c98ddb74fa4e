"""Dead letters: kept as they are, bounded, shared between processes, and never half of a file."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.dead_letters import DeadLetters, Letter

CONFLICT = 'field type conflict: input field "x" on measurement "m" is type float, already exists as type integer'


def everything(dead_letters: DeadLetters) -> list[Letter]:
    return [letter for _, letters in dead_letters.read() for letter in letters]


def lines_of(dead_letters: DeadLetters) -> list[bytes]:
    return [letter.line for letter in everything(dead_letters)]


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.glob("*.jsonl"))}


def test_letters_are_json_lines(tmp_path: Path) -> None:
    dead_letters = DeadLetters(tmp_path / "dead-letters", wall=lambda: 12.5)
    assert everything(dead_letters) == []
    dead_letters.add(CONFLICT, [b"m x=1 1", 'm n="Küche" 2'.encode()])
    text = (tmp_path / "dead-letters" / "000001.jsonl").read_text()
    assert [json.loads(line) for line in text.splitlines()] == [
        {"at": 12.5, "reason": CONFLICT, "line": "m x=1 1"},
        {"at": 12.5, "reason": CONFLICT, "line": 'm n="Küche" 2'},
    ]
    assert everything(dead_letters) == [
        Letter(12.5, CONFLICT, b"m x=1 1"),
        Letter(12.5, CONFLICT, 'm n="Küche" 2'.encode()),
    ]


@given(st.lists(st.tuples(st.text(), st.lists(st.binary(), max_size=4)), max_size=5))
def test_any_bytes_come_back_as_they_were(added: list[tuple[str, list[bytes]]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        dead_letters = DeadLetters(Path(name), wall=lambda: 1.0)
        for reason, lines in added:
            dead_letters.add(reason, lines)
        assert everything(dead_letters) == [Letter(1.0, reason, line) for reason, lines in added for line in lines]


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dead_letters = DeadLetters(tmp_path, 8000)
    lines = [b"m x=%d" % number for number in range(500)]
    for first in range(0, 500, 5):
        dead_letters.add("bad", lines[first : first + 5])
    assert sum(map(len, files(tmp_path).values())) <= 8000
    assert len(files(tmp_path)) in {7, 8, 9}
    assert 0 < dead_letters.lost < 500
    assert lines_of(dead_letters) == lines[dead_letters.lost :]
    assert len(caplog.records) == 1
    assert "shelly-exporter replay" in caplog.text


def test_many_at_once_are_bounded_too(tmp_path: Path) -> None:
    dead_letters = DeadLetters(tmp_path, 8000)
    lines = [b"m x=%d" % number for number in range(1000)]
    dead_letters.add("bad", lines)
    assert sum(map(len, files(tmp_path).values())) <= 8000
    assert lines_of(dead_letters) == lines[dead_letters.lost :]
    dead_letters.add("bad", [b"x" * 9000])
    assert lines_of(dead_letters) == [b"x" * 9000]
    assert dead_letters.lost == 1000


def test_a_letter_is_removed_or_gets_a_new_reason(tmp_path: Path) -> None:
    dead_letters = DeadLetters(tmp_path, wall=lambda: 1.0)
    dead_letters.add("old", [b"a", b"b", b"c", b"a"])
    [(number, (a, b, c, _))] = dead_letters.read()
    dead_letters.settle(number, {a: None, b: "new", Letter(1.0, "old", b"somebody else's"): None})
    assert everything(dead_letters) == [b._replace(reason="new"), c]
    dead_letters.settle(number, {b: None, b._replace(reason="new"): None, c: None})
    assert files(tmp_path) == {}
    dead_letters.settle(number, {c: None})
    assert files(tmp_path) == {}


def test_what_changes_nothing_is_not_written(tmp_path: Path) -> None:
    dead_letters = DeadLetters(tmp_path)
    dead_letters.add("old", [b"a", b"b"])
    path = tmp_path / "000001.jsonl"
    before = (path.stat().st_ino, path.stat().st_mtime_ns)
    [(number, (a, _))] = dead_letters.read()
    dead_letters.settle(number, {a: "old"})
    dead_letters.settle(number, {})
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before


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


_ADDING = """
import pathlib, sys
from shelly_exporter.dead_letters import DeadLetters
dead_letters = DeadLetters(pathlib.Path(sys.argv[1]), 80_000)
for number in range(300):
    dead_letters.add("bad", [b"m x=%d" % number])
"""


def test_one_process_removes_while_another_adds(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    dead_letters = DeadLetters(tmp_path)
    found: list[bytes] = []
    with subprocess.Popen([sys.executable, "-c", _ADDING, str(tmp_path)], env=environment) as child:
        running = True
        while running:
            running = child.poll() is None
            for number, letters in dead_letters.read():
                found += [letter.line for letter in letters]
                dead_letters.settle(number, dict.fromkeys(letters))
    assert child.returncode == 0
    assert found == [b"m x=%d" % number for number in range(300)]
    assert files(tmp_path) == {}


def test_files_are_only_touched_under_the_lock(tmp_path: Path) -> None:
    dead_letters = DeadLetters(tmp_path)
    dead_letters.add("bad", [b"a"])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (tmp_path / "lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code = _ADDING.replace("range(300)", "range(1)").replace("for ", "print('now', flush=True)\nfor ")
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env=environment
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"now\n"
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.3)
            assert files(tmp_path)["000001.jsonl"].count(b"\n") == 1
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert child.wait(10) == 0
    assert lines_of(dead_letters) == [b"a", b"m x=0"]
