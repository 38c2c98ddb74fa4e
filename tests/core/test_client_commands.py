"""Commands over two roads: the device's own answer is final, and whatever it takes, it is one command."""

import asyncio
from typing import Any

import pytest

from shelly_core import (
    AuthError,
    DeviceMismatchError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    Policy,
    RpcError,
    State,
    Transport,
)
from tests.core.held_client import relay
from tests.core.memory_link import MemoryLink
from tests.core.two_roads import METER, TwoRoads, two_roads
from tests.core.virtual_time import virtual_time

POLICY = Policy()
RELAYS = "shellypro3-1.4.4"


def commands(link: MemoryLink) -> list[Any]:
    """Return what a link took to the device of relays."""
    return [request for request in link.requests if request["method"].startswith("Switch.")]


def methods(link: MemoryLink) -> list[str]:
    return [request["method"] for request in commands(link)]


@virtual_time
async def test_a_command_takes_the_active_road() -> None:
    async with two_roads(RELAYS) as roads:
        await roads.client.set_switch(1, on=False)
        assert (methods(roads.mqtt), methods(roads.http)) == (["Switch.Set"], [])
        assert relay(roads.client, "switch:1").output is False
        assert roads.now < 0.1


@virtual_time
async def test_a_command_that_is_lost_on_mqtt_is_carried_out_and_confirmed_over_http() -> None:
    async with two_roads(RELAYS) as roads:
        roads.mqtt.silent = {"*"}
        await roads.client.set_switch(0, on=True)
        assert roads.now == pytest.approx(POLICY.command_s, abs=0.01)
        # It never reached the device on the first road: the device saw one command, and one question.
        assert methods(roads.mqtt) == ["Switch.Set"]
        assert [request["params"] for request in commands(roads.http)] == [{"id": 0, "on": True}, {"id": 0}]
        assert methods(roads.http) == ["Switch.Set", "Switch.GetStatus"]
        assert relay(roads.client).output is True
        assert roads.client.available


@virtual_time
async def test_the_late_answer_of_the_first_road_does_no_harm() -> None:
    async with two_roads(RELAYS) as roads:
        roads.mqtt.mute = {"Switch.Set"}
        await roads.client.set_switch(0, on=True)
        assert relay(roads.client).output is True
        await roads.client.set_switch(0, on=False)
        updates = len(roads.updates)
        late = roads.mqtt.answer({**commands(roads.mqtt)[0], "method": "Sys.GetStatus"})
        roads.mqtt.receive({**late, "result": {"was_on": False}})
        assert len(roads.updates) == updates
        assert relay(roads.client).output is False


@virtual_time
async def test_a_lost_broker_sends_a_command_that_waits_to_the_other_road_at_once() -> None:
    async with two_roads(RELAYS) as roads:
        roads.mqtt.silent = {"*"}
        switching = asyncio.create_task(roads.client.set_switch(0, on=True))
        await asyncio.sleep(0.5)
        roads.mqtt.lose_broker()
        await switching
        assert roads.now == pytest.approx(0.5)
        assert methods(roads.http) == ["Switch.Set", "Switch.GetStatus"]
        assert roads.client.health().links[Transport.MQTT].reason == "no broker"


@virtual_time
async def test_a_refusal_is_final() -> None:
    async with two_roads(RELAYS) as roads:
        roads.mqtt.errors["Switch.Set"] = {"code": -105, "message": "Argument 'id', value 7 not found!"}
        with pytest.raises(RpcError, match="value 7"):
            await roads.client.set_switch(7, on=True)
        assert (methods(roads.mqtt), methods(roads.http)) == (["Switch.Set"], [])
        assert roads.client.health().state is State.ON_MQTT


@virtual_time
async def test_both_roads_fail_and_the_error_names_both() -> None:
    async with two_roads(RELAYS) as roads:
        roads.mqtt.silent = {"*"}
        roads.http.send_error = LinkError("no connection", retry_after_s=3.0)
        with pytest.raises(LinkError) as caught:
            await roads.client.set_switch(0, on=True)
        assert str(caught.value) == "over MQTT: no answer to Switch.Set within 2 s; over HTTP: no connection"
        assert caught.value.retry_after_s == 3.0
        assert relay(roads.client).output is False
        assert roads.client._listeners == [roads.updates.append]


@virtual_time
async def test_a_password_is_what_a_person_is_told_of_first() -> None:
    async with two_roads(RELAYS) as roads:
        roads.mqtt.silent = {"*"}
        roads.http.send_error = AuthError("the device refused the password")
        with pytest.raises(AuthError):
            await roads.client.set_switch(0, on=True)
        assert roads.client.password_refused


