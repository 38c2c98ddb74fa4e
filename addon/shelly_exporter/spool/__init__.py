"""The queue on disk between the broker and the store: what is in it survives kill -9, a power cut and a full disk.

In the directory: `lock`, and for each stream a directory with files `NNNNNNNNNNNN.segment` (see `segment`,
`block`) and `checkpoint`.

What is synced, and when:
- a block: one write and one `fdatasync` for each stream of an append, before `append` returns;
- the entry of a new segment in its directory, when the segment is made, so also before `append` returns;
- the checkpoint and deletions: never. After a power cut lines may be delivered twice, which changes nothing.
After an `fdatasync` that failed, the block is cut off and its file is not written to again.
With `sync=False` the system decides: kill -9 loses nothing, a power cut may lose the last half minute.

When the quota is reached or the disk is full, the oldest segment of `Stream.RAW` is given up, never one of
`Stream.COUNTERS`. On any other error of the disk nothing is given up: that would make no room.
"""

import errno
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import NoReturn

from .block import encode
from .checkpoint import Position
from .file_lock import take_lock
from .segments import Batch, Segments

__all__ = ["Batch", "Position", "Spool", "SpoolError", "SpoolFullError", "Stream"]

_LOGGER = logging.getLogger(__name__)

_SEGMENT_BYTES = 8 * 1024 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT}
_REMEDY = "let it be writable for this user, or set another one: spool.directory (SHELLY_SPOOL_DIRECTORY)"


class Stream(StrEnum):
    """What a line is worth."""

    COUNTERS = "counters"
    """Energy and state: never given up."""
    RAW = "raw"
    """What there is much of: the oldest goes when there is no room."""


class SpoolError(Exception):
    """The spool cannot be used; the text names the remedy."""


class SpoolFullError(SpoolError):
    """The disk takes no more. Nothing of the append is in the spool: keep the lines, and try again."""


