import asyncio
from typing import Any

import pytest

from shelly_core import (
    Client,
    DeviceMismatchError,
    FrameError,
    LinkClosedError,
    RpcError,
    Transport,
    Update,
)
from tests.core.held_client import MAC, READ_ALL, collect, connected, relay, until
from tests.core.memory_link import MemoryLink


async def test_connecting_learns_all_about_the_device() -> None:
    link = MemoryLink()
    client = Client(link, source="me")
    with pytest.raises(LinkClosedError):
        _ = client.device
    assert client.last_frame_at is None
    updates = collect(client)
    device = await client.connect("e8:68:e7:a1:b2:04")
    assert device is client.device
    assert (link.opened, link.methods) == (1, READ_ALL)
    assert {request["src"] for request in link.requests} == {"me"}
    assert (device.info.mac, device.name_of("switch:0"), relay(client).output) == (MAC, "Circulation pump", False)
    assert updates == [Update(frozenset(link.status), (), Transport.MQTT, full=True)]
    assert client.transport is Transport.MQTT
    assert client.last_frame_at is not None
    assert not client.rejected


async def test_connecting_without_an_expectation_takes_any_device() -> None:
    client = Client(MemoryLink(), source="me")
    assert (await client.connect()).info.mac == MAC


async def test_another_device_is_refused_and_the_link_closed() -> None:
    link = MemoryLink()
    client = Client(link, source="me")
    with pytest.raises(DeviceMismatchError) as caught:
        await client.connect("00:00:00:00:00:01")
    assert (caught.value.expected, caught.value.found) == ("000000000001", MAC)
    assert (link.methods, link.closed) == (READ_ALL[:1], 1)
    with pytest.raises(LinkClosedError):
        await client.call("Shelly.GetStatus")


@pytest.mark.parametrize("method", READ_ALL)
async def test_an_error_while_connecting_closes_the_link(method: str) -> None:
    link = MemoryLink()
    link.errors[method] = {"code": -109, "message": "shutting down in 952 ms"}
    client = Client(link, source="me")
    with pytest.raises(RpcError) as caught:
        await client.connect(MAC)
    assert (caught.value.code, caught.value.method) == (-109, method)
    assert link.closed == 1
    with pytest.raises(LinkClosedError):
        _ = client.device
    link.errors.clear()
    assert (await client.connect(MAC)).ready
    assert link.opened == 2


@pytest.mark.parametrize(("attribute", "value"), [("info", {}), ("config", []), ("status", None)])
async def test_answers_that_make_no_sense_fail_the_connection(attribute: str, value: Any) -> None:
    link = MemoryLink()
    setattr(link, attribute, value)
    if attribute == "info":
        link.answer = lambda request: {"id": request["id"], "src": "x", "result": {}}  # type: ignore[method-assign]
    client = Client(link, source="me")
    with pytest.raises(FrameError):
        await client.connect(MAC)
    assert link.closed == 1


async def test_a_link_that_does_not_open() -> None:
    link = MemoryLink()
    link.open_error = LinkClosedError("no broker")
    client = Client(link, source="me")
    with pytest.raises(LinkClosedError, match="no broker"):
        await client.connect(MAC)
    assert link.requests == []


async def test_reconnecting_keeps_the_device_and_learns_what_is_new() -> None:
    link = MemoryLink()
    client = await connected(link)
    device = client.device
    link.info |= {"name": "Cellar", "ver": "1.7.5"}
    link.config["switch:0"]["name"] = "Pump"
    link.status["switch:0"]["output"] = True
    updates = collect(client)
    assert await client.connect(MAC) is device
    assert (device.info.name, device.info.firmware, device.name_of("switch:0")) == ("Cellar", "1.7.5", "Pump")
    assert updates == [Update(frozenset({"switch:0"}), (), Transport.MQTT, full=True)]
    assert link.opened == 1


async def test_another_device_at_the_same_address_is_another_object() -> None:
    link = MemoryLink()
    client = await connected(link)
    device = client.device
    other = MemoryLink("shellypro3-2.0.1")
    link.info, link.config, link.status = other.info, other.config, other.status
    assert await client.connect() is not device
    assert client.device.info.mac == "E868E7A1C5F0"


async def test_notifications_before_the_device_is_known_are_not_used() -> None:
    link = MemoryLink()
    link.silent = {"Shelly.GetDeviceInfo"}
    client = Client(link, source="me")
    connecting = asyncio.create_task(client.connect(MAC))
    await until(lambda: bool(link.requests))
    link.notify({"switch:0": {"output": True}})
    link.receive(link.answer(link.requests[0]))
    await connecting
    assert relay(client).output is False
    assert not client.rejected


async def test_a_notification_right_behind_the_status_is_not_lost() -> None:
    """Both arrive before the task that waits for the status runs again."""
    link = MemoryLink()
    link.silent = {"Shelly.GetStatus"}
    client = Client(link, source="me")
    connecting = asyncio.create_task(client.connect(MAC))
    await until(lambda: link.methods == READ_ALL)
    link.receive(link.answer(link.requests[-1]))
    link.notify({"switch:0": {"output": True}})
    await connecting
    assert relay(client).output is True


async def test_moving_to_another_link() -> None:
    mqtt, http = MemoryLink(), MemoryLink(transport=Transport.HTTP)
    client = await connected(mqtt)
    mqtt.silent = {"Shelly.GetStatus"}
    waiting = asyncio.create_task(client.refresh())
    await until(lambda: len(mqtt.requests) == 4)
    await client.use(http)
    with pytest.raises(LinkClosedError, match="replaced"):
        await waiting
    assert client.transport is Transport.HTTP
    assert (http.opened, mqtt.closed) == (1, 1)
    http.status["switch:0"]["output"] = True
    updates = collect(client)
    await client.refresh()
    assert updates == [Update(frozenset({"switch:0"}), (), Transport.HTTP, full=True)]
    await client.close()
    assert (http.closed, mqtt.closed) == (1, 1)


async def test_a_link_chosen_before_connecting_is_the_one_opened() -> None:
    first, second = MemoryLink(), MemoryLink()
    client = Client(first, source="me")
    await client.use(second)
    assert (second.opened, first.closed) == (0, 0)
    await client.connect(MAC)
    assert (first.opened, second.opened) == (0, 1)


async def test_a_link_that_does_not_open_is_not_moved_to() -> None:
    good, bad = MemoryLink(), MemoryLink(transport=Transport.HTTP)
    bad.open_error = LinkClosedError("no")
    client = await connected(good)
    with pytest.raises(LinkClosedError):
        await client.use(bad)
    assert client.transport is Transport.MQTT
    assert good.closed == 0
    await client.refresh()


async def test_two_clients_of_one_name_number_differently() -> None:
    """A late answer to a client before the restart must not be taken for one to the client after it."""
    firsts = set()
    for _ in range(5):
        link = MemoryLink()
        await connected(link)
        firsts.add(link.requests[0]["id"])
    assert len(firsts) > 1
    assert all(0 < first < 2**31 for first in firsts)
