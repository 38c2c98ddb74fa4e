"""How far a stream is delivered, in a file of one short line that is written over in place.

It is not synced: after a power cut it may be old or damaged, then lines are delivered again, which changes nothing.
Written in place it needs no room, so a full disk does not stop it, and spares an SD card a new file every second.
"""

import os
import re
import zlib
from pathlib import Path
from typing import NamedTuple

_LINE = re.compile(rb"(\d{20}) (\d{20}) ([0-9a-f]{8})\n")


class Position(NamedTuple):
    """A place in a stream; positions are ordered."""

    segment: int
    offset: int


class CheckpointError(Exception):
    """The file makes no sense; the text says what is wrong with it."""


class Checkpoint:
    """The file at `path`, made at the first `save`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def load(self) -> Position | None:
        """Return what was saved last; None if nothing was. Raises `CheckpointError`."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as err:
            raise CheckpointError(f"it cannot be read ({err.strerror})") from err
        if not text:
            # Made when the power went: nothing was delivered yet.
            return None
        match = _LINE.fullmatch(text)
        if match is None or _check(match[1], match[2]) != match[3]:
            raise CheckpointError("it is damaged")
        return Position(int(match[1]), int(match[2]))

    def save(self, position: Position) -> None:
        """Replace what is saved. Raises `OSError`."""
        if self._fd is None:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        segment, offset = b"%020d" % position.segment, b"%020d" % position.offset
        os.pwrite(self._fd, b"%b %b %b\n" % (segment, offset, _check(segment, offset)), 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _check(segment: bytes, offset: bytes) -> bytes:
    return b"%08x" % zlib.crc32(segment + offset)
