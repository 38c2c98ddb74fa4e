"""One file of the spool. Blocks are only ever put at its end; it is deleted as a whole.

A segment may be written to by one thread and read by another: `size` grows only when a block is safe, and nobody reads
beyond it.
"""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_PAGE_BYTES = 4096
_UNREADABLE = b"\xff"
"""Stands for bytes that the disk does not give: neither a line nor a header."""
_NAME = re.compile(r"(\d{12})\.segment")


class Segment:
    """The file with blocks `number` of a stream; `size` bytes of it are safe and may be read."""

    def __init__(self, directory: Path, number: int, *, size: int, sync: bool) -> None:
        self.path = directory / f"{number:012d}.segment"
        self.number = number
        self.size = size
        self._sync = sync
        self._fd: int | None = None
        self._written = size
        self._broken = False

    @classmethod
    def found(cls, directory: Path, *, sync: bool) -> Iterator[Self]:
        """Return the segments of a directory, oldest first."""
        numbers = sorted(int(match[1]) for path in directory.iterdir() if (match := _NAME.fullmatch(path.name)))
        for number in numbers:
            segment = cls(directory, number, size=0, sync=sync)
            segment.size = segment._written = segment.path.stat().st_size
            yield segment

    @classmethod
    def made(cls, directory: Path, number: int, *, sync: bool) -> Self:
        """Return a new, empty segment to write to; it still is in its directory after a power cut. Raises `OSError`."""
        segment = cls(directory, number, size=0, sync=sync)
        segment._fd = os.open(segment.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            if sync:
                sync_directory(directory)
        except OSError:
            segment.close()
            segment.path.unlink()
            raise
        return segment

    @property
    def writable(self) -> bool:
        """Whether blocks may be put at the end."""
        return self._fd is not None and not self._broken

    def resume(self, size: int) -> None:
        """Cut the file to `size` bytes and write on from there. Raises `OSError`."""
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        os.ftruncate(self._fd, size)
        self.size = self._written = size

    def write(self, block: bytes) -> None:
        """Hand a block to the system; `sync` and `commit`, or else `undo`, come next. Raises `OSError`."""
        view = memoryview(block)
        while view:
            count = os.write(self._file, view)
            self._written += count
            view = view[count:]

    def sync(self) -> None:
        """Return when what was written would survive a power cut. Raises `OSError`."""
        if not self._sync:
            return
        try:
            os.fdatasync(self._file)
        except OSError:
            # The system forgets what it could not write: a second attempt would succeed without having written it.
            self._broken = True
            raise

    def commit(self) -> None:
        """Let readers see what was written."""
        self.size = self._written

    def undo(self) -> None:
        """Take back what was written since the last `commit`; the segment may not be `writable` afterwards."""
        try:
            os.ftruncate(self._file, self.size)
        except OSError:
            self._broken = True
        self._written = self.size

    def load(self, offset: int, length: int) -> bytes:
        """Return bytes of the file; what the disk cannot read of them is no block. Raises `OSError`."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            return os.pread(fd, length, offset)
        except OSError as err:
            if err.errno != errno.EIO:
                raise
            return _salvage(fd, offset, length)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def delete(self) -> None:
        """Delete the file. Raises `OSError`."""
        self.close()
        self.path.unlink(missing_ok=True)

    @property
    def _file(self) -> int:
        if self._fd is None:
            raise OSError(errno.EBADF, "the segment is closed", str(self.path))
        return self._fd


def sync_directory(directory: Path) -> None:
    """Return when the entries of a directory would survive a power cut. Raises `OSError`."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _salvage(fd: int, offset: int, length: int) -> bytes:
    """Return what can be read, page by page. Raises `OSError` if that is nothing: the disk may be away for a while."""
    pages: list[bytes] = []
    error: OSError | None = None
    readable = False
    for start in range(offset, offset + length, _PAGE_BYTES):
        wanted = min(_PAGE_BYTES, offset + length - start)
        try:
            pages.append(os.pread(fd, wanted, start))
            readable = True
        except OSError as err:
            pages.append(_UNREADABLE * wanted)
            error = err
    if error is not None and not readable:
        raise error
    return b"".join(pages)
