"""A spool's directory: one process, which may write there; else what to do is said."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shelly_exporter.spool import Spool, SpoolError, Stream
from tests.exporter.spool_stage import MUCH, opened

RAW = Stream.RAW


def test_two_processes_cannot_use_one_directory(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from shelly_exporter.spool import Spool; "
        f"spool = Spool(pathlib.Path({str(tmp_path)!r}), max_bytes=10**6); spool.open(); print('open', flush=True); "
        "sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, env=_environment()) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(SpoolError) as caught:
            Spool(tmp_path, max_bytes=MUCH).open()
        text = str(caught.value)
        assert f"process {child.pid}:" in text
        assert str(tmp_path) in text
        assert "spool.directory (SHELLY_SPOOL_DIRECTORY)" in text
        child.kill()
    with opened(tmp_path) as spool:
        spool.append({RAW: [b"a"]})
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def _no_space(*_: object) -> int:
    raise OSError(28, "No space left on device")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_lock_that_does_not_say_whose_it_is_is_one_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwrite", _no_space)
    with opened(tmp_path), pytest.raises(SpoolError, match="in use by another process"):
        Spool(tmp_path, max_bytes=MUCH).open()
    with opened(tmp_path):
        (tmp_path / "lock").write_bytes(b"\xff")
        with pytest.raises(SpoolError, match="in use by another process"):
            Spool(tmp_path, max_bytes=MUCH).open()


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Somebody whom permissions stop."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.parametrize("existing", [False, True])
def test_a_directory_that_is_read_only_is_told_with_its_remedy(
    tmp_path: Path, existing: bool, request: pytest.FixtureRequest
) -> None:
    directory = tmp_path / "spool"
    if existing:
        with opened(directory):
            pass
        for path in (directory / "lock", directory / "raw", directory / "counters"):
            path.chmod(0o777 if path.is_file() else 0o555)
    directory.chmod(0o777) if existing else tmp_path.chmod(0o555)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    request.getfixturevalue("ordinary_user")
    with pytest.raises(SpoolError) as caught:
        Spool(directory, max_bytes=MUCH).open()
    assert "Permission denied" in str(caught.value)
    assert str(directory) in str(caught.value)
    assert "spool.directory (SHELLY_SPOOL_DIRECTORY)" in str(caught.value)


def test_a_file_in_place_of_the_directory_is_told_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "spool").touch()
    with pytest.raises(SpoolError, match=r"set another one: spool\.directory"):
        Spool(tmp_path / "spool", max_bytes=MUCH).open()
