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
from shelly_core.device import OUTDATED
from tests.core.held_client import MAC, Clock, bare, client_of, collect, connected, relay, told, until
from tests.core.memory_link import NOW, MemoryLink
from tests.core.shapes import anything


def heard_ago_s(client: Client) -> float | None:
    return client.health().links[Transport.MQTT].heard_ago_s


async def test_notifications_reach_the_listeners_until_they_unsubscribe() -> None:
    link = MemoryLink()
    client = await connected(link)
    updates: list[Update] = []
    unsubscribe = client.subscribe(updates.append)
    link.notify({"switch:0": {"output": True}, "input:1": {"state": False}})
    assert bare(updates) == [told("switch:0", "input:1")]
    assert client.device.get("input:1") == InputStatus(id=1, state=False)
    link.happen({"component": "sys", "event": "sys_btn_push", "ts": NOW})
    assert bare(updates)[1] == told(events=(Event("sys", None, "sys_btn_push", NOW, {}),))
    link.receive({"src": link.info["id"], "method": "NotifyFullStatus", "params": {"ts": NOW + 1, **link.status}})
    assert bare(updates)[2] == told("switch:0", "input:1", full=True, ts=NOW + 1)
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
        link.notify({"switch:0": {"output": True}}, ts=NOW - 1)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["Left out switch:0, since output is wrong type: 1"]


async def test_what_is_rejected_is_counted_and_changes_nothing() -> None:
    link = MemoryLink()
    clock = Clock()
    client = await connected(link, clock=clock)
    updates = collect(client)
    before = copy.deepcopy(dict(client.device.status))
    clock.now += 5
    link.receive(b"{")
    link.receive({"src": "shellypro3-000000000001", "method": "NotifyStatus", "params": {"switch:0": {"output": True}}})
    link.receive({"src": link.info["id"], "method": "NotifyEvent", "params": {"ts": NOW}})
    link.receive({"id": 5, "src": link.info["id"], "result": link.status})
    assert (updates, heard_ago_s(client)) == ([], 5.0)
    link.notify({"switch:0": {"output": 1}})
    link.notify({"switch:0": {"output": True}}, ts=NOW - 1)
    health = client.health()
    assert health.rejects == {"not JSON": 1, "another device": 1, "no events": 1, "wrong type": 1}
    assert health.drops == {OUTDATED: 1}
    assert dict(client.device.status) == before
    # The device said something, even if it could not be used.
    assert bare(updates) == [told(), told(ts=NOW - 1)]
    assert heard_ago_s(client) == 0.0


async def test_silence_is_measured_by_the_clock() -> None:
    clock = Clock()
    link = MemoryLink()
    client = await connected(link, clock=clock)
    assert heard_ago_s(client) == 0.0
    clock.now = 1030.0
    assert heard_ago_s(client) == 30.0
    link.notify({"switch:0": {}})
    assert heard_ago_s(client) == 0.0


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
    assert client.available


async def test_no_answer_in_time() -> None:
    link = MemoryLink()
    link.timeout_s = 0.05
    client = await connected(link)
    link.silent = {"Shelly.GetStatus"}
    started = time.monotonic()
    with pytest.raises(LinkTimeoutError, match=r"Shelly\.GetStatus within 0\.05 s"):
        await client.call("Shelly.GetStatus")
    assert 0.04 < time.monotonic() - started < 2
    # The answer comes when nobody waits any more.
    link.status["switch:0"]["output"] = True
    link.receive(link.answer(link.requests[3]))
    assert relay(client).output is False
    assert client._rpc.unknown_replies == 1
    await client.close()
    assert client._rpc._waiting == {}


async def test_a_link_that_cannot_send() -> None:
    link = MemoryLink()
    client = await connected(link)
    link.send_error = LinkClosedError("broker gone")
    with pytest.raises(LinkClosedError, match="broker gone"):
        await client.call("Shelly.GetStatus")
    assert client._rpc._waiting == {}


async def test_a_cancelled_call_leaves_nothing_behind() -> None:
    link = MemoryLink()
    client = await connected(link)
    link.silent = {"Shelly.GetStatus"}
    call = asyncio.create_task(client.call("Shelly.GetStatus"))
    await until(lambda: len(link.requests) == 4)
    call.cancel()
    # The answer arrives before the cancelled task has run.
    link.receive(link.answer(link.requests[-1]))
    with pytest.raises(asyncio.CancelledError):
        await call
    assert client._rpc._waiting == {}
    assert client._rpc._session._pending == {}


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
        await client.call("Shelly.GetStatus")
    await client.close()


async def test_asking_for_the_status_tells_the_listeners() -> None:
    link = MemoryLink()
    client = await connected(link)
    updates = collect(client)
    await client.call("Shelly.GetStatus")
    link.status["switch:1"]["output"] = False
    await client.call("Shelly.GetStatus")
    assert bare(updates) == [told(full=True), told("switch:1", full=True)]


async def test_a_status_that_is_none_fails_the_question() -> None:
    link = MemoryLink()
    client = await connected(link)
    before = dict(client.device.status)
    link.status = []  # type: ignore[assignment]
    with pytest.raises(FrameError, match="no status"):
        await client.call("Shelly.GetStatus")
    assert dict(client.device.status) == before


async def test_an_answer_over_http_that_is_no_reply_fails_at_once() -> None:
    link = MemoryLink(transport=Transport.HTTP)
    client = await connected(link)
    link.answer = lambda request: {"src": "router", "id": -request["id"], "result": None}  # type: ignore[method-assign]
    started = time.monotonic()
    with pytest.raises(FrameError, match="no reply"):
        await client.call("Shelly.GetStatus")
    assert time.monotonic() - started < 1


@settings(max_examples=300, deadline=None, database=None)
@given(data=anything)
def test_nothing_a_link_delivers_is_raised_into_it(data: bytes) -> None:
    link = MemoryLink()
    client = client_of(link)

    async def run() -> None:
        await client.connect(MAC)
        device = client.device
        before = copy.deepcopy(dict(device.status))
        updates = collect(client)
        link.receive(data)
        assert client.device is device
        if not any(update.changed for update in updates):
            assert dict(device.status) == before
        await client.close()

    asyncio.run(run())
