"""The steps of `shelly-exporter check` that are not about devices: settings, spool, store and Redis."""

import asyncio
import fcntl
import os
import random
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, NamedTuple

import aiohttp

from shelly_exporter.cluster.errors import ClusterError
from shelly_exporter.settings import Cluster, Settings, SpoolSettings
from shelly_exporter.settings import Target as TargetSettings
from shelly_exporter.settings.schema import label
from shelly_exporter.targets import DIALECTS, Denied, Missing, Refused, Target, Unavailable, base_url, target_for

MIB: Final = 1024 * 1024
LITTLE_BYTES: Final = 64 * MIB
"""Less free space does not last for an outage worth the name."""
READ_BACK_S: Final = 30.0
"""How long a store may take to show what it has taken: VictoriaMetrics lets 10 s pass."""
REDIS_S: Final = 3.0

MEASUREMENT: Final = "exporter_check"
TAG: Final = ("by", "check")


class Outcome(StrEnum):
    """How a step went."""

    OK = "ok"
    NOTE = "note"
    """Works, but should be known."""
    WRONG = "WRONG"


class Step(NamedTuple):
    """What was looked at, and what was found; `remedy` is what to do about it, unless `told` says that already."""

    name: str
    outcome: Outcome
    told: str
    remedy: str | None = None


def settings_steps(settings: Settings) -> Iterator[Step]:
    """Tell what is set, and the warnings about it."""
    zone = settings.time_zone
    told = f"time zone {zone.key}, where it is {datetime.now(zone):%H:%M} now"
    if zone.key.endswith("UTC"):
        yield Step("settings", Outcome.NOTE, told, f"if your clocks show another time, set {label('time_zone')}")
    else:
        yield Step("settings", Outcome.OK, told)
    for warning in settings.warnings:
        yield Step("settings", Outcome.NOTE, warning)


def spool_step(settings: SpoolSettings) -> Step:
    """Look at the directory without changing anything in it, since the exporter may be using it; blocking."""
    name, directory = "spool", settings.directory
    remedy = f"let it be writable for the exporter's user, or set another one: {label('spool.directory')}"
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not there.is_dir():
        return Step(name, Outcome.WRONG, f"{there} is no directory", remedy)
    try:
        for path in (there, directory / "spool"):
            if path.exists():
                _write_something(path)
        used = _in_use(directory / "spool" / "lock")
    except OSError as err:
        return Step(name, Outcome.WRONG, f"this user cannot use {there}: {err.strerror}", remedy)
    free = shutil.disk_usage(there).free
    state = "; it is in use: the exporter runs" if used else "" if there == directory else "; it is made at the start"
    told = f"{directory}, {free // MIB} MiB are free{state}"
    if free < LITTLE_BYTES:
        return Step(name, Outcome.WRONG, told, "free some space: this does not last while the store is away")
    if free < settings.max_mib * MIB:
        more = f"it may need {settings.max_mib} MiB: free some space, or lower {label('spool.max_mib')}"
        return Step(name, Outcome.NOTE, told, more)
    return Step(name, Outcome.OK, told)


async def target_steps(settings: TargetSettings) -> AsyncIterator[Step]:
    """Set up the store as the exporter does, write a point into each bucket, and read it back; nothing is deleted."""
    dialect = DIALECTS[settings.kind]
    async with aiohttp.ClientSession() as session:
        target = target_for(settings, session)
        try:
            for complaint in await target.prepare():
                yield Step(dialect.name, Outcome.WRONG, complaint)
            for bucket in dict.fromkeys((settings.bucket, settings.rollup_bucket)):
                outcome, told = await _try_point(target, bucket)
                yield Step(dialect.name, outcome, f"{dialect.bucket} {bucket} at {base_url(settings)}: {told}")
        except (Unavailable, Refused) as err:
            yield Step(dialect.name, Outcome.WRONG, str(err))
        finally:
            await target.close()


async def redis_step(settings: Cluster) -> Step | None:
    """Ask Redis who is there; `None` if none is set."""
    if settings.redis_url is None or settings.group is None:
        return None
    try:
        from shelly_exporter.cluster.store import ClusterStore  # noqa: PLC0415  # the library is optional
    except ImportError:
        return Step("Redis", Outcome.WRONG, "the library for it is missing", "install shelly-pro[cluster]")
    try:
        store = ClusterStore(settings.redis_url, settings.group, timeout_s=REDIS_S)
    except ClusterError as err:
        return Step("Redis", Outcome.WRONG, str(err))
    try:
        members = sorted((await store.look()).members)
    except ClusterError as err:
        return Step("Redis", Outcome.WRONG, str(err))
    finally:
        await store.close()
    return Step("Redis", Outcome.OK, f"answers; running in group {settings.group}: {', '.join(members) or 'nobody'}")


async def _try_point(target: Target, bucket: str) -> tuple[Outcome, str]:
    """Write a point and read it back; return what came of it."""
    value, ts_ms = random.randrange(2**31), time.time_ns() // 1_000_000  # noqa: S311  # to be told from other checks
    body = f"{MEASUREMENT},{TAG[0]}={TAG[1]} value={value} {ts_ms}".encode()
    try:
        await target.write(bucket, body)
    except (Unavailable, Refused) as err:
        return Outcome.WRONG, f"a point could not be written: {err}"
    try:
        found = await _read_back(target, bucket, ts_ms)
    except (Denied, Missing, Refused) as err:
        return Outcome.NOTE, f"a point was written, but could not be read back: {err}"
    except Unavailable as err:
        return Outcome.WRONG, f"a point was written, but could not be read back: {err}"
    if found != value:
        shown = "nothing" if found is None else f"{found:.0f}"
        look = "look into the store's log, and at its retention"
        return Outcome.WRONG, f"the point {value} was taken, but {shown} was read back: {look}"
    return Outcome.OK, f"a point was written into {MEASUREMENT} and read back"


async def _read_back(target: Target, bucket: str, ts_ms: int) -> float | None:
    """Return the value of the point, `None` if the store does not show it in time."""
    deadline = time.monotonic() + READ_BACK_S
    while True:
        row = await target.read_back(bucket, MEASUREMENT, TAG, ts_ms)
        if row is not None:
            return float(row["value"])
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(0.2)


def _write_something(directory: Path) -> None:
    """Write a file that nobody sees, and sync it. Raises `OSError`."""
    with TemporaryFile(dir=directory) as file:
        file.write(b"shelly-exporter check")
        file.flush()
        os.fdatasync(file.fileno())


def _in_use(lock: Path) -> bool:
    """Tell whether a running exporter holds the lock. Raises `OSError` if this user may not see it."""
    try:
        fd = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
