"""What a restart goes on from, such as the open hours and days, in one JSON file."""

import json
import os
from pathlib import Path
from typing import Any


class StateFile:
    """The file at `path`. At any moment, power cut included, it is what it was or what it is to be, never half of it.

    A file that makes no sense all the same is kept as `<name>.damaged`, for whoever wants to know why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None
        """Why `load` found nothing to use though there was something, as a sentence; None if all was well."""

    def load(self) -> dict[str, Any] | None:
        """Return what was saved last; None if nothing was, or if it cannot be used, as `problem` then says."""
        self.problem = None
        try:
            state = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as err:
            self._give_up(f"cannot be read ({err.strerror})")
            return None
        except ValueError, RecursionError:
            state = None
        if not isinstance(state, dict):
            self._set_aside()
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace what is stored; durable when it returns. Blocks, so call it in a thread.

        Raises `OSError` if the disk refuses, and what was stored before stays.
        """
        text = json.dumps(state, separators=(",", ":"), allow_nan=False).encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.new")
        try:
            with fresh.open("wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        _sync_directory(self.path.parent)

    def _set_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.damaged")
        try:
            self.path.replace(aside)
        except OSError as err:
            self._give_up(f"is damaged and cannot be moved away ({err.strerror})")
        else:
            self._give_up(f"is damaged and was moved to {aside.name}")

    def _give_up(self, fault: str) -> None:
        self.problem = f"{self.path} {fault}: what it held begins anew"


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
