"""A client is opened and closed, opened again, and given other links, and leaves nothing behind."""

import asyncio

import orjson
import pytest

from shelly_core import DeviceInfo, DeviceMismatchError, LinkClosedError, LinkError, Policy, Signal, State, Transport
from tests.core.held_client import READ_ALL, relay
from tests.core.memory_link import NOW, MemoryLink
from tests.core.two_roads import TwoRoads, two_roads
from tests.core.virtual_time import virtual_time

POLICY = Policy()
RELAYS = "shellypro3-1.4.4"


def twin(roads: TwoRoads) -> MemoryLink:
    """Another MQTT link to the same device."""
    link = roads.mqtt.other_road()
    link.transport = Transport.MQTT
    return link


@virtual_time
async def test_closing_ends_all_that_is_under_way() -> None:
    async with two_roads() as roads:
        await roads.report(3)
        roads.mqtt.silent = roads.http.mute = {"*"}
        roads.mqtt.signal(Signal.OFFLINE)  # a probe is under way
        calling = asyncio.create_task(roads.client.call("Shelly.GetConfig"))
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == 3
        on_frame = roads.mqtt.on_frame
        await roads.client.close()
        with pytest.raises(LinkClosedError):
            await calling
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (roads.mqtt.closed, roads.http.closed) == (1, 1)
        assert on_frame is not None
        assert roads.mqtt.on_frame is None
        changes, updates = len(roads.changes), len(roads.updates)
        asked = len(roads.mqtt.requests), len(roads.http.requests)
        await asyncio.sleep(300)
        assert (len(roads.changes), len(roads.updates)) == (changes, updates)
        assert (len(roads.mqtt.requests), len(roads.http.requests)) == asked
        await roads.client.close()
        with pytest.raises(LinkClosedError, match="not open"):
            await roads.client.call("Shelly.GetStatus")


@virtual_time
async def test_reconnecting_after_a_close() -> None:
    async with two_roads() as roads:
        device = roads.client.device
        await roads.client.close()
        roads.mqtt.status["em:0"]["a_freq"] = 49.9
        assert await roads.client.connect() is device
        assert roads.client.active is Transport.MQTT
        assert (roads.mqtt.opened, roads.http.opened) == (2, 2)
        roads.mqtt.lose_broker()
        await asyncio.sleep(POLICY.spread_s)
        assert roads.http.methods[-1] == "Shelly.GetStatus"


@virtual_time
async def test_reconnecting_while_connected_goes_on_with_what_works() -> None:
    async with two_roads() as roads:
        await roads.report(5)
        roads.mqtt.signal(Signal.OFFLINE)
        assert roads.client.health().state is State.SUSPECT
        await roads.client.connect()
        assert roads.client.health().state is State.ON_MQTT
        roads.mqtt.silent = {"*"}
        await roads.client.connect()
        assert roads.client.active is Transport.HTTP
        roads.http.silent = {"*"}
        with pytest.raises(LinkError):
            await roads.client.connect()
        assert (roads.mqtt.closed, roads.http.closed) == (1, 1)


@virtual_time
async def test_reports_during_connecting_change_nothing() -> None:
    async with two_roads(connect=False) as roads:
        roads.mqtt.silent = {"Shelly.GetStatus"}
        connecting = asyncio.create_task(roads.client.connect())
        await asyncio.sleep(1)
        stale = {"component": "input:0", "id": 0, "event": "single_push", "ts": roads.wall() - 3600}
        roads.mqtt.happen(stale)
        delta = {"id": 0, "a_freq": 49.0}
        roads.mqtt.notify({"em:0": delta})
        roads.mqtt.receive(roads.mqtt.answer(roads.mqtt.requests[-1]))
        await connecting
        assert roads.client.health().state is State.ON_MQTT
        # Worth keeping, but not the state of a device that has not told its state yet.
        assert [(update.full, bool(update.changed)) for update in roads.updates] == [(False, False)] * 2 + [
            (True, True)
        ]
        assert [update.events for update in roads.updates] == [()] * 3
        assert roads.updates[1].told == {"em:0": delta}
        assert roads.client.health().clock.steps == 0


@virtual_time
async def test_closed_while_a_link_opens() -> None:
    async with two_roads(connect=False) as roads:
        roads.mqtt.before_open_s = 1.0
        connecting = asyncio.create_task(roads.client.connect())
        await asyncio.sleep(0.5)
        await roads.client.close()
        with pytest.raises(LinkError):
            await connecting
        assert roads.mqtt.on_frame is None
        assert roads.http.on_frame is None


@virtual_time
async def test_mqtt_is_taken_into_use_later() -> None:
    async with two_roads(mqtt=None) as roads:
        await roads.client.replace_mqtt(roads.mqtt)
        assert roads.client.health().active is Transport.HTTP
        assert roads.mqtt.opened == 1
        await roads.report(int(POLICY.hold_down_s) + 1)
        assert roads.client.active is Transport.MQTT
        assert list(roads.client.health().links) == [Transport.MQTT, Transport.HTTP]
        assert roads.client.health().links[Transport.MQTT].failures == 0


