"""Vitals with real devices and a real spool; the other parts are what a test says."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client.parser import text_string_to_metric_families

from shelly_exporter.broker import Broker
from shelly_exporter.cluster import Cluster
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.sender import Sender
from shelly_exporter.spool import Spool
from shelly_exporter.vitals import Parts, Vitals
from tests.exporter.device_stage import Shelly, Stage, stage
from tests.exporter.stored_points import Point, points_of

MAX_BYTES = 1_000_000


class Whole:
    """Vitals with real devices and a real spool; the other parts are what a test says."""

    def __init__(self, world: Stage, directory: Path) -> None:
        self.world = world
        self.spool = Spool(directory / "spool", max_bytes=MAX_BYTES)
        self.spool.open()
        self.broker = SimpleNamespace(
            connected=True, reason=None, version="5", session_present=True, oversized=1, failed=2, stale_receipts=3
        )
        self.sender = SimpleNamespace(
            last_success_at=time.time(), failing_since=None, reason=None, in_flight=0, complaints=()
        )
        self.cluster = SimpleNamespace(alone=True, connected=False, reason=None, members=set[str](), held=set[str]())
        self.pipeline = Pipeline(self.spool, commit_s=0.01, acknowledge=lambda _receipts: None)
        self.vitals = Vitals("attic", self.spool, MAX_BYTES)
        self.vitals.watch(
            Parts(
                broker=cast("Broker", self.broker),
                pipeline=self.pipeline,
                sender=cast("Sender", self.sender),
                devices=world.devices,
                cluster=cast("Cluster", self.cluster),
            )
        )

    def hop(self, name: str) -> dict[str, Any]:
        return next(hop for hop in self.vitals.report()["hops"] if hop["name"] == name)

    def points(self, ts: float = 1790000000.0) -> dict[str, Point]:
        """The points of a moment, by what they are of."""
        return {next(iter(point.tags.values())): point for point in points_of(self.vitals.lines(ts))}

    def metrics(self) -> dict[tuple[str, ...], float]:
        """What Prometheus sees, by name and values of labels."""
        return {
            (sample.name.removeprefix("shelly_exporter_"), *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.vitals.metrics.text().decode())
            for sample in family.samples
        }


@asynccontextmanager
async def whole(directory: Path, *shellys: Shelly) -> AsyncIterator[Whole]:
    async with stage(*shellys) as world:
        for shelly in shellys:
            await world.connected(shelly)
        parts = Whole(world, directory)
        try:
            yield parts
        finally:
            parts.spool.close()
