import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.state_file import StateFile

STATE = {"version": 1, "series": [["shellypro3em-3ce90e6ff1a0", 0, "a", {"import_kwh": [1.5, 2.25]}]]}


@pytest.fixture
def store(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "state" / "rollups.json")


def test_what_was_saved_is_loaded(store: StateFile) -> None:
    assert store.load() is None
    store.save(STATE)
    store.save(STATE | {"version": 2})
    again = StateFile(store.path)
    assert again.load() == STATE | {"version": 2}
    assert again.problem is None
    assert [path.name for path in store.path.parent.iterdir()] == ["rollups.json"]


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"\0" * 512, b"[1]", b"null", b"[" * 100_000])
def test_a_damaged_file_is_kept_aside(store: StateFile, damage: bytes) -> None:
    store.save(STATE)
    store.path.write_bytes(damage)
    assert store.load() is None
    assert store.problem is not None
    assert "rollups.json.damaged" in store.problem
    assert store.path.with_name("rollups.json.damaged").read_bytes() == damage
    store.save(STATE)
    assert store.load() == STATE
    assert store.problem is None


def test_a_torn_write_leaves_what_was_there(store: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(STATE)
    monkeypatch.setattr(os, "fsync", _refuse)
    with pytest.raises(OSError, match="full"):
        store.save({"version": 3})
    assert store.load() == STATE
    assert [path.name for path in store.path.parent.iterdir()] == ["rollups.json"]


def test_what_a_crash_left_half_written_is_not_taken(store: StateFile) -> None:
    store.save(STATE)
    store.path.with_name("rollups.json.new").write_bytes(b'{"version"')
    assert store.load() == STATE
    store.save({"version": 3})
    assert store.load() == {"version": 3}


def test_it_is_durable_before_it_has_its_name(store: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def watch_sync(handle: int) -> None:
        done.append("directory" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")  # noqa: PTH112  # no Path to it
        sync(handle)

    def watch_replace(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", watch_sync)
    monkeypatch.setattr(Path, "replace", watch_replace)
    store.save(STATE)
    assert done == ["file", "rename", "directory"]


def test_a_file_that_cannot_be_read_is_no_state(store: StateFile) -> None:
    store.path.mkdir(parents=True)
    assert store.load() is None
    assert store.problem is not None
    assert "cannot be read" in store.problem


def test_a_damaged_file_that_cannot_be_moved(store: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(STATE)
    store.path.write_bytes(b"?")
    monkeypatch.setattr(Path, "replace", _refuse)
    assert store.load() is None
    assert store.problem is not None
    assert "cannot be moved away" in store.problem


def test_only_what_json_knows_is_saved(store: StateFile) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.save({"a": float("nan")})
    assert not store.path.parent.exists()


@given(st.binary(max_size=200))
def test_no_bytes_break_loading(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "rollups.json"
    path.write_bytes(content)
    state = StateFile(path).load()
    assert state is None or state == json.loads(content)


def _refuse(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "disk full")
