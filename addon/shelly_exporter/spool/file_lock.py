"""A lock that several processes see; the system frees it when its holder dies, however that happens."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def take_lock(path: Path, *, wait: bool) -> int:
    """Lock the file, made if it is missing, and return what holds the lock until it is closed.

    Raises `BlockingIOError` if another holds it and `wait` is off, `OSError` if the file cannot be made.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(fd)
        raise
    return fd


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock, after waiting for it. Raises `OSError`."""
    fd = take_lock(path, wait=True)
    try:
        yield
    finally:
        os.close(fd)
