import time

import pytest

from shelly_core import Policy, RpcError, Transport
from tests.core.held_client import bare, collect, connected, relay, told
from tests.core.memory_link import MemoryLink


@pytest.mark.parametrize("on", [True, False])
async def test_switching_over_mqtt_waits_for_the_notification(on: bool) -> None:
    link = MemoryLink()
    link.status["switch:0"]["output"] = not on
    client = await connected(link)
    updates = collect(client)
    await client.set_switch(0, on)
    assert relay(client).output is on
    assert link.requests[-1]["params"] == {"id": 0, "on": on}
    assert link.methods[3:] == ["Switch.Set"]
    assert bare(updates) == [told("switch:0")]
    assert len(client._listeners) == 1


async def test_switching_to_what_is_shown_already_needs_no_notification() -> None:
    link = MemoryLink()
    client = await connected(link)
    started = time.monotonic()
    await client.set_switch(0, on=False)
    assert time.monotonic() - started < 0.5
    assert link.methods[3:] == ["Switch.Set"]


async def test_switching_over_mqtt_asks_when_no_notification_comes() -> None:
    link = MemoryLink()
    link.quiet = True
    client = await connected(link, policy=Policy(confirm_s=0.05))
    await client.set_switch(0, on=True)
    assert link.methods[3:] == ["Switch.Set", "Switch.GetStatus"]
    assert relay(client).output is True


async def test_switching_over_http_asks_for_the_confirmation() -> None:
    link = MemoryLink(transport=Transport.HTTP)
    client = await connected(link)
    updates = collect(client)
    await client.set_switch(2, on=True)
    assert link.methods[3:] == ["Switch.Set", "Switch.GetStatus"]
    assert relay(client, "switch:2").output is True
    assert bare(updates) == [told("switch:2", transport=Transport.HTTP)]
    # Also when it was on already: somebody else may have switched meanwhile.
    await client.set_switch(2, on=True)
    assert link.methods[5:] == ["Switch.Set", "Switch.GetStatus"]


async def test_a_relay_that_cannot_be_switched() -> None:
    link = MemoryLink()
    client = await connected(link)
    link.errors["Switch.Set"] = {"code": -105, "message": "Argument 'id', value 7 not found!"}
    with pytest.raises(RpcError):
        await client.set_switch(7, on=True)
    assert client._listeners == []
    assert relay(client).output is False
