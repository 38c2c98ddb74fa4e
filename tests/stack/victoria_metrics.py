"""A real VictoriaMetrics (Debian's) on loopback: it speaks the v2 write API for real, but is not last-write-wins."""

import json
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.stack.processes import free_port
from tests.stack.server import Server, program

if TYPE_CHECKING:
    from pathlib import Path


class VictoriaMetrics(Server):
    """One VictoriaMetrics. Of equal samples at one time it keeps one, as deduplication tells it."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        chosen = free_port() if port is None else port
        argv = (
            program("victoria-metrics"),
            f"-storageDataPath={directory / 'data'}",
            f"-httpListenAddr=127.0.0.1:{chosen}",
            "-dedup.minScrapeInterval=1ms",
            "-retentionPeriod=100y",
        )
        super().__init__("VictoriaMetrics", directory, chosen, argv)

    async def samples(self, selector: str) -> dict[str, list[tuple[int, float]]]:
        """Return what was written and matches `selector`, by metric name: times in milliseconds, with values."""
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{self.url}/internal/force_flush") as response:
                response.raise_for_status()
            async with session.get(f"{self.url}/api/v1/export", params={"match[]": selector}) as response:
                response.raise_for_status()
                series: list[dict[str, Any]] = [json.loads(line) for line in (await response.text()).splitlines()]
        return {one["metric"]["__name__"]: list(zip(one["timestamps"], one["values"], strict=True)) for one in series}