class Spool:
    """Lines on their way to the store. One thread appends, others may read and advance meanwhile."""

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int,
        segment_bytes: int = _SEGMENT_BYTES,
        sync: bool = True,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Take at most `max_bytes` of the disk, in files of about `segment_bytes`: what is given up at once."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._wall = wall
        # A quarter: so little room is wasted by a file that is delivered, but still written to.
        size = min(segment_bytes, max_bytes // 4)
        self._streams = {stream: Segments(directory / stream, segment_bytes=size, sync=sync) for stream in Stream}
        self._appending = Lock()
        self._lock_fd: int | None = None
        self._told: set[str] = set()
        """Reasons that are known from the log already."""

    def open(self) -> None:
        """Lock the directory, made if it is missing, and find what waits in it. Raises `SpoolError`."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock_fd = self._locked()
            for segments in self._streams.values():
                segments.open()
            self._expect_writable()
        except OSError as err:
            self.close()
            raise SpoolError(f"The spool cannot use {self._directory} ({_said(err)}): {_REMEDY}") from err

    def close(self) -> None:
        """Wait for an append, then let go of the directory; nothing can be done with the spool any more."""
        with self._appending:
            for segments in self._streams.values():
                segments.close()
            if self._lock_fd is not None:
                os.close(self._lock_fd)
                self._lock_fd = None

    def append(self, blocks: Mapping[Stream, Sequence[bytes]]) -> None:
        """Keep lines; they are safe when it returns. Blocks, so call it in a thread.

        An item may be several lines with line feeds between them. It is all or nothing, over all streams. Raises
        `SpoolFullError`.
        """
        now = self._wall()
        encoded = {self._streams[stream]: encode(lines, now) for stream, lines in blocks.items() if lines}
        size = sum(map(len, encoded.values()))
        with self._appending:
            if self._lock_fd is None:
                raise SpoolError("The spool is not open")
            while True:
                self._keep_quota(size)
                try:
                    _write(encoded)
                except OSError as err:
                    self._make_room(err)
                else:
                    return

    def read(self, stream: Stream, max_lines: int, max_bytes: int = 4 * 1024 * 1024) -> Batch | None:
        """Return the oldest lines that are not delivered; None: there are none. The same again until `advance`.

        A batch is whole blocks, of one segment, up to the limits; a block that is larger comes alone. Raises `OSError`
        if the disk does not answer.
        """
        return self._streams[stream].read(max_lines, max_bytes)

    def advance(self, stream: Stream, end: Position) -> None:
        """Note that all up to `end` of a batch is delivered: it is not read again, and its room is free."""
        self._streams[stream].advance(end)
        if stream is Stream.RAW and self._told and not self.depth_bytes(stream):
            self._told.clear()

    def depth_bytes(self, stream: Stream) -> int:
        """Return how much waits."""
        return self._streams[stream].depth_bytes

    def oldest(self, stream: Stream) -> float | None:
        """Return the Unix time since when the oldest line waits; None: nothing does. Raises as `read`."""
        batch = self._streams[stream].read(1, 1)
        return None if batch is None else batch.written

    @property
    def lost(self) -> Counter[tuple[Stream, str]]:
        """Lines given up since the start, by reason: "quota", "disk full" or "corrupt"."""
        return Counter(
            {
                (stream, reason): count
                for stream, segments in self._streams.items()
                for reason, count in segments.lost.items()
            }
        )

    @property
    def torn(self) -> int:
        """Appends that a crash or power cut left unfinished, found since the start; none of them was confirmed."""
        return sum(segments.torn for segments in self._streams.values())

    def _locked(self) -> int:
        path = self._directory / "lock"
        try:
            fd = take_lock(path, wait=False)
        except BlockingIOError as err:
            raise SpoolError(
                f"The spool in {self._directory} is in use by {_holder(path)}: stop that one, or give each exporter a "
                f"directory of its own: spool.directory (SHELLY_SPOOL_DIRECTORY)"
            ) from err
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except OSError as err:
            # A disk that is full must not keep the spool from being emptied.
            _LOGGER.debug("The lock does not say who holds it: %s", err)
        return fd

    def _expect_writable(self) -> None:
        """Raise `PermissionError` if a segment could not be made or deleted."""
        for stream in Stream:
            if not os.access(self._directory / stream, os.W_OK | os.X_OK, effective_ids=True):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _keep_quota(self, size: int) -> None:
        """Give up what is oldest until `size` bytes more are within the quota. Raises `SpoolFullError`."""
        if size > self._max_bytes:
            self._refuse(f"{size} bytes at once are more than its quota: raise spool.max_mib (SHELLY_SPOOL_MAX_MIB)")
        while sum(segments.disk_bytes for segments in self._streams.values()) + size > self._max_bytes:
            if not self._give_up("quota"):
                self._refuse(
                    f"its quota of {self._max_bytes} bytes is used up and no raw readings are left to give up: see why "
                    f"the store takes nothing, or raise spool.max_mib (SHELLY_SPOOL_MAX_MIB)"
                )

    def _make_room(self, err: OSError) -> None:
        """Give up what is oldest after a write has failed. Raises `SpoolFullError`."""
        if err.errno not in _FULL:
            self._refuse(f"the disk does not take it ({_said(err)}): check the disk and its mount", err)
        if not self._give_up("disk full"):
            self._refuse("the disk is full and no raw readings are left to give up: free some space", err)

    def _refuse(self, why: str, cause: OSError | None = None) -> NoReturn:
        raise SpoolFullError(f"The spool in {self._directory} takes nothing more, {why}") from cause

    def _give_up(self, reason: str) -> bool:
        """Delete the oldest raw readings, and tell whether there were any."""
        lines = self._streams[Stream.RAW].give_up_oldest(reason)
        if lines and reason not in self._told:
            self._told.add(reason)
            _LOGGER.warning(
                "The spool in %s is at its limit (%s): raw readings that are not delivered are given up, oldest first; "
                "%d lines so far, later ones are only counted",
                self._directory,
                reason,
                self.lost[Stream.RAW, reason],
            )
        return lines is not None


def _write(encoded: Mapping[Segments, bytes]) -> None:
    """Put each block at the end of its stream; all of them or none. Raises `OSError`."""
    try:
        for segments, block in encoded.items():
            segments.write(block)
        for segments in encoded:
            segments.sync()
    except OSError:
        for segments in encoded:
            segments.undo()
        raise
    for segments in encoded:
        segments.commit()


def _holder(path: Path) -> str:
    try:
        text = path.read_text().strip()
    except OSError, UnicodeDecodeError:
        text = ""
    return f"process {text}" if text else "another process"


def _said(err: OSError) -> str:
    where = "" if err.filename is None else f"{err.filename}: "
    return f"{where}{err.strerror or err}"
