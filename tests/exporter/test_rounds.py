"""What is done every few seconds, and once more at the end: in the order that loses nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from shelly_exporter import rounds as module
from shelly_exporter.devices import Devices
from shelly_exporter.devices.registry import Known, introduce
from shelly_exporter.history import History
from shelly_exporter.leases import Leases
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.rollups import Rollups, Series
from shelly_exporter.rounds import HEARD_S, Rounds, Stores
from shelly_exporter.spool import Stream
from shelly_exporter.state_file import StateFile
from shelly_exporter.vitals import Vitals
from tests.exporter.held_spool import HeldSpool
from tests.stack.processes import wait_until

ID = "shellypro3em-fce8c0d41a90"
SERIES = Series(ID, 0, "total")
TS = 1763989248.0


class Office:
    """Rounds with a real pipeline, real rollups and real files; the rest is what a test says."""

    def __init__(self, directory: Path) -> None:
        self.spool = HeldSpool()
        self.pipeline = Pipeline(self.spool, commit_s=0.001, acknowledge=lambda _receipts: None)
        self.rollups = Rollups(ZoneInfo("Europe/Berlin"))
        self.stores = Stores.in_directory(directory)
        info = introduce(ID)
        assert info is not None
        self.known = Known(info=info, prefix="house/meter", heard_ts=HEARD_S * 10)
        self.minutes: dict[str, Any] = {}
        self.shared = 0
        self.told = 0
        self.rounds = Rounds(
            cast("Vitals", SimpleNamespace(lines=self._tell)),
            cast("Devices", SimpleNamespace(known={ID: self.known})),
            self.pipeline,
            self.rollups,
            cast("Leases", SimpleNamespace(share=self._share)),
            cast("History", SimpleNamespace(state=lambda: dict(self.minutes))),
            self.stores,
        )

    def _tell(self, ts: float) -> Iterator[bytes]:
        self.told += 1
        yield b"link a=%d %d" % (self.told, ts)
        yield b"exporter a=%d %d" % (self.told, ts)

    async def _share(self) -> None:
        self.shared += 1

    @property
    def paths(self) -> dict[str, Path]:
        """The files by their names."""
        return {
            store.path.stem: store.path for store in (self.stores.rollups, self.stores.registry, self.stores.history)
        }

    def saved(self, name: str) -> Any:
        """What a file says; `None` if there is none."""
        path = self.paths[name]
        return json.loads(path.read_text()) if path.exists() else None

    def grow(self, energy_wh: float) -> None:
        """Let a counter grow."""
        self.rollups.take(SERIES, TS + energy_wh, energy_wh, None)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Let the pipeline run."""
        task = asyncio.create_task(self.pipeline.run())
        try:
            yield
        finally:
            self.spool.gate.set()
            await cancel(task)


async def cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUND_S", 0.01)
    monkeypatch.setattr(module, "FIRST_S", 0.001)


@pytest.mark.usefixtures("hurried")
async def test_round_after_round(office: Office) -> None:
    office.grow(1000.0)
    async with office.open():
        going = asyncio.create_task(office.rounds.run())
        await wait_until(lambda: office.shared >= 7, 10, "rounds are made", interval_s=0.005)
        await cancel(going)
        await office.pipeline.safe()
    # In the fourth round and each third after it; the last may have been cut off after it told.
    assert office.told in {(office.shared - 1) // 3, office.shared // 3}
    assert [line.split(b" ")[1] for line in office.spool.lines()] == [
        field for turn in range(office.told) for field in (b"a=%d" % (turn + 1),) * 2
    ]
    assert [line.partition(b",")[0] for line in office.spool.lines(Stream.COUNTERS)] == [b"energy_1h", b"energy_1d"]
    assert office.saved("rollups") == office.rollups.state()
    assert office.saved("devices")[ID]["prefix"] == "house/meter"


async def test_a_state_is_saved_when_its_points_are_safe(office: Office) -> None:
    """Saved before, a crash in between would leave the hour without these points."""
    office.grow(1000.0)
    office.minutes = {"minutes": 1}
    state = office.rollups.state()
    office.spool.gate.clear()
    async with office.open():
        ending = asyncio.create_task(office.rounds.last())
        await asyncio.to_thread(office.spool.begun.wait, 5)
        # What comes meanwhile is not of this state.
        office.grow(2000.0)
        office.minutes = {"minutes": 2}
        await asyncio.sleep(0.02)
        assert (office.saved("rollups"), office.saved("history")) == (None, None)
        office.spool.gate.set()
        await ending
        assert (office.saved("rollups"), office.saved("history")) == (state, {"minutes": 1})
        await office.rounds.last()
        assert office.saved("rollups") == office.rollups.state() != state
        assert office.saved("history") == {"minutes": 2}


async def test_minutes_are_safe_before_they_are_remembered(office: Office) -> None:
    office.minutes = {"minutes": 1}
    office.pipeline.put(Stream.COUNTERS, b"emdata_1m a=1 1")
    office.spool.gate.clear()
    async with office.open():
        going = asyncio.create_task(office.rounds._roll_up())
        await asyncio.to_thread(office.spool.begun.wait, 5)
        await asyncio.sleep(0.02)
        assert office.saved("history") is None
        office.spool.gate.set()
        await going
    assert office.saved("history") == {"minutes": 1}


async def test_nothing_is_written_without_news(office: Office) -> None:
    async with office.open():
        office.grow(1000.0)
        office.minutes = {"minutes": 1}
        await office.rounds.last()
        before = {path: path.stat().st_ino for path in office.paths.values()}
        appends = len(office.spool.lines(Stream.COUNTERS))
        # To be heard again within the hour is no news, either.
        office.known.heard_ts += HEARD_S / 2
        await office.rounds.last()
        assert {path: path.stat().st_ino for path in before} == before
        assert len(office.spool.lines(Stream.COUNTERS)) == appends
        office.known.heard_ts += HEARD_S
        await office.rounds.last()
        assert office.saved("devices")[ID]["heard_ts"] == office.known.heard_ts
        assert office.paths["rollups"].stat().st_ino == before[office.paths["rollups"]]


async def test_the_end_does_not_wait_for_a_full_spool(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_S", 0.05)
    office.grow(1000.0)
    office.spool.full = True
    async with office.open():
        async with asyncio.timeout(5):
            await office.rounds.last()
        assert office.saved("rollups") is None
        # The devices are in no spool.
        assert office.saved("devices") is not None


async def test_a_disk_that_takes_no_file_is_said_once_and_tried_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def refuse(store: StateFile, _state: object) -> None:
        tries.append(store.path.stem)
        raise OSError(28, "No space left on device")

    office.minutes = {"minutes": 1}
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(StateFile, "save", refuse)
        async with office.open():
            for _ in range(3):
                office.grow(1000.0 + len(tries))
                await office.rounds.last()
    assert tries == ["rollups", "history", "devices"] * 3
    (entry,) = logs
    assert entry["log_level"] == "error"
    assert "No space left" in entry["reason"]
    assert office.saved("devices") is None
    # There is room again: what was not saved is saved without any news.
    async with office.open():
        await office.rounds.last()
        assert office.saved("devices")[ID]["prefix"] == "house/meter"
        assert office.saved("history") == {"minutes": 1}
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(StateFile, "save", refuse)
            office.minutes = {"minutes": 2}
            await office.rounds.last()
        assert len(logs) == 1, "it is said again after it was well meanwhile"