@virtual_time
async def test_the_first_road_has_all_its_time_where_the_other_is_given_up() -> None:
    async with two_roads(RELAYS) as roads:
        roads.http.send_error = LinkError("no connection")
        await asyncio.sleep(60)
        assert not roads.client._works(Transport.HTTP)
        roads.mqtt.silent = {"*"}
        begun = roads.now
        with pytest.raises(LinkError, match=r"within 5 s; over HTTP: no connection"):
            await roads.client.call("Switch.GetStatus", {"id": 0})
        assert roads.now - begun == pytest.approx(roads.mqtt.timeout_s)


@virtual_time
async def test_on_http_commands_take_http_first_and_mqtt_if_that_fails() -> None:
    async with two_roads(RELAYS) as roads:
        roads.mqtt.lose_broker()
        await asyncio.sleep(5)
        await roads.client.set_switch(0, on=True)
        assert (methods(roads.mqtt), methods(roads.http)) == ([], ["Switch.Set", "Switch.GetStatus"])
        roads.mqtt.find_broker()
        await asyncio.sleep(0.01)
        assert roads.client.active is Transport.HTTP
        roads.http.send_error = LinkError("busy")
        await roads.client.set_switch(0, on=False)
        assert methods(roads.mqtt) == ["Switch.Set"]
        assert relay(roads.client).output is False


async def _move(roads: TwoRoads, **info: str) -> None:
    """Let another device answer at the HTTP address."""
    other = MemoryLink(METER).info
    roads.http.info = {**other, **info}
    await asyncio.sleep(POLICY.check_s + 1)


@virtual_time
async def test_another_device_at_the_address_is_refused_while_mqtt_goes_on() -> None:
    async with two_roads(RELAYS) as roads:
        await asyncio.sleep(10)
        await _move(roads)
        health = roads.client.health().links[Transport.HTTP]
        assert health.reason == f"expected device {roads.mqtt.info['id']}, found {roads.http.info['id']}"
        assert (roads.client.active, roads.client.health().rejects) == (Transport.MQTT, {})
        await roads.client.set_switch(0, on=True)
        assert relay(roads.client).output is True


@virtual_time
async def test_another_device_is_not_given_a_command() -> None:
    async with two_roads(RELAYS) as roads:
        await asyncio.sleep(10)
        await _move(roads)
        roads.mqtt.lose_broker()
        await asyncio.sleep(1)
        assert not roads.client.available
        with pytest.raises(DeviceMismatchError) as caught:
            await roads.client.set_switch(0, on=True)
        assert caught.value.found == roads.http.info["id"]
        assert methods(roads.http) == []
        # The right one is back at its address, and was asked who it is.
        roads.http.info = roads.mqtt.info
        await roads.switched_to(Transport.HTTP, 61)
        await roads.client.set_switch(0, on=True)
        assert methods(roads.http) == ["Switch.Set", "Switch.GetStatus"]


@virtual_time
async def test_the_refusal_of_another_device_is_not_taken_for_the_devices_own() -> None:
    async with two_roads(RELAYS) as roads:
        roads.http.info = MemoryLink(METER).info
        roads.http.errors["Switch.Set"] = {"code": -105, "message": "not found"}
        roads.mqtt.silent = {"*"}
        with pytest.raises(DeviceMismatchError):
            await roads.client.set_switch(0, on=True)


@virtual_time
async def test_without_any_road_a_command_fails_at_once() -> None:
    async with two_roads(RELAYS, http=None) as roads:
        await roads.client.replace_mqtt(None)
        with pytest.raises(LinkClosedError):
            await roads.client.set_switch(0, on=True)
        assert roads.now == 0.0


@virtual_time
async def test_a_relay_that_says_nothing_by_itself_is_asked_on_the_road_that_switched_it() -> None:
    async with two_roads(RELAYS) as roads:
        roads.mqtt.quiet = True
        roads.mqtt.silent = {"Switch.GetStatus"}
        with pytest.raises(LinkTimeoutError):
            await roads.client._ask_over(Transport.MQTT, "Switch.GetStatus", {"id": 0}, 0.1)
        roads.mqtt.silent.clear()
        await roads.client.set_switch(0, on=True)
        assert methods(roads.mqtt)[1:] == ["Switch.Set", "Switch.GetStatus"]
        assert methods(roads.http) == []
