"""One device over two roads: which is used, and that nothing is lost or counted twice on the way."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from shelly_core import (
    AuthError,
    BreakerState,
    EmStatus,
    Level,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    Phase,
    Policy,
    Signal,
    State,
    Transport,
)
from shelly_core.device import OVERTAKEN, REPEATED
from tests.core.held_client import READ_ALL, relay
from tests.core.two_roads import TwoRoads, two_roads
from tests.core.virtual_time import virtual_time

POLICY = Policy()
RELAYS = "shellypro3-1.4.4"


def freq_hz(roads: TwoRoads) -> float | None:
    status = roads.client.device.get("em:0")
    assert isinstance(status, EmStatus)
    return status.phases[Phase.A].freq_hz


@virtual_time
async def test_mqtt_comes_first_and_http_is_only_checked() -> None:
    async with two_roads() as roads:
        assert (roads.client.active, roads.mqtt.methods, roads.http.methods) == (Transport.MQTT, READ_ALL, [])
        await roads.report(130)
        assert roads.client.active is Transport.MQTT
        assert set(roads.http.methods) == {"Sys.GetStatus"}
        assert len(roads.http.methods) <= 130 / (0.9 * POLICY.check_s) + 1
        assert roads.client.health().level is Level.OK
        assert roads.client.health().links[Transport.HTTP].delivers is True


@virtual_time
async def test_http_is_used_where_mqtt_does_not_answer() -> None:
    async with two_roads(connect=False) as roads:
        roads.mqtt.silent = {"*"}
        await roads.client.connect()
        assert roads.now == pytest.approx(roads.mqtt.timeout_s)
        assert (roads.client.active, roads.http.methods) == (Transport.HTTP, READ_ALL)
        await asyncio.sleep(0.01)
        await roads.report(30, lost=True)
        assert freq_hz(roads) == pytest.approx(50.030, abs=POLICY.meter_poll_s / 1000)


@virtual_time
async def test_connecting_does_not_wait_for_a_broker_that_is_away() -> None:
    async with two_roads(connect=False) as roads:
        roads.mqtt.away = True
        await roads.client.connect()
        assert roads.now == 0.0
        assert (roads.client.active, roads.mqtt.methods) == (Transport.HTTP, [])
        assert roads.client.health().links[Transport.MQTT].reason == "no broker"
        # It comes, and MQTT is taken into use.
        roads.mqtt.find_broker()
        await roads.report(int(POLICY.hold_down_s) + 1)
        assert roads.client.active is Transport.MQTT


@virtual_time
async def test_connecting_over_neither_road_names_both() -> None:
    async with two_roads(connect=False) as roads:
        roads.mqtt.away = True
        roads.http.send_error = LinkError("no connection", retry_after_s=7.0)
        with pytest.raises(LinkError, match="over MQTT: no broker; over HTTP: no connection") as caught:
            await roads.client.connect()
        assert caught.value.retry_after_s == 7.0
        assert (roads.mqtt.closed, roads.http.closed) == (1, 1)
        roads.http.send_error = AuthError("the device refused the password")
        with pytest.raises(AuthError):
            await roads.client.connect()


@virtual_time
async def test_a_link_that_does_not_open_leaves_the_other() -> None:
    async with two_roads(connect=False) as roads:
        roads.mqtt.open_error = LinkClosedError("no MQTT here")
        await roads.client.connect()
        assert roads.client.active is Transport.HTTP
        assert roads.client.health().links[Transport.MQTT].reason == "no MQTT here"
        roads.http.send_error = LinkError("busy")
        with pytest.raises(LinkError, match="over HTTP: busy; over MQTT: no MQTT here"):
            await roads.client.call("Shelly.GetStatus")


@virtual_time
async def test_without_a_broker_http_is_asked_within_the_spread_and_back_after_the_hold_down() -> None:
    async with two_roads() as roads:
        await roads.report(10)
        before = len(roads.http.requests)
        lost_at = roads.now
        roads.mqtt.lose_broker()
        assert roads.client.active is Transport.HTTP
        roads.mqtt.status["em:0"]["a_freq"] = 49.5
        await asyncio.sleep(POLICY.spread_s)
        assert roads.asked(roads.http, before) == ["Shelly.GetStatus"]
        assert freq_hz(roads) == 49.5
        await roads.report(20, lost=True)
        polls = len(roads.http.requests) - before
        assert 20 / POLICY.meter_poll_s <= polls <= 21 / (0.9 * POLICY.meter_poll_s) + 1
        assert roads.client.health().level is Level.DEGRADED
        found_at = roads.now
        roads.mqtt.find_broker()
        await roads.report(4)
        assert roads.client.health().active is Transport.HTTP
        await roads.report(2)
        assert roads.client.health().active is Transport.MQTT
        assert roads.changes == [
            (lost_at, Transport.HTTP),
            (found_at, Transport.HTTP),  # the broker is there
            (found_at, Transport.HTTP),  # the device answers
            (pytest.approx(found_at + POLICY.hold_down_s, abs=0.1), Transport.MQTT),
        ]
        assert roads.client.health().switchovers == 2


@virtual_time
async def test_a_silent_meter_is_probed_and_then_left_for_http() -> None:
    async with two_roads() as roads:
        await roads.report(10)
        roads.mqtt.silent = {"*"}
        silent_s = await roads.switched_to(Transport.HTTP, POLICY.meter_silence_s + POLICY.mqtt_answer_s + 1)
        assert silent_s == pytest.approx(POLICY.meter_silence_s + POLICY.mqtt_answer_s - 1, abs=0.1)
        assert roads.client.available


@virtual_time
async def test_both_roads_gone_and_one_back() -> None:
    async with two_roads() as roads:
        roads.http.send_error = LinkError("no connection")
        roads.mqtt.lose_broker()
        await roads.switched_to(None, 30)
        health = roads.client.health()
        assert (roads.client.available, health.level, health.state) == (False, Level.DOWN, State.DOWN)
        assert health.reason is not None
        assert "no broker" in health.reason
        assert "no connection" in health.reason
        roads.http.send_error = None
        await roads.switched_to(Transport.HTTP, 61)
        assert roads.client.available
        assert roads.client.health().links[Transport.HTTP].breaker is BreakerState.CLOSED


@virtual_time
async def test_frames_on_both_roads_are_counted_once() -> None:
    async with two_roads() as roads:
        await roads.report(3)
        readings = roads.client.health().readings
        roads.mqtt.lose_broker()
        await asyncio.sleep(POLICY.spread_s)
        polled = roads.client.health().readings
        roads.mqtt.status["em:0"]["a_freq"] = 49.7
        delta = {"em:0": {"id": 0, "a_freq": 49.7}}
        told_at = roads.wall()
        await asyncio.sleep(POLICY.meter_poll_s)
        changed = [update for update in roads.updates if "em:0" in update.changed]
        assert roads.client.health().readings > polled >= readings
        # The same over MQTT, late, and then twice.
        before = roads.client.health().readings
        roads.mqtt.away = False
        roads.mqtt.notify(delta, ts=told_at)
        for _ in range(2):
            roads.mqtt.notify({"em:0": {"id": 0, "a_freq": 49.8}})
        assert roads.client.health().readings == before + 1
        assert [update for update in roads.updates if "em:0" in update.changed][len(changed) :] == [roads.updates[-2]]
        assert roads.client.health().drops[REPEATED] == 1
        assert sum(roads.client.health().drops.values()) == 2


@virtual_time
async def test_a_slow_status_over_http_does_not_undo_what_mqtt_told_meanwhile() -> None:
    async with two_roads(RELAYS) as roads:
        roads.http.silent = {"Shelly.GetStatus"}
        sent: list[dict[str, Any]] = []
        send = roads.http.send

        async def slow(frame: bytes) -> None:
            await send(frame)
            sent.append(roads.http.answer(roads.http.requests[-1]))
            stale = {**sent[-1], "result": {**roads.http.status, "switch:0": {**roads.http.status["switch:0"]}}}
            await asyncio.sleep(1)
            roads.http.receive(stale)

        roads.http.send = slow  # type: ignore[method-assign]
        asking = asyncio.create_task(roads.client._ask_over(Transport.HTTP, "Shelly.GetStatus"))
        await asyncio.sleep(0.5)
        roads.mqtt.status["switch:0"]["output"] = True
        roads.mqtt.notify({"switch:0": {"output": True}})
        await asking
        assert relay(roads.client).output is True
        assert roads.updates[-1].transport is Transport.HTTP


@virtual_time
async def test_after_an_overtaken_frame_the_status_is_asked_but_not_too_often() -> None:
    async with two_roads() as roads:
        await roads.report(20)
        asked = len(roads.mqtt.requests)
        for _ in range(20):
            roads.mqtt.notify({"em:0": {"id": 0, "a_freq": 50.5}}, ts=roads.wall() - 30)
            await roads.report(1)
        assert roads.client.health().drops[OVERTAKEN] == 20
        assert roads.asked(roads.mqtt, asked) == ["Shelly.GetStatus"] * 5  # at once, then every 5 s
        await roads.report(6)
        asked = len(roads.mqtt.requests)
        await roads.report(6)
        assert roads.asked(roads.mqtt, asked) == []


@virtual_time
async def test_a_step_of_the_clock_makes_the_client_ask_what_it_shows() -> None:
    async with two_roads() as roads:
        await roads.report(10)
        asked = len(roads.mqtt.requests)
        changes = len(roads.changes)
        roads.mqtt.now = lambda: roads.wall() - 3600
        await roads.report(2)
        roads.mqtt.notify({"em:0": {"id": 0, "a_freq": 49.9}})
        assert roads.asked(roads.mqtt, asked) == ["Shelly.GetStatus"]
        assert freq_hz(roads) == 49.9
        assert roads.updates[-1].ts == pytest.approx(roads.wall(), abs=1.0)
        assert roads.client.health().clock.wrong
        assert len(roads.changes) == changes + 1


@virtual_time
async def test_a_watcher_is_called_only_when_something_changed() -> None:
    async with two_roads() as roads:
        await roads.report(200)
        assert roads.changes == []
        calls: list[str] = []
        unwatch = roads.client.watch(lambda: calls.append("too"))
        roads.mqtt.lose_broker()
        roads.mqtt.signal(Signal.DISCONNECTED, "no broker")
        await asyncio.sleep(30)
        assert (len(roads.changes), calls) == (1, ["too"])
        unwatch()
        roads.mqtt.find_broker()
        assert (len(roads.changes), calls) == (2, ["too"])


@virtual_time
async def test_a_device_that_leaves_the_broker_is_probed_at_once() -> None:
    async with two_roads() as roads:
        await roads.report(5)
        roads.mqtt.silent = {"*"}
        roads.mqtt.signal(Signal.OFFLINE)
        assert await roads.switched_to(Transport.HTTP, 5) == pytest.approx(POLICY.mqtt_answer_s, abs=0.1)
        # A flag that sticks proves nothing, while the device answers.
        roads.mqtt.silent.clear()
        await roads.report(10)
        assert roads.client.active is Transport.MQTT
        roads.mqtt.signal(Signal.OFFLINE)
        await roads.report(10)
        assert roads.client.active is Transport.MQTT


@virtual_time
async def test_a_device_that_leaves_while_it_is_asked_is_probed_again() -> None:
    """The answer was under way and comes after the news; the question that followed the news counted as asked."""
    async with two_roads() as roads:
        await roads.report(5)
        roads.mqtt.signal(Signal.OFFLINE)
        await asyncio.sleep(0)
        asked = len(roads.mqtt.requests)
        roads.mqtt.silent = {"*"}
        roads.mqtt.signal(Signal.OFFLINE)
        assert await roads.switched_to(Transport.HTTP, 5) == pytest.approx(POLICY.mqtt_answer_s, abs=0.1)
        assert roads.asked(roads.mqtt, asked) == ["Shelly.GetStatus"]


@virtual_time
async def test_retained_frames_are_counted() -> None:
    async with two_roads() as roads:
        roads.mqtt.signal(Signal.RETAINED)
        assert roads.client.health().drops == {"retained": 1}
        assert roads.changes == []


@virtual_time
async def test_a_refused_password_leaves_mqtt_as_it_is_and_is_not_tried_again_at_once() -> None:
    async with two_roads() as roads:
        roads.http.send_error = AuthError("the device refused the password")
        tries: list[float] = []
        send = roads.http.send

        async def counted(frame: bytes) -> None:
            tries.append(roads.now)
            await send(frame)

        roads.http.send = counted  # type: ignore[method-assign]
        await roads.report(200)
        assert roads.client.password_refused
        assert (roads.client.active, roads.client.available) == (Transport.MQTT, True)
        assert freq_hz(roads) == pytest.approx(50.2)
        assert roads.client.health().links[Transport.HTTP].reason == "the device refused the password"
        assert 2 <= len(tries) <= 4
        assert all(later - earlier >= POLICY.password_s for earlier, later in pairwise(tries))
        changes = len(roads.changes)
        roads.http.send_error = None
        await roads.report(int(POLICY.password_s) + 5)
        assert not roads.client.password_refused
        assert len(roads.changes) == changes + 1


@virtual_time
async def test_a_meter_on_http_alone_is_polled() -> None:
    async with two_roads(mqtt=None) as roads:
        await roads.report(60, lost=True)
        assert freq_hz(roads) == pytest.approx(50.06, abs=POLICY.meter_poll_s / 1000)
        assert roads.client.health().broker is None
        assert roads.client.health().links.keys() == {Transport.HTTP}


@virtual_time
async def test_a_meter_on_mqtt_alone_comes_and_goes() -> None:
    async with two_roads(http=None) as roads:
        await roads.report(5)
        roads.mqtt.lose_broker()
        assert not roads.client.available
        roads.mqtt.find_broker()
        await asyncio.sleep(0.01)
        assert roads.client.available
        roads.mqtt.silent = {"*"}
        with pytest.raises(LinkTimeoutError):
            await roads.client.call("Shelly.GetStatus")


@virtual_time
async def test_no_road_at_all() -> None:
    async with two_roads(mqtt=None, http=None, connect=False) as roads:
        with pytest.raises(LinkError, match="there is no link"):
            await roads.client.connect()


@virtual_time
async def test_commands_do_not_put_off_the_poll() -> None:
    async with two_roads() as roads:
        roads.mqtt.lose_broker()
        await asyncio.sleep(2)
        before = len(roads.http.requests)
        for _ in range(20):
            await roads.client.call("Shelly.GetConfig")
            await asyncio.sleep(3)
        assert roads.http.methods[before:].count("Shelly.GetStatus") >= 10
