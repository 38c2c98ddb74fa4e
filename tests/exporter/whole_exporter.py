"""An exporter in this process, next to a real broker with one pretended device, and a store if a test wants one."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import aiomqtt

from shelly_exporter.settings import Devices, Kind, Mqtt, Settings, SpoolSettings, Target, Web
from tests.core.memory_link import MemoryLink
from tests.stack.exporter import exporter_account
from tests.stack.mosquitto import Account, Broker
from tests.stack.processes import free_port, wait_until

EXPORTER, DEVICE = "exporter", "device"
NOBODY = "http://127.0.0.1:9"
"""A store that is not there."""


def mosquitto(directory: Path) -> Broker:
    accounts = (exporter_account(EXPORTER), Account(user=DEVICE, rules=("readwrite #",)))
    return Broker(directory / "mosquitto", accounts=accounts)


def settings_for(directory: Path, broker: Broker | None, store: str = NOBODY, **changes: Any) -> Settings:
    """Settings without HTTP; the broker may be missing, too."""
    mqtt = Mqtt(port=9)
    if broker is not None:
        mqtt = Mqtt(
            port=broker.port, username=EXPORTER, password=broker.password(EXPORTER), client_id=EXPORTER, keepalive_s=10
        )
    ours: dict[str, Any] = {
        "mqtt": mqtt,
        "devices": Devices(http=False),
        "target": Target(kind=Kind.INFLUXDB1, url=store, batch_s=0.05),
        "spool": SpoolSettings(directory=directory / "data", max_mib=8),
        "web": Web(port=free_port()),
        "time_zone": ZoneInfo("Europe/Berlin"),
        "instance": "attic",
    }
    return Settings(**ours | changes)


class Device:
    """A meter that answers on the broker, and tells what a test wants."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._link = MemoryLink("shellypro3em-1.7.5")
        self._link.now = time.time
        self.id: str = self._link.info["id"]
        self.asked: list[str] = []

    async def answer(self) -> None:
        """Answer all questions, until cancelled."""
        async for message in self._client.messages:
            request = json.loads(message.payload)
            self.asked.append(request["method"])
            answer = json.dumps(self._link.answer(request))
            await self._client.publish(f"{request['src']}/rpc", answer, qos=1)

    async def tell(self, changes: dict[str, Any], ts: float | None = None) -> None:
        """Let the broker have a notification."""
        params = {"ts": time.time() if ts is None else ts, **changes}
        frame = {"src": self.id, "dst": f"{self.id}/events", "method": "NotifyStatus", "params": params}
        await self._client.publish(f"{self.id}/events/rpc", json.dumps(frame), qos=1)


@contextlib.asynccontextmanager
async def device(broker: Broker) -> AsyncIterator[Device]:
    async with aiomqtt.Client(
        broker.host, broker.port, username=DEVICE, password=broker.password(DEVICE), timeout=10
    ) as client:
        pretended = Device(client)
        await client.subscribe(f"{pretended.id}/rpc", qos=1)
        answering = asyncio.create_task(pretended.answer())
        try:
            yield pretended
        finally:
            answering.cancel()
            await asyncio.wait((answering,))


async def health(settings: Settings) -> dict[str, Any]:
    """What /health says."""
    url = f"http://127.0.0.1:{settings.web.port}/health"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        report: dict[str, Any] = await response.json()
        return report


async def hops(settings: Settings) -> dict[str, str]:
    """The level of each hop."""
    return {hop["name"]: hop["level"] for hop in (await health(settings))["hops"]}


async def connected(settings: Settings, name: str) -> None:
    """Wait until a hop, such as `broker`, is well."""

    async def well() -> bool:
        return (await hops(settings)).get(name) == "ok"

    await wait_until(well, 10, f"{name} is well", interval_s=0.02)
