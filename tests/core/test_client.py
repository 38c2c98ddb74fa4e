import asyncio
import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from shelly_core import (
    AuthError,
    Client,
    DeviceMismatchError,
    Event,
    FrameError,
    InputStatus,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    RpcError,
    ShellyError,
    SwitchStatus,
    Transport,
    Update,
)
from shelly_core import client as client_module
from shelly_core.auth import THROTTLE_S
from shelly_core.device import TOO_LATE
from tests.core.memory_link import NOW, MemoryLink
from tests.core.shapes import anything

MAC = "E868E7A1B204"
READ_ALL = ["Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus"]


class Clock:
    """A clock that stands until it is put forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def connected(link: MemoryLink, **kwargs: Any) -> Client:
    client = Client(link, source="me", **kwargs)
    await client.connect(MAC)
    return client


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until something is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is nothing to wait for but the loop itself
            await asyncio.sleep(0)


def relay(client: Client, key: str = "switch:0") -> SwitchStatus:
    status = client.device.get(key)
    assert isinstance(status, SwitchStatus)
    return status


def collect(client: Client) -> list[Update]:
    updates: list[Update] = []
    client.subscribe(updates.append)
    return updates


async def test_connecting_learns_all_about_the_device() -> None:
    link = MemoryLink()
    client = Client(link, source="me")
    with pytest.raises(LinkClosedError):
        _ = client.device
    assert not client.heard_within(1e9)
    updates = collect(client)
    device = await client.connect("e8:68:e7:a1:b2:04")
    assert device is client.device
    assert (link.opened, link.methods) == (1, READ_ALL)
    assert {request["src"] for request in link.requests} == {"me"}
    assert (device.info.mac, device.name_of("switch:0"), relay(client).output) == (MAC, "Circulation pump", False)
    assert updates == [Update(frozenset(link.status), (), Transport.MQTT, full=True)]
    assert client.transport is Transport.MQTT
    assert client.heard_within(60)
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


async def test_notifications_reach_the_listeners_until_they_unsubscribe() -> None:
    link = MemoryLink()
    client = await connected(link)
    updates: list[Update] = []
    unsubscribe = client.subscribe(updates.append)
    link.notify({"switch:0": {"output": True}, "input:1": {"state": False}})
    assert updates == [Update(frozenset({"switch:0", "input:1"}), (), Transport.MQTT, full=False)]
    assert client.device.get("input:1") == InputStatus(id=1, state=False)
    event = {"component": "sys", "event": "sys_btn_push", "ts": NOW}
    link.receive({"src": link.info["id"], "method": "NotifyEvent", "params": {"ts": NOW, "events": [event]}})
    assert updates[1] == Update(frozenset(), (Event("sys", None, "sys_btn_push", NOW, {}),), Transport.MQTT, full=False)
    link.receive({"src": link.info["id"], "method": "NotifyFullStatus", "params": {"ts": NOW + 1, **link.status}})
    assert updates[2] == Update(frozenset({"switch:0", "input:1"}), (), Transport.MQTT, full=True)
    unsubscribe()
    link.notify({"switch:0": {"output": True}}, ts=NOW + 2)
    assert len(updates) == 3
    assert relay(client).output is True


async def test_a_listener_may_unsubscribe_while_it_is_called() -> None:
    link = MemoryLink()
    client = await connected(link)
    calls: list[str] = []

    def once(_update: Update) -> None:
        calls.append("once")
        unsubscribe()

    unsubscribe = client.subscribe(once)
    client.subscribe(lambda _update: calls.append("always"))
    link.notify({"switch:0": {"output": True}})
    link.notify({"switch:0": {"output": False}})
    assert calls == ["once", "always", "always"]


async def test_what_is_rejected_is_counted_and_changes_nothing() -> None:
    link = MemoryLink()
    clock = Clock()
    client = await connected(link, clock=clock)
    updates = collect(client)
    before = copy.deepcopy(dict(client.device.status))
    heard = client.last_frame_at
    clock.now += 5
    link.receive(b"{")
    link.receive({"src": "shellypro3-000000000001", "method": "NotifyStatus", "params": {"switch:0": {"output": True}}})
    link.receive({"src": link.info["id"], "method": "NotifyEvent", "params": {"ts": NOW}})
    link.receive({"id": 5, "src": link.info["id"], "result": link.status})
    assert (updates, client.last_frame_at) == ([], heard)
    link.notify({"switch:0": {"output": 1}})
    link.notify({"switch:0": {"output": True}}, ts=1763989529.0)
    assert client.rejected == {"not JSON": 1, "another device": 1, "no events": 1, "wrong type": 1, TOO_LATE: 1}
    assert dict(client.device.status) == before
    # The device said something, even if it could not be used.
    assert updates == [Update(frozenset(), (), Transport.MQTT, full=False)] * 2
    assert client.last_frame_at == clock.now


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


async def test_silence_is_measured_by_the_clock() -> None:
    clock = Clock()
    link = MemoryLink()
    client = await connected(link, clock=clock)
    assert client.last_frame_at == 1000.0
    clock.now = 1030.0
    assert (client.heard_within(30.0), client.heard_within(29.9)) == (True, False)
    link.notify({"switch:0": {}})
    assert client.heard_within(0.0)


async def test_calls_return_what_the_device_answers() -> None:
    link = MemoryLink()
    client = await connected(link)
    assert await client.call("Switch.Set", {"id": 1, "on": True}) == {"was_on": True}
    assert await client.call("EMData.DeleteAllData") is None
    assert link.requests[-1].keys() == {"id", "src", "method"}
    ids = [request["id"] for request in link.requests]
    assert ids == list(range(ids[0], ids[0] + 5))
    first, second = await asyncio.gather(
        client.call("Switch.GetStatus", {"id": 1}), client.call("Switch.GetStatus", {"id": 2})
    )
    assert (first, second) == (link.status["switch:1"], link.status["switch:2"])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": 404, "message": "No handler for EM.GetStatus"}, RpcError),
        ({"code": -103, "message": "Missing required argument 'id'!"}, RpcError),
        ({"code": 401, "message": '{"auth_type":"digest","nonce":1}'}, AuthError),
        ({"code": 429, "message": "Too many failed authentication attempts"}, LinkError),
    ],
)
async def test_errors_of_the_device(error: dict[str, Any], expected: type[ShellyError]) -> None:
    link = MemoryLink()
    client = await connected(link)
    link.errors["EM.GetStatus"] = error
    with pytest.raises(expected) as caught:
        await client.call("EM.GetStatus", {"id": 0})
    assert type(caught.value) is expected
    if isinstance(caught.value, RpcError):
        assert (caught.value.code, caught.value.message) == (error["code"], error["message"])
        assert caught.value.method == "EM.GetStatus"
    if isinstance(caught.value, LinkError):
        assert caught.value.retry_after_s == THROTTLE_S
    assert client.heard_within(60)


async def test_no_answer_in_time() -> None:
    link = MemoryLink()
    link.silent = {"Shelly.GetStatus"}
    client = Client(link, source="me")
    link.silent.clear()
    await client.connect(MAC)
    link.silent = {"Shelly.GetStatus"}
    started = time.monotonic()
    with pytest.raises(LinkTimeoutError, match=r"Shelly\.GetStatus within 0\.05 s"):
        await client.call("Shelly.GetStatus", timeout_s=0.05)
    assert 0.04 < time.monotonic() - started < 2
    # The answer comes when nobody waits any more.
    link.status["switch:0"]["output"] = True
    link.receive(link.answer(link.requests[-1]))
    assert relay(client).output is False
    assert client._session.unknown_replies == 1
    assert client._session.next_deadline() is None


async def test_a_link_that_cannot_send() -> None:
    link = MemoryLink()
    client = await connected(link)
    link.send_error = LinkClosedError("broker gone")
    with pytest.raises(LinkClosedError, match="broker gone"):
        await client.refresh()
    assert client._session.next_deadline() is None


async def test_a_cancelled_call_leaves_nothing_behind() -> None:
    link = MemoryLink()
    client = await connected(link)
    link.silent = {"Shelly.GetStatus"}
    call = asyncio.create_task(client.refresh())
    await until(lambda: len(link.requests) == 4)
    call.cancel()
    # The answer arrives before the cancelled task has run.
    link.receive(link.answer(link.requests[-1]))
    with pytest.raises(asyncio.CancelledError):
        await call
    assert client._session.next_deadline() is None
    assert client._outcomes == {}


async def test_closing_wakes_whoever_waits() -> None:
    link = MemoryLink()
    client = await connected(link)
    link.silent = {"Shelly.GetStatus", "Shelly.GetConfig"}
    calls = [asyncio.create_task(client.call(method)) for method in sorted(link.silent)]
    await until(lambda: len(link.requests) == 5)
    link.receive(link.answer(link.requests[-1]))
    await client.close()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(outcomes[0], LinkClosedError)
    assert outcomes[1] == link.status
    assert link.closed == 1
    with pytest.raises(LinkClosedError):
        await client.refresh()
    await client.close()


async def test_refreshing_tells_the_listeners() -> None:
    link = MemoryLink()
    client = await connected(link)
    updates = collect(client)
    await client.refresh()
    link.status["switch:1"]["output"] = False
    await client.refresh()
    assert [update.changed for update in updates] == [frozenset(), {"switch:1"}]
    assert all(update.full for update in updates)


async def test_a_status_that_is_none_fails_the_refresh() -> None:
    link = MemoryLink()
    client = await connected(link)
    before = dict(client.device.status)
    link.status = []  # type: ignore[assignment]
    with pytest.raises(FrameError, match="no status"):
        await client.refresh()
    assert dict(client.device.status) == before


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
    assert updates == [Update(frozenset({"switch:0"}), (), Transport.MQTT, full=False)]
    assert len(client._listeners) == 1


async def test_switching_to_what_is_shown_already_needs_no_notification() -> None:
    link = MemoryLink()
    client = await connected(link)
    started = time.monotonic()
    await client.set_switch(0, on=False)
    assert time.monotonic() - started < 0.5
    assert link.methods[3:] == ["Switch.Set"]


async def test_switching_over_mqtt_asks_when_no_notification_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CONFIRM_S", 0.05)
    link = MemoryLink()
    link.quiet = True
    client = await connected(link)
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
    assert updates == [Update(frozenset({"switch:2"}), (), Transport.HTTP, full=False)]
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


async def test_an_answer_over_http_that_is_no_reply_fails_at_once() -> None:
    link = MemoryLink(transport=Transport.HTTP)
    client = await connected(link)
    link.answer = lambda request: {"src": "router", "id": -request["id"], "result": None}  # type: ignore[method-assign]
    started = time.monotonic()
    with pytest.raises(FrameError, match="no reply"):
        await client.refresh()
    assert time.monotonic() - started < 1


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


@settings(max_examples=300, deadline=None, database=None)
@given(data=anything)
def test_nothing_a_link_delivers_is_raised_into_it(data: bytes) -> None:
    link = MemoryLink()
    client = Client(link, source="me")

    async def run() -> None:
        await client.connect(MAC)
        device = client.device
        before = copy.deepcopy(dict(device.status))
        updates = collect(client)
        link.receive(data)
        assert client.device is device
        if not any(update.changed for update in updates):
            assert dict(device.status) == before

    asyncio.run(run())
