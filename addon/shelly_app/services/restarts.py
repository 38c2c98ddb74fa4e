"""How long to wait before a service that keeps ending is started again."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

STEADY_S = 60.0
"""A service that ran this long is taken to work; its next end is not held against it."""
_PAUSES_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""By how often a service has ended quickly."""
_HOPELESS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """What is remembered of a service from one start to the next."""

    started: float | None = None
    """When it was started last, in seconds of the machine's monotonic clock; `None`: never."""
    quick_ends: int = 0
    """How often in a row it ended soon after it was started."""

    @property
    def pause_s(self) -> float:
        """How long to wait before the next start."""
        return _PAUSES_S[min(self.quick_ends, len(_PAUSES_S) - 1)]

    @property
    def hopeless(self) -> bool:
        """Whether it ended so often that the others should not wait for it."""
        return self.quick_ends >= _HOPELESS

    def ran_s(self, now: float) -> float | None:
        """Return how long it has run; `None` when the clock says nothing about it, as after a reboot."""
        return None if self.started is None or now < self.started else now - self.started

    def after_end(self, now: float) -> Restarts:
        """Return what to remember when it has ended by itself."""
        ran = self.ran_s(now)
        return replace(self, quick_ends=0 if ran is None or ran >= STEADY_S else self.quick_ends + 1)

    def after_start(self, now: float) -> Restarts:
        """Return what to remember when it is started."""
        return replace(self, started=now)


def load(folder: Path, name: str) -> Restarts:
    """Return what is remembered of the service; nothing, when the file cannot be used."""
    try:
        return Restarts(**json.loads((folder / name).read_text()))
    except FileNotFoundError, ValueError, TypeError:
        return Restarts()


def keep(folder: Path, name: str, restarts: Restarts) -> None:
    """Remember it for as long as the container runs."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(asdict(restarts)))


def clock() -> float:
    """Return the time that is the same for all processes of the machine."""
    return time.monotonic()
