"""Lines that no store would have, kept with the reason until somebody mends that and replays them.

Files of JSON lines, the highest number being the newest: `{"at": Unix time, "reason": "…", "line": "…"}`. Bytes that
are no UTF-8 are lone surrogates there, and bytes again when they are read. Several processes may use the directory at
once: files are only touched under the lock `lock`, which nobody holds while he waits for something else.
"""

import errno
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from .file_lock import locked
from .segment import sync_directory

_LOGGER = logging.getLogger(__name__)

_MAX_BYTES = 64 * 1024 * 1024
_FILES = 8
"""In how many files the quota is divided: how much is given up at once."""
_NAME = re.compile(r"(\d{6,})\.jsonl")


class Letter(NamedTuple):
    """A line, why it was refused, and when (Unix time)."""

    at: float
    reason: str
    line: bytes


class Letters(NamedTuple):
    """What is in one file."""

    number: int
    letters: tuple[Letter, ...]


class DeadLetters:
    """The letters in `directory`, which is made when there is one; at most about `max_bytes`, the oldest go first."""

    def __init__(self, directory: Path, max_bytes: int = _MAX_BYTES, *, wall: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._file_bytes = max_bytes // _FILES
        self._wall = wall
        self.lost = 0
        """Letters given up since the start, because there were too many or the disk was full."""

    def add(self, reason: str, lines: Sequence[bytes]) -> None:
        """Keep lines; they are on disk when it returns. Raises `OSError`: add them again, some may be there twice then.

        Blocks, so call it in a thread.
        """
        at = self._wall()
        self._directory.mkdir(parents=True, exist_ok=True)
        with self._locked():
            for text in self._portions(Letter(at, reason, line) for line in lines):
                self._append(text)

    def read(self) -> Iterator[Letters]:
        """Return what there is, the oldest first; what others add or remove meanwhile may be there or not."""
        if not self._directory.is_dir():
            return
        for number in self._numbers():
            with self._locked():
                text = self._text(number)
            letters = tuple(letter for line in text.splitlines() if (letter := _decoded(line)) is not None)
            if letters:
                yield Letters(number, letters)

    def settle(self, number: int, outcomes: Mapping[Letter, str | None]) -> None:
        """Remove letters of a file, or note why they were refused again: None is delivered, a text is the new reason.

        At any moment, power cut included, the file is what it was or what it is to be. Raises `OSError`.
        """
        with self._locked():
            old = self._text(number)
            new = b"".join(_settled(line, outcomes) for line in old.splitlines(keepends=True))
            if new == old:
                return
            path = self._path(number)
            if new:
                _replace(path, new)
            else:
                path.unlink()
            sync_directory(self._directory)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._directory / "lock")

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:06d}.jsonl"

    def _numbers(self) -> list[int]:
        return sorted(int(match[1]) for path in self._directory.iterdir() if (match := _NAME.fullmatch(path.name)))

    def _text(self, number: int) -> bytes:
        try:
            return self._path(number).read_bytes()
        except FileNotFoundError:
            return b""

    def _portions(self, letters: Iterator[Letter]) -> Iterator[bytes]:
        """Return the text of the letters in pieces that fit in a file."""
        texts: list[bytes] = []
        size = 0
        for letter in letters:
            text = _encoded(letter)
            if texts and size + len(text) > self._file_bytes:
                yield b"".join(texts)
                texts, size = [], 0
            texts.append(text)
            size += len(text)
        if texts:
            yield b"".join(texts)

    def _append(self, text: bytes) -> None:
        self._keep_quota(len(text))
        while True:
            numbers = self._numbers()
            newest = numbers[-1] if numbers else 0
            if not newest or self._path(newest).stat().st_size + len(text) > self._file_bytes:
                newest += 1
            try:
                _write(self._path(newest), text)
            except OSError as err:
                if err.errno not in {errno.ENOSPC, errno.EDQUOT} or not numbers:
                    raise
                self._give_up(numbers[0])
            else:
                return

    def _keep_quota(self, size: int) -> None:
        numbers = self._numbers()
        total = size + sum(self._path(number).stat().st_size for number in numbers)
        for number in numbers:
            if total <= self._max_bytes:
                return
            total -= self._path(number).stat().st_size
            self._give_up(number)

    def _give_up(self, number: int) -> None:
        lines = self._text(number).count(b"\n")
        self._path(number).unlink(missing_ok=True)
        if not self.lost:
            _LOGGER.warning(
                "There is no more room for dead letters in %s: the oldest are given up, %d lines now; see why lines "
                "are refused, then run `shelly-exporter replay`",
                self._directory,
                lines,
            )
        self.lost += lines


def _encoded(letter: Letter) -> bytes:
    line = letter.line.decode("utf-8", "surrogateescape")
    return json.dumps({"at": letter.at, "reason": letter.reason, "line": line}).encode() + b"\n"


def _decoded(text: bytes) -> Letter | None:
    """Return the letter in a line of a file; None: an addition was cut off here, or somebody edited it."""
    try:
        match json.loads(text):
            case {"at": int() | float() as at, "reason": str(reason), "line": str(line)}:
                return Letter(float(at), reason, line.encode("utf-8", "surrogateescape"))
    except ValueError, RecursionError:
        pass
    return None


def _settled(text: bytes, outcomes: Mapping[Letter, str | None]) -> bytes:
    """Return what becomes of a line of a file."""
    letter = _decoded(text)
    if letter is None or letter not in outcomes:
        return text
    reason = outcomes[letter]
    if reason is None:
        return b""
    return text if reason == letter.reason else _encoded(letter._replace(reason=reason))


def _write(path: Path, text: bytes) -> None:
    """Put text at the end of the file, all or nothing, durable when it returns. Raises `OSError`."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(fd).st_size
        cut_off = size and os.pread(fd, 1, size - 1) != b"\n"
        view = memoryview(b"\n" + text if cut_off else text)
        try:
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, size)
            if not size:
                path.unlink()
            raise
    finally:
        os.close(fd)
    if not size:
        sync_directory(path.parent)


def _replace(path: Path, text: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
