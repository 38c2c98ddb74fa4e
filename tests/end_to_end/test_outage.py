"""The broker goes, and comes back."""

import time
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.stack.fleet import DeviceSpec
from tests.stack.processes import wait_until
from tests.stack.stage import raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stack.stage import Stage

NOTICED_S = 2.0

RECONNECT_S = 90.0
"""Home Assistant tries every 10 s, a device waits for up to a minute."""


@pytest_asyncio.fixture(loop_scope="session")
async def relays(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own: the others would note the outage in their logs."""
    async with raise_stage(tmp_path, [DeviceSpec(model="pro3", firmware="1.7.5", name="Relays")]) as stage:
        await stage.add_device(stage.fleet.devices[0])
        yield stage


async def test_a_broker_that_dies_is_noticed_at_once_and_nothing_is_caught_up_when_it_returns(relays: Stage) -> None:
    stage, device = relays, relays.fleet.devices[0]
    entity = (await stage.entities(device))["switch:0"]
    await stage.client.call_service("switch.turn_off", [entity])
    since = time.time()
    await stage.broker.kill()
    await stage.client.wait_for(
        lambda: stage.client.states[entity].state == "unavailable", NOTICED_S, "The relay is unavailable"
    )
    try:
        # Home Assistant passes over an order to an unavailable entity; that the link itself keeps none for later is
        # a test of tests/integration/test_mqtt_link.py.
        await stage.client.call_service("switch.turn_on", [entity])
    finally:
        await stage.broker.start()
    await wait_until(stage.fleet.connected, RECONNECT_S, "Every device is back on the broker")

    # Once a change at the device shows again, everything that was kept for it would have been delivered.
    await stage.fleet.set_switch(device, 1, on=True)
    other = (await stage.entities(device))["switch:1"]
    await stage.client.wait_for(lambda: stage.client.states[other].state == "on", RECONNECT_S, "Changes show again")
    edges = await stage.fleet.edges(device, since)
    assert [edge["id"] for edge in edges if edge["kind"] == "switch"] == [1]
    await stage.fleet.set_switch(device, 1, on=False)
