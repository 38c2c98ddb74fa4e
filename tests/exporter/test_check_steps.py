import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from shelly_exporter.check import steps as check_steps
from shelly_exporter.check.steps import (
    LITTLE_BYTES,
    MIB,
    Outcome,
    Step,
    redis_step,
    settings_steps,
    spool_step,
    target_steps,
)
from shelly_exporter.settings import Cluster, Kind, Settings, SpoolSettings, Target
from shelly_exporter.spool import Spool
from shelly_exporter.targets import Denied, Refused, Unavailable
from tests.stack.influxdb import InfluxServer
from tests.stack.processes import free_port
from tests.stack.redis_server import RedisServer
from tests.stack.v2_proxy import ORGANISATION, V2Proxy
from tests.stack.victoria_metrics import VictoriaMetrics

OK, NOTE, WRONG = Outcome.OK, Outcome.NOTE, Outcome.WRONG


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


async def all_of(steps: AsyncIterator[Step]) -> list[Step]:
    return [step async for step in steps]


def test_settings() -> None:
    (step,) = settings_steps(Settings(time_zone=ZoneInfo("Europe/Berlin")))
    assert step.outcome is OK
    assert step.told.startswith("time zone Europe/Berlin, where it is ")


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC"])
def test_warnings_and_a_time_zone_that_few_live_in(name: str) -> None:
    zone, warning = settings_steps(Settings(time_zone=ZoneInfo(name), warnings=("influxdb.token: is not given",)))
    assert (zone.outcome, zone.remedy) == (NOTE, "if your clocks show another time, set time_zone (SHELLY_TIME_ZONE)")
    assert warning == Step("settings", NOTE, "influxdb.token: is not given")


def spool(directory: Path, max_mib: int = 1) -> SpoolSettings:
    return SpoolSettings(directory=directory, max_mib=max_mib)


def test_the_spool_is_made_later(tmp_path: Path) -> None:
    step = spool_step(spool(tmp_path / "a" / "b"))
    assert (step.outcome, step.told.endswith("MiB are free; it is made at the start")) == (OK, True)
    assert [*tmp_path.iterdir()] == []


def test_the_spool_is_free(tmp_path: Path) -> None:
    with_lock = Spool(tmp_path / "spool", max_bytes=MIB)
    with_lock.open()
    with_lock.close()
    before = sorted(tmp_path.rglob("*"))
    step = spool_step(spool(tmp_path))
    assert (step.outcome, step.told.endswith("MiB are free")) == (OK, True)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_spool_is_in_use(tmp_path: Path) -> None:
    running = Spool(tmp_path / "spool", max_bytes=MIB)
    running.open()
    step = spool_step(spool(tmp_path))
    assert (step.outcome, step.told.endswith("; it is in use: the exporter runs")) == (OK, True)
    running.close()
    assert "in use" not in spool_step(spool(tmp_path)).told


def test_a_check_does_not_keep_the_exporter_from_starting(tmp_path: Path) -> None:
    lock = tmp_path / "spool" / "lock"
    lock.parent.mkdir()
    lock.touch()
    spool_step(spool(tmp_path))
    fd = os.open(lock, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def test_two_checks_do_not_take_each_other_for_the_exporter(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    with (tmp_path / "spool" / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert "in use" not in spool_step(spool(tmp_path)).told


@pytest.mark.parametrize("inside", [False, True])
def test_the_spool_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool) -> None:
    (tmp_path / "spool").mkdir()
    refused = tmp_path / "spool" if inside else tmp_path

    def write(directory: Path) -> None:  # permissions do not stop root
        if directory == refused:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(check_steps, "_write_something", write)
    step = spool_step(spool(tmp_path))
    assert (step.outcome, step.told.endswith(": Permission denied")) == (WRONG, True)
    assert step.remedy is not None
    assert "spool.directory (SHELLY_SPOOL_DIRECTORY)" in step.remedy


def test_the_spool_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert spool_step(spool(tmp_path / "file"))[1:3] == (WRONG, f"{tmp_path / 'file'} is no directory")
    assert spool_step(spool(tmp_path / "file" / "below"))[1:3] == (WRONG, f"{tmp_path / 'file'} is no directory")


@pytest.mark.parametrize(
    ("free", "max_mib", "outcome"),
    [(LITTLE_BYTES - 1, 1, WRONG), (LITTLE_BYTES, 64, OK), (LITTLE_BYTES, 65, NOTE), (1000 * MIB, 1024, NOTE)],
)
def test_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, max_mib: int, outcome: Outcome) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(10**12, 0, free))
    step = spool_step(spool(tmp_path, max_mib))
    assert (step.outcome, step.remedy is None) == (outcome, outcome is OK)


async def test_influxdb_1(tmp_path: Path) -> None:
    async with InfluxServer(tmp_path) as server:
        settings = Target(kind=Kind.INFLUXDB1, url=server.url)
        for _ in range(2):
            steps = await all_of(target_steps(settings))
            assert [step.outcome for step in steps] == [OK, OK]
            assert steps[0].told == (
                f"database shelly at {server.url}: a point was written into exporter_check and read back"
            )
        rows = await server.query("shelly", "SELECT * FROM exporter_check")
        assert [row["by"] for row in rows] == ["check", "check"]  # nothing is deleted


