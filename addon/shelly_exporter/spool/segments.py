"""One stream of the spool: its segments, oldest first, and how far they are delivered."""

import logging
from collections import Counter
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from .block import Damage, Run, damage_at, lines_in, take, torn_at
from .checkpoint import Checkpoint, CheckpointError, Position
from .segment import Segment, sync_directory

_LOGGER = logging.getLogger(__name__)

_WINDOW_BYTES = 64 * 1024
"""The least that is read at once."""


class Batch(NamedTuple):
    """Lines to deliver, with line feeds between them."""

    body: bytes
    lines: int
    end: Position
    """Where the next batch begins."""
    written: float
    """Unix time when the oldest of them was appended."""


class Segments:
    """The segments in `directory`. One thread appends, others may read and advance meanwhile."""

    def __init__(self, directory: Path, *, segment_bytes: int, sync: bool) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._checkpoint = Checkpoint(directory / "checkpoint")
        self._lock = Lock()
        """Guards the list, the position and the sizes; never held while a block is written or synced."""
        self._segments: list[Segment] = []
        self._active: Segment | None = None
        """The one that is written to, always the last; None: the next append makes one."""
        self._position = Position(1, 0)
        """Where the next read begins: never at the end of a segment that is not written to any more."""
        self._next = 1
        self.lost: Counter[str] = Counter()
        """Lines given up by reason."""
        self.torn = 0
        """Appends that were cut off before they were confirmed, and are cut away."""
        self._checkpoint_fails = False

    def open(self) -> None:
        """Find what is there, and cut away the append that a crash or power cut left unfinished. Raises `OSError`."""
        if not self._directory.is_dir():
            self._directory.mkdir()
            if self._sync:
                sync_directory(self._directory.parent)
        position = self._load_checkpoint()
        found = list(Segment.found(self._directory, sync=self._sync))
        self._next = max(position.segment, found[-1].number if found else 0) + 1
        for segment in found:
            if segment.number < position.segment:
                segment.delete()
            else:
                self._segments.append(segment)
        if self._segments:
            self._resume(self._segments[-1])
            first = self._segments[0]
            offset = position.offset if position.segment == first.number else 0
            self._position = Position(first.number, min(offset, first.size))
        else:
            self._position = Position(self._next, 0)
        self._drop_delivered()

    def close(self) -> None:
        """Let go of all files; nobody appends meanwhile."""
        with self._lock:
            if self._active is not None:
                self._active.close()
                self._active = None
            self._segments.clear()
            self._checkpoint.close()

    @property
    def disk_bytes(self) -> int:
        """What the segments take on the disk."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    @property
    def depth_bytes(self) -> int:
        """How much of them is not delivered."""
        with self._lock:
            total = sum(segment.size for segment in self._segments)
            return total - self._position.offset

    def write(self, block: bytes) -> None:
        """Hand a block to the system; see `Segment.write`. Raises `OSError`, then `undo` comes next."""
        active = self._active
        if active is None or active.size >= self._segment_bytes:
            active = self._begin_segment()
        active.write(block)

    def sync(self) -> None:
        """Return when what was written would survive a power cut. Raises `OSError`, then `undo` comes next."""
        if self._active is not None:
            self._active.sync()

    def commit(self) -> None:
        """Let readers see what was written."""
        with self._lock:
            if self._active is not None:
                self._active.commit()

    def undo(self) -> None:
        """Take back what was written since the last `commit`, if anything was."""
        active = self._active
        if active is None:
            return
        active.undo()
        if not active.writable:
            with self._lock:
                self._end_segment(active)

    def give_up_oldest(self, reason: str) -> int | None:
        """Delete the oldest segment and return how many lines in it were not delivered; None: there is nothing left.

        Lines that are on their way to the store at this moment are counted although they may arrive. Raises `OSError`.
        """
        with self._lock:
            oldest = next((segment for segment in self._segments if segment.size), None)
            if oldest is None:
                return None
            offset = self._position.offset if oldest.number == self._position.segment else 0
            size = oldest.size
        try:
            lines = lines_in(oldest.load(offset, size - offset))
        except OSError as err:
            _LOGGER.warning("How many lines %s held is not known: %s", oldest.path, err)
            lines = 0
        with self._lock:
            if oldest not in self._segments:
                # Delivered and deleted meanwhile, so there is room.
                return 0
            if oldest is self._active:
                self._end_segment(oldest)
            self._skip_to(Position(oldest.number, oldest.size))
            self.lost[reason] += lines
        return lines

    def read(self, max_lines: int, max_bytes: int) -> Batch | None:
        """Return what is to be delivered next; None: nothing. Raises `OSError`."""
        while True:
            with self._lock:
                position = self._position
                segment = self._segments[0] if self._segments else None
                size = 0 if segment is None else segment.size
            if segment is None or position.offset >= size:
                return None
            found = _look(segment, position.offset, size, max_lines, max_bytes)
            if isinstance(found, Run):
                return Batch(found.body, found.lines, Position(segment.number, found.end), found.written)
            self._skip(segment, position, found)

    def advance(self, end: Position) -> None:
        """Note that all up to `end` is delivered; deletes the segments that are."""
        with self._lock:
            self._skip_to(end)
            self._save_checkpoint()

    def _load_checkpoint(self) -> Position:
        try:
            return self._checkpoint.load() or Position(0, 0)
        except CheckpointError as err:
            _LOGGER.warning(
                "All that is in the spool is delivered again, which changes nothing: %s says how far it was, but %s",
                self._checkpoint.path,
                err,
            )
            return Position(0, 0)

    def _save_checkpoint(self) -> None:
        try:
            self._checkpoint.save(self._position)
        except OSError as err:
            if not self._checkpoint_fails:
                _LOGGER.warning(
                    "After a restart lines are delivered again: %s cannot be written (%s)", self._checkpoint.path, err
                )
            self._checkpoint_fails = True
        else:
            self._checkpoint_fails = False

    def _resume(self, newest: Segment) -> None:
        size = torn_at(newest.load(0, newest.size))
        if size < newest.size:
            self.torn += 1
            _LOGGER.info(
                "%d bytes of an append that was never confirmed are cut from %s", newest.size - size, newest.path
            )
        newest.resume(size)
        self._active = newest

    def _begin_segment(self) -> Segment:
        fresh = Segment.made(self._directory, self._next, sync=self._sync)
        with self._lock:
            self._next += 1
            if self._active is not None:
                self._active.close()
            self._segments.append(fresh)
            self._active = fresh
            self._drop_delivered()
        return fresh

    def _end_segment(self, ended: Segment) -> None:
        """Write to another file than this from now on."""
        self._active = None
        ended.close()
        if not ended.size:
            # One more for every attempt on a broken disk would else be left.
            self._segments.remove(ended)
            _delete(ended)
        self._drop_delivered()

    def _skip(self, segment: Segment, position: Position, damage: Damage) -> None:
        """Go on behind what is damaged, unless somebody else did."""
        with self._lock:
            if self._position != position:
                return
            self._skip_to(Position(segment.number, damage.end))
            if damage.torn:
                self.torn += 1
            else:
                self.lost["corrupt"] += damage.lines
        if not damage.torn:
            _LOGGER.warning(
                "%d lines are lost: %s is damaged from byte %d to %d; check the disk",
                damage.lines,
                segment.path,
                position.offset,
                damage.end,
            )

    def _skip_to(self, position: Position) -> None:
        """Go on from `position`, unless what is before it was given up meanwhile."""
        if position <= self._position:
            return
        self._position = position
        while self._segments and self._segments[0].number < position.segment:
            _delete(self._segments.pop(0))
        self._drop_delivered()

    def _drop_delivered(self) -> None:
        """Delete the segments that hold nothing more to deliver and get nothing more to hold."""
        while self._segments and self._segments[0] is not self._active:
            first = self._segments[0]
            if self._position < Position(first.number, first.size):
                break
            _delete(self._segments.pop(0))
            self._position = Position(self._segments[0].number if self._segments else self._next, 0)


def _look(segment: Segment, offset: int, size: int, max_lines: int, max_bytes: int) -> Run | Damage:
    """Return the blocks at `offset`, or what is there instead; offsets are those of the segment."""
    rest = size - offset
    window = min(rest, max(_WINDOW_BYTES, max_bytes))
    try:
        data = segment.load(offset, window)
        run = take(data, max_lines, max_bytes)
        if run is None and window < rest:
            data = segment.load(offset, rest)
            run = take(data, max_lines, max_bytes)
    except FileNotFoundError:
        return Damage(size, 0, torn=False)
    if run is not None:
        return run._replace(end=offset + run.end)
    damage = damage_at(data, 0)
    return damage._replace(end=size if damage.end == len(data) else offset + damage.end)


def _delete(segment: Segment) -> None:
    try:
        segment.delete()
    except OSError as err:
        _LOGGER.warning("What is delivered or given up still takes room: %s cannot be deleted (%s)", segment.path, err)
