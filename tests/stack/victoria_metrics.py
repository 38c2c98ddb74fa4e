"""A real VictoriaMetrics (Debian's) on loopback: it speaks the v2 write API for real, but is not last-write-wins."""

import json
import shutil
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from tests.stack.processes import Process, StackError, accepts, free_port

if TYPE_CHECKING:
    from pathlib import Path


class VictoriaMetrics:
    """One VictoriaMetrics; files in `directory`. Of equal samples at one time it keeps one, as deduplication tells it.

    Port and data stay the same over `kill`, `stop` and `start`.
    """

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory
        self.port = free_port() if port is None else port
        argv = (
            _program(),
            f"-storageDataPath={directory / 'data'}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-dedup.minScrapeInterval=1ms",
            "-retentionPeriod=100y",
        )
        self.process = Process("VictoriaMetrics", argv, log=directory / "victoria-metrics.log")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start; returns when it listens."""
        await self.process.start()
        await self.process.wait_until(lambda: accepts(self.port), 20, f"VictoriaMetrics listens on port {self.port}")

    async def stop(self) -> None:
        """End orderly."""
        await self.process.stop(grace_s=10)

    async def kill(self) -> None:
        """End at once, as a crash would."""
        await self.process.kill()

    async def samples(self, selector: str) -> dict[str, list[tuple[int, float]]]:
        """Return what was written and matches `selector`, by metric name: times in milliseconds, with values."""
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{self.url}/internal/force_flush") as response:
                response.raise_for_status()
            async with session.get(f"{self.url}/api/v1/export", params={"match[]": selector}) as response:
                response.raise_for_status()
                series: list[dict[str, Any]] = [json.loads(line) for line in (await response.text()).splitlines()]
        return {one["metric"]["__name__"]: list(zip(one["timestamps"], one["values"], strict=True)) for one in series}


def _program() -> str:
    if (path := shutil.which("victoria-metrics")) is None:
        raise StackError("victoria-metrics is not installed: `apt-get install victoria-metrics` and start again")
    return path
