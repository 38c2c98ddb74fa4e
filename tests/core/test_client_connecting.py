import asyncio
from typing import Any

import pytest

from shelly_core import (
    DeviceMismatchError,
    FrameError,
    LinkClosedError,
    RpcError,
    Transport,
)
from tests.core.held_client import MAC, READ_ALL, bare, client_of, collect, connected, relay, told, until
from tests.core.memory_link import MemoryLink


async def test_connecting_learns_all_about_the_device() -> None:
    link = MemoryLink()
    client = client_of(link)
    with pytest.raises(LinkClosedError):
        _ = client.device
    assert (client.available, client.active) == (False, None)
    updates = collect(client)
    device = await client.connect("e8:68:e7:a1:b2:04")
    assert device is client.device
    assert (link.opened, link.methods) == (1, READ_ALL)
    assert {request["src"] for request in link.requests} == {"me"}
    assert (device.info.mac, device.name_of("switch:0"), relay(client).output) == (MAC, "Circulation pump", False)
    assert bare(updates) == [told(*link.status, full=True)]
    assert (client.available, client.active) == (True, Transport.MQTT)
    assert client.health().rejects == client.health().drops == {}


async def test_connecting_without_an_expectation_takes_any_device() -> None:
    client = client_of(MemoryLink())
    assert (await client.connect()).info.mac == MAC


async def test_another_device_is_refused_and_the_link_closed() -> None:
    link = MemoryLink()
    client = client_of(link)
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
    client = client_of(link)
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
    client = client_of(link)
    with pytest.raises(FrameError):
        await client.connect(MAC)
    assert link.closed == 1


async def test_a_link_that_does_not_open() -> None:
    link = MemoryLink()
    link.open_error = LinkClosedError("no broker")
    client = client_of(link)
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
    assert bare(updates) == [told("switch:0", full=True)]
    assert link.opened == 1


async def test_another_device_at_the_same_address_is_another_object() -> None:
    link = MemoryLink()
    client = await connected(link)
    device = client.device
    other = MemoryLink("shellypro3-2.0.1")
    link.info, link.config, link.status = other.info, other.config, other.status
    assert await client.connect() is not device
    assert client.device.info.mac == "E868E7A1C5F0"
    assert client.device.status.keys() == other.status.keys()


async def test_notifications_before_the_device_is_known_are_not_used() -> None:
    link = MemoryLink()
    link.silent = {"Shelly.GetDeviceInfo"}
    client = client_of(link)
    connecting = asyncio.create_task(client.connect(MAC))
    await until(lambda: bool(link.requests))
    link.notify({"switch:0": {"output": True}})
    link.receive(link.answer(link.requests[0]))
    await connecting
    assert relay(client).output is False
    assert client.health().rejects == {}


async def test_a_notification_right_behind_the_status_is_not_lost() -> None:
    """Both arrive before the task that waits for the status runs again."""
    link = MemoryLink()
    link.silent = {"Shelly.GetStatus"}
    client = client_of(link)
    connecting = asyncio.create_task(client.connect(MAC))
    await until(lambda: link.methods == READ_ALL)
    link.receive(link.answer(link.requests[-1]))
    link.notify({"switch:0": {"output": True}})
    await connecting
    assert relay(client).output is True


async def test_two_clients_of_one_name_number_differently() -> None:
    """A late answer to a client before the restart must not be taken for one to the client after it."""
    firsts = set()
    for _ in range(5):
        link = MemoryLink()
        await connected(link)
        firsts.add(link.requests[0]["id"])
    assert len(firsts) > 1
    assert all(0 < first < 2**31 for first in firsts)
