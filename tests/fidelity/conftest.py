"""A fleet in this process and a real broker, ended with the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.fleet import Fleet
from tests.simulator.options import from_mapping
from tests.stack.mosquitto import DEVICES, Account, Broker, home_assistant_account

type RunFleet = Callable[..., Awaitable[Fleet]]


@pytest.fixture
async def run_fleet() -> AsyncIterator[RunFleet]:
    """Start fleets from the keys of the options file; `devices` may be names of models."""
    async with AsyncExitStack() as stack:

        async def start(*devices: str | dict[str, Any], **settings: Any) -> Fleet:
            lines = [{"model": device} if isinstance(device, str) else device for device in devices]
            return await stack.enter_async_context(Fleet(from_mapping({"devices": lines} | settings)))

        yield start


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Run a Mosquitto on which the devices' account may use every topic."""
    accounts = (home_assistant_account(), Account(user=DEVICES, rules=("readwrite #",)))
    async with Broker(tmp_path / "broker", accounts=accounts) as running:
        yield running
