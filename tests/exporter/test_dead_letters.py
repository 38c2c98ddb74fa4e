"""Dead letters: kept as they are, and bounded."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.spool.dead_letters import DeadLetters, Letter
from tests.exporter.letters import everything, files, lines_of

CONFLICT = 'field type conflict: input field "x" on measurement "m" is type float, already exists as type integer'


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