async def test_influxdb_2(tmp_path: Path) -> None:
    async with InfluxServer(tmp_path) as server, V2Proxy(server) as proxy:
        settings = Target(url=proxy.url, organisation=ORGANISATION, token=proxy.token)
        assert [step.outcome for step in await all_of(target_steps(settings))] == [OK, OK]
        (denied,) = await all_of(target_steps(replace(settings, token="wrong")))
        assert (denied.name, denied.outcome, "influxdb.token" in denied.told) == ("InfluxDB 2", WRONG, True)
        proxy.may_manage = False
        steps = await all_of(target_steps(replace(settings, bucket="another")))
        assert [step.outcome for step in steps].count(WRONG) == 3
        assert "influx bucket create --name another" in steps[0].told
        assert steps[-1].outcome is OK


async def test_victoria_metrics(tmp_path: Path) -> None:
    async def flush(server: VictoriaMetrics) -> None:
        """It would take 10 s by itself."""
        while True:
            await server.samples('{by="check"}')
            await asyncio.sleep(0.1)

    async with VictoriaMetrics(tmp_path) as server:
        settings = Target(kind=Kind.VICTORIAMETRICS, url=server.url, rollup_bucket="shelly")
        flushing = asyncio.create_task(flush(server))
        (step,) = await all_of(target_steps(settings))
        assert (step.name, step.outcome) == ("VictoriaMetrics", OK)
        flushing.cancel()
        await asyncio.wait((flushing,))


async def test_no_store() -> None:
    port = free_port()
    (step,) = await all_of(target_steps(Target(kind=Kind.INFLUXDB1, url=f"http://user:hunter2@127.0.0.1:{port}")))
    assert step.outcome is WRONG
    assert f"InfluxDB 1 at http://127.0.0.1:{port} does not answer" in step.told
    assert "hunter2" not in step.told


class FakeStore:
    """A store that writes, and shows what it is told to show."""

    def __init__(self, shown: Any, refused: Exception | None = None) -> None:
        self.shown = shown
        self.refused = refused
        self.written: list[tuple[str, bytes]] = []
        self.closed = False

    async def prepare(self) -> tuple[str, ...]:
        return ()

    async def write(self, bucket: str, body: bytes) -> None:
        if self.refused is not None:
            raise self.refused
        self.written.append((bucket, body))

    async def read_back(self, _bucket: str, _measurement: str, _tag: tuple[str, str], _ts_ms: int) -> Any:
        if isinstance(self.shown, Exception):
            raise self.shown
        return self.shown

    async def close(self) -> None:
        self.closed = True


async def steps_with(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    def target_for(_settings: Target, _session: aiohttp.ClientSession) -> FakeStore:
        return store

    monkeypatch.setattr(check_steps, "target_for", target_for)
    monkeypatch.setattr(check_steps, "READ_BACK_S", 0.0)
    return await all_of(target_steps(Target(rollup_bucket="shelly")))


@pytest.mark.parametrize(
    ("store", "outcome", "told"),
    [
        (FakeStore({"value": -1.0}), WRONG, "but -1 was read back"),
        (FakeStore(None), WRONG, "but nothing was read back"),
        (FakeStore(Denied("may not read")), NOTE, "but could not be read back: may not read"),
        (FakeStore(Refused("no such query")), NOTE, "but could not be read back: no such query"),
        (FakeStore(Unavailable("away")), WRONG, "but could not be read back: away"),
        (FakeStore(None, Refused("bad line")), WRONG, "a point could not be written: bad line"),
        (FakeStore(None, Unavailable("away")), WRONG, "a point could not be written: away"),
    ],
)
async def test_a_point_goes_wrong(
    store: FakeStore, outcome: Outcome, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (step,) = await steps_with(store, monkeypatch)
    assert (step.outcome, told in step.told, store.closed) == (outcome, True, True)


async def test_redis(tmp_path: Path) -> None:
    assert await redis_step(Cluster()) is None
    async with RedisServer(tmp_path, password="hunter2") as server:
        step = await redis_step(Cluster(group="home", redis_url=server.url))
        assert step == Step("Redis", OK, "answers; running in group home: nobody")
        wrong = await redis_step(Cluster(group="home", redis_url=server.url.replace("hunter2", "hunter3")))
        assert wrong is not None
        assert (wrong.outcome, "refuses the login" in wrong.told, "hunter" in wrong.told) == (WRONG, True, False)
    away = await redis_step(Cluster(group="home", redis_url=server.url))
    assert away is not None
    assert (away.outcome, "does not answer" in away.told) == (WRONG, True)


async def test_a_url_that_is_none() -> None:
    step = await redis_step(Cluster(group="home", redis_url="nonsense://x"))
    assert step is not None
    assert (step.outcome, "cluster.redis_url" in step.told) == (WRONG, True)


async def test_redis_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "shelly_exporter.cluster.store", None)
    step = await redis_step(Cluster(group="home", redis_url="redis://127.0.0.1"))
    assert step == Step("Redis", WRONG, "the library for it is missing", "install shelly-pro[cluster]")
