"""Files are written whole, for their owner, and nobody else may read them unless said so."""

import os
import stat
from typing import TYPE_CHECKING

import pytest

from shelly_app.files import File, write

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_for_its_owner_alone_unless_said_so(tmp_path: Path) -> None:
    write({tmp_path / "secret": File(text="a"), tmp_path / "shown": File(text="b", mode=0o644)})
    assert ((tmp_path / "secret").read_text(), mode(tmp_path / "secret")) == ("a", 0o600)
    assert ((tmp_path / "shown").read_text(), mode(tmp_path / "shown")) == ("b", 0o644)


def test_modes_do_not_hang_on_the_mask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write({tmp_path / "shown": File(text="", mode=0o644)})
        os.umask(0)
        write({tmp_path / "new" / "secret": File(text="")})
    finally:
        os.umask(before)
    assert mode(tmp_path / "shown") == 0o644
    assert mode(tmp_path / "new" / "secret") == 0o600
    assert mode(tmp_path / "new") == 0o700


def test_folders_are_made_and_those_that_are_there_stay(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    write({tmp_path / "a" / "b" / "file": File(text="x"), tmp_path / "file": File(text="y")})
    assert (tmp_path / "a" / "b" / "file").read_text() == "x"
    assert mode(tmp_path) == 0o755


def test_a_file_is_replaced_not_changed(tmp_path: Path) -> None:
    """Who has the old one open reads it to its end."""
    path = tmp_path / "file"
    write({path: File(text="old", mode=0o644)})
    with path.open() as reader:
        write({path: File(text="new")})
        assert reader.read() == "old"
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_crash_has_left_does_not_matter(tmp_path: Path) -> None:
    left = tmp_path / ".file.new"
    left.write_text("a part")
    left.chmod(0o644)
    write({tmp_path / "file": File(text="whole")})
    assert (tmp_path / "file").read_text() == "whole"
    assert not left.exists()


def test_a_link_laid_beside_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    (tmp_path / ".file.new").symlink_to(target)
    write({tmp_path / "file": File(text="whole")})
    assert target.read_text() == "untouched"
    assert not (tmp_path / "file").is_symlink()


def test_if_it_cannot_be_written_the_old_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write({path: File(text="old")})

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("shelly_app.files.os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write({path: File(text="new")})
    assert path.read_text() == "old"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_the_owner_gets_the_file_and_the_folder_made_for_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "made" / "file"
    write({path: File(text="x", owner="daemon"), tmp_path / "ours": File(text="y")})
    owner = path.stat().st_uid
    assert owner != 0
    assert path.parent.stat().st_uid == owner
    assert tmp_path.stat().st_uid == (tmp_path / "ours").stat().st_uid == 0


def test_the_text_is_not_in_the_representation() -> None:
    assert "hunter2" not in repr(File(text="hunter2"))
