import asyncio
import copy
import time
from typing import Any

import pytest
from hypothesis import given, settings

from shelly_core import (
    AuthError,
    Client,
    Event,
    FrameError,
    InputStatus,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    RpcError,
    ShellyError,
    Transport,
    Update,
)
from shelly_core.auth import THROTTLE_S
from shelly_core.device import TOO_LATE
from tests.core.held_client import MAC, Clock, collect, connected, relay, until
from tests.core.memory_link import NOW, MemoryLink
from tests.core.shapes import anything


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


async def test_what_is_rejected_is_said_once_and_lateness_never(caplog: pytest.LogCaptureFixture) -> None:
    link = MemoryLink()
    await connected(link)
    for voltage in (1, 1, 2):
        link.notify({"switch:0": {"output": voltage}})
        link.notify({"switch:0": {"output": True}}, ts=1763989529.0)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["Left out switch:0, since output is wrong type: 1"]


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


async def test_silence_is_measured_by_the_clock() -> None:
    clock = Clock()
    link = MemoryLink()
    client = await connected(link, clock=clock)
    assert client.last_frame_at == 1000.0
    clock.now = 1030.0
    assert client.last_frame_at == 1000.0
    link.notify({"switch:0": {}})
    assert client.last_frame_at == 1030.0


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
    assert client.last_frame_at is not None


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


async def test_an_answer_over_http_that_is_no_reply_fails_at_once() -> None:
    link = MemoryLink(transport=Transport.HTTP)
    client = await connected(link)
    link.answer = lambda request: {"src": "router", "id": -request["id"], "result": None}  # type: ignore[method-assign]
    started = time.monotonic()
    with pytest.raises(FrameError, match="no reply"):
        await client.refresh()
    assert time.monotonic() - started < 1


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
