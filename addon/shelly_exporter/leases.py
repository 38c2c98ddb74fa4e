"""What follows when a device comes to this exporter, or goes to another of the group."""

import asyncio
import time

from .cluster import Cluster
from .devices import Devices, registry
from .pipeline import Pipeline
from .rollups import Rollups
from .spool import Stream


class Leases:
    """Hands a device over together with its open hour and day. Alone, every device is here for good."""

    cluster: Cluster

    def __init__(self, devices: Devices, rollups: Rollups, pipeline: Pipeline) -> None:
        self._devices = devices
        self._rollups = rollups
        self._pipeline = pipeline
        self._coming: set[asyncio.Task[None]] = set()

    def holds(self, device_id: str) -> bool:
        """Tell whether a device that is just met is asked from here; in a group that is decided a moment later."""
        return self.cluster.alone and self.cluster.holds(device_id)

    def follow(self, device_id: str, held: bool) -> None:
        """Take that a device comes, or goes."""
        if held:
            coming = asyncio.create_task(self._take_over(device_id), name=f"take over {device_id}")
            self._coming.add(coming)
            coming.add_done_callback(self._coming.discard)
        else:
            self._devices.follow_lease(device_id, held=False)

    async def hand_over(self, device_id: str) -> None:
        """Leave the rollups of a device to its next holder."""
        self._put()
        await self.cluster.save_rollups(device_id, self._rollups.state(device_id))
        self._rollups.forget(device_id)
        self._put()

    async def share(self) -> None:
        """Tell the group of the devices met here, and meet those that others met."""
        if self.cluster.alone:
            return
        for device_id, known in self._devices.known.items():
            await self.cluster.remember(device_id, {**known.as_json(), "heard_ts": 0.0})
        now = time.time()
        told = {name: {**facts, "heard_ts": now} for name, facts in (await self.cluster.recall()).items()}
        self._devices.remember(registry.restore(told, now).values())
        for device_id, worker in self._devices.workers.items():
            if worker.held is not self.cluster.holds(device_id):
                self.follow(device_id, not worker.held)
            elif worker.held:
                await self.cluster.save_rollups(device_id, self._rollups.state(device_id))

    async def _take_over(self, device_id: str) -> None:
        state = await self.cluster.load_rollups(device_id)
        if self.cluster.holds(device_id):
            if state is not None:
                self._rollups.adopt(state)
            self._devices.follow_lease(device_id, held=True)

    def _put(self) -> None:
        lines = self._rollups.lines()
        if lines:
            self._pipeline.put(Stream.COUNTERS, b"\n".join(lines))
