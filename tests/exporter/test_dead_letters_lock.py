"""Dead letters that several processes add and remove."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shelly_exporter.spool.dead_letters import DeadLetters
from tests.exporter.letters import files, lines_of

_ADDING = """
import pathlib, sys
from shelly_exporter.spool.dead_letters import DeadLetters
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
