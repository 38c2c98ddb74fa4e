"""Files as values: what they contain and who may read them; written all or nothing."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to be; unless said otherwise its owner alone may read it."""

    text: str = field(repr=False)
    owner: str | None = None
    """A system user, who may read it; `None`: whoever writes it."""
    mode: int = 0o600


type Files = Mapping[Path, File]


def write(files: Files) -> None:
    """Write each file beside its place and move it there: who reads it sees the old or the new one, never a part.

    Folders that are missing are made, for the owner of the first file in them.
    """
    for path, file in files.items():
        _make_folder(path.parent, file.owner)
        beside = path.with_name(f".{path.name}.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(file.text)
            # By the descriptor: in a folder of the owner's, the name may be something else by now.
            os.fchmod(descriptor, file.mode)
            if file.owner is not None:
                shutil.chown(descriptor, file.owner, file.owner)
            stream.flush()
            os.fsync(descriptor)
        beside.replace(path)


def _make_folder(folder: Path, owner: str | None) -> None:
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    if owner is not None:
        shutil.chown(folder, owner, owner)
