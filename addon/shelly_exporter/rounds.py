"""What is done every few seconds: rollups written, devices remembered and shared, telemetry told."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from .devices import Devices, registry
from .history import History
from .leases import Leases
from .pipeline import Pipeline
from .rollups import Rollups
from .spool import Stream
from .state_file import StateFile
from .vitals import Vitals

_LOGGER = structlog.get_logger(__name__)

ROUND_S = 10.0
FIRST_S = 3.0
SLOW_ROUNDS = 3
"""In one of so many rounds there is telemetry, and all is saved: with a thousand devices that is much."""
LAST_S = 5.0
"""How long the end waits for a disk that takes nothing."""
HEARD_S = 3600.0
"""How exactly it is remembered when a device was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where is kept what a restart goes on from."""

    rollups: StateFile
    registry: StateFile
    history: StateFile

    @classmethod
    def in_directory(cls, directory: Path) -> Self:
        """Return the files of a directory."""
        names = {"rollups": "rollups", "registry": "devices", "history": "history"}
        return cls(**{part: StateFile(directory / f"{name}.json") for part, name in names.items()})


class Rounds:
    """Goes round until cancelled; `last` once more at the end."""

    def __init__(
        self,
        vitals: Vitals,
        devices: Devices,
        pipeline: Pipeline,
        rollups: Rollups,
        leases: Leases,
        history: History,
        stores: Stores,
    ) -> None:
        self._vitals = vitals
        self._devices = devices
        self._pipeline = pipeline
        self._rollups = rollups
        self._stores = stores
        self._leases = leases
        self._history = history
        self._saved: object = None
        self._saved_history: object = None
        self._problem: str | None = None

    async def run(self) -> None:
        """Go round until cancelled."""
        turn = 0
        while True:
            await asyncio.sleep(ROUND_S if turn else FIRST_S)
            turn += 1
            if turn % SLOW_ROUNDS == 1:
                if turn > 1:
                    self.tell()
                await self._roll_up()
                await self._remember()
            await self._leases.share()

    async def last(self) -> None:
        """Leave everything so that the next start can go on; the pipeline still runs."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self._roll_up()
        await self._remember()

    def tell(self) -> None:
        """Put points of how everything is at this moment."""
        for line in self._vitals.lines(time.time()):
            self._pipeline.put(Stream.RAW, line)

    async def _roll_up(self) -> None:
        """Write hours and days that changed. What is known of hours and minutes is saved when those are safe."""
        lines = self._rollups.lines()
        state, history = self._rollups.state(), self._history.state()
        if lines:
            self._pipeline.put(Stream.COUNTERS, b"\n".join(lines))
            await self._pipeline.safe()
            await self._save(self._stores.rollups, state)
        if history != self._saved_history:
            await self._pipeline.safe()
            if await self._save(self._stores.history, history):
                self._saved_history = history

    async def _remember(self) -> None:
        known = registry.state(self._devices.known)
        remembered = {name: {**entry, "heard_ts": entry["heard_ts"] // HEARD_S} for name, entry in known.items()}
        if remembered != self._saved and await self._save(self._stores.registry, known):
            self._saved = remembered

    async def _save(self, store: StateFile, state: dict[str, object]) -> bool:
        try:
            await asyncio.to_thread(store.save, state)
        except OSError as error:
            if self._problem is None:
                remedy = "make room on the disk, or check who owns it"
                _LOGGER.error("Cannot save", reason=str(error), remedy=remedy)  # noqa: TRY400  # the stack says nothing
            self._problem = str(error)
            return False
        self._problem = None
        return True
