"""What a device costs in memory in the core alone, as `tracemalloc` counts Python's allocations."""

import gc
import tracemalloc

from shelly_core import Client
from tests.benchmarks.meter_frames import Meter
from tests.benchmarks.simulated_link import SimulatedLink

FRAMES = 5
"""Notifications that each client hears, so that it holds what it holds in daily life."""


async def bytes_per_client(count: int) -> float:
    """Return the bytes that a `Client` holds which is connected to a Pro 3EM, its status read and notified.

    All clients talk to one simulated meter, which is there before counting begins.
    """
    meter = Meter()
    frames = await meter.notifications(FRAMES)
    links = [SimulatedLink(meter.device) for _ in range(count)]
    clients: list[Client] = []
    await _connect(SimulatedLink(meter.device), meter, frames)  # what is kept once for all is kept before
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        clients += [await _connect(link, meter, frames) for link in links]
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for client in clients:
        await client.close()
    return (after - before) / count


async def _connect(link: SimulatedLink, meter: Meter, frames: list[bytes]) -> Client:
    client = Client(source="benchmark", mqtt=link)
    await client.connect(meter.device.mac)
    for frame in frames:
        link.on_frame(frame)
    return client