@virtual_time
async def test_a_question_asked_as_soon_as_the_broker_is_found_is_not_too_early() -> None:
    """The link tells of the broker before `open` returns."""
    async with two_roads(mqtt=None) as roads:
        roads.mqtt.after_open_s = 0.5
        await roads.client.replace_mqtt(roads.mqtt)
        assert roads.mqtt.methods == ["Shelly.GetStatus"]
        assert roads.client.health().links[Transport.MQTT].failures == 0


@virtual_time
async def test_mqtt_is_not_used_any_more() -> None:
    async with two_roads() as roads:
        roads.mqtt.silent = {"*"}
        calling = asyncio.create_task(roads.client.call("Shelly.GetConfig"))
        await asyncio.sleep(0.1)
        await roads.client.replace_mqtt(None)
        assert await calling == roads.mqtt.config
        assert (roads.mqtt.closed, roads.client.active) == (1, Transport.HTTP)
        assert roads.client.health().links.keys() == {Transport.HTTP}
        assert roads.client.health().broker is None
        await asyncio.sleep(POLICY.meter_poll_s)
        assert "Shelly.GetStatus" in roads.http.methods
        await roads.client.replace_mqtt(None)
        assert roads.mqtt.closed == 1


@virtual_time
async def test_mqtt_under_another_topic() -> None:
    async with two_roads() as roads:
        await roads.report(3)
        roads.mqtt.silent = {"*"}
        roads.mqtt.signal(Signal.OFFLINE)  # a probe is under way on the old link
        other = twin(roads)
        await roads.client.replace_mqtt(other)
        assert (roads.mqtt.closed, other.opened) == (1, 1)
        await asyncio.sleep(POLICY.mqtt_answer_s)
        assert roads.client.health().links[Transport.MQTT].failures_in_a_row == 0
        await asyncio.sleep(POLICY.hold_down_s)
        assert roads.client.active is Transport.MQTT
        await roads.client.close()
        assert (roads.mqtt.closed, other.closed) == (1, 1)


@virtual_time
async def test_a_link_replaced_before_connecting_is_not_opened() -> None:
    async with two_roads(connect=False) as roads:
        other = twin(roads)
        await roads.client.replace_mqtt(other)
        assert (roads.mqtt.opened, other.opened) == (0, 0)
        await roads.client.connect()
        assert (other.methods, roads.client.active) == (READ_ALL, Transport.MQTT)
        assert roads.mqtt.opened == 0


@virtual_time
async def test_of_two_replacements_at_once_the_last_counts_and_the_other_is_closed() -> None:
    async with two_roads() as roads:
        first, second = twin(roads), twin(roads)
        first.before_open_s = 1.0
        replacing = asyncio.create_task(roads.client.replace_mqtt(first))
        await asyncio.sleep(0.5)
        await roads.client.replace_mqtt(second)
        await replacing
        assert first.on_frame is None
        assert second.on_frame is not None
        await roads.report(7)
        assert roads.client.active is Transport.MQTT


@virtual_time
async def test_another_device_than_expected() -> None:
    async with two_roads(connect=False) as roads:
        with pytest.raises(DeviceMismatchError):
            await roads.client.connect("000000000001")
        assert (roads.mqtt.closed, roads.http.closed) == (1, 1)


@virtual_time
async def test_a_listener_that_fails_does_not_stop_the_polling() -> None:
    async with two_roads(RELAYS, mqtt=None) as roads:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context["exception"]))

        def fail(_update: object) -> None:
            raise ValueError("a fault of the listener")

        unsubscribe = roads.client.subscribe(fail)
        await asyncio.sleep(POLICY.relay_poll_s * 3)
        assert len(faults) >= 2
        unsubscribe()
        roads.http.status["switch:0"]["output"] = True
        await asyncio.sleep(POLICY.relay_poll_s)
        assert relay(roads.client).output is True


@virtual_time
async def test_what_a_device_met_before_tells_is_taken_while_nothing_is_connected() -> None:
    async with two_roads(connect=False) as roads:
        params = {"ts": NOW, "em:0": {"id": 0, "a_freq": 49.0}}
        frame = orjson.dumps({"src": roads.mqtt.info["id"], "method": "NotifyStatus", "params": params})
        roads.client.receive(Transport.MQTT, frame)
        assert roads.updates == []
    info = DeviceInfo.parse(roads.mqtt.info)
    async with two_roads(connect=False, info=info) as roads:
        roads.client.receive(Transport.MQTT, frame)
        assert [update.told for update in roads.updates] == [{"em:0": {"id": 0, "a_freq": 49.0}}]
        roads.client.receive(Transport.MQTT, b"{")
        assert roads.client.health().rejects == {"not JSON": 1}
        assert roads.mqtt.requests == []
