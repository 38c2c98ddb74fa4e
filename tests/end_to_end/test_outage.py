"""Both roads fail while somebody gives an order."""

import time
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.stack.fleet import DeviceSpec
from tests.stack.hass_socket import HassError
from tests.stack.processes import wait_until
from tests.stack.stage import raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stack.stage import Stage

GIVEN_UP_S = 30.0
"""HTTP is tried three times."""

RECONNECT_S = 90.0
"""Home Assistant tries every 10 s, a device waits for up to a minute."""


@pytest_asyncio.fixture(loop_scope="session")
async def relays(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own: the others would note the outage in their logs."""
    async with raise_stage(tmp_path, [DeviceSpec(model="pro3", firmware="1.7.5", name="Relays")]) as stage:
        await stage.add_device(stage.fleet.devices[0])
        yield stage


async def test_an_order_that_no_road_carries_fails_and_is_not_caught_up(relays: Stage) -> None:
    """What was told to have failed must not switch the relay minutes later, when the broker is back."""
    stage, device = relays, relays.fleet.devices[0]
    entities = await stage.entities(device)
    entity = entities["switch:0"]
    await stage.client.call_service("switch.turn_off", [entity])
    since = time.time()
    await stage.fleet.set_fault(device, "http_cut")
    await stage.broker.kill()
    try:
        # The relay is not given up yet, so that the order reaches both links.
        with pytest.raises(HassError, match="did not confirm"):
            await stage.client.call_service("switch.turn_on", [entity])
        await stage.client.wait_for_state(entity, "unavailable", GIVEN_UP_S)
    finally:
        await stage.broker.start()
    await wait_until(stage.fleet.connected, RECONNECT_S, "Every device is back on the broker")

    # Once a change at the device shows again, everything that was kept for it would have been delivered.
    await stage.fleet.set_switch(device, 1, on=True)
    await stage.client.wait_for_state(entities["switch:1"], "on", RECONNECT_S)
    await stage.fleet.clear_faults(device)
    edges = await stage.fleet.edges(device, since)
    assert [edge["id"] for edge in edges if edge["kind"] == "switch"] == [1]
    await stage.fleet.set_switch(device, 1, on=False)
