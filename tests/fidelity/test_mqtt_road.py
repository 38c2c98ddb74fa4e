"""MQTT over a real Mosquitto: session, topics, commands, reconnection."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from tests.fidelity.conftest import RunFleet
from tests.fidelity.mqtt_listener import Listener, payload_of
from tests.simulator.mqtt import LONGEST_PAUSE_S, pause_s
from tests.simulator.relay import Relay
from tests.simulator.unit import Unit
from tests.stack.mosquitto import DEVICES, Broker
from tests.stack.processes import wait_until


def login(broker: Broker, **config: Any) -> dict[str, Any]:
    return {"server": f"{broker.host}:{broker.port}", "user": DEVICES, "password": broker.password(DEVICES)} | config


@asynccontextmanager
async def connected(
    run_fleet: RunFleet, broker: Broker, model: str = "pro3", **config: Any
) -> AsyncIterator[tuple[Unit, Listener]]:
    """Run one device; the listener was there before it."""
    async with Listener.on(broker) as listener:
        fleet = await run_fleet(model, mqtt=login(broker, **config), mqtt_reconnect=0.2)
        unit = fleet.unit(model)
        await listener.next(f"{unit.as_json()['topic_prefix']}/online")
        yield unit, listener


async def test_birth_then_full_status(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker, "pro3em") as (unit, listener):
        full = await listener.next(f"{unit.device.id}/events/rpc")
        assert listener.topics()[:2] == [f"{unit.device.id}/online", f"{unit.device.id}/events/rpc"]
        assert listener.messages[0].payload == b"true"
        assert (listener.messages[0].qos, full.qos) == (1, 1)
        frame = payload_of(full)
        assert list(frame) == ["src", "dst", "method", "params"]
        assert (frame["src"], frame["dst"]) == (unit.device.id, f"{unit.device.id}/events")
        assert frame["method"] == "NotifyFullStatus"
        assert next(iter(frame["params"])) == "ts"
        assert frame["params"]["mqtt"] == {"connected": True}
        assert {"em:0", "emdata:0", "sys"} <= frame["params"].keys()
    async with Listener.on(broker) as late:
        online = await late.next(f"{unit.device.id}/online")
        assert online.retain
        await asyncio.sleep(0)
        assert late.topics() == [f"{unit.device.id}/online"], "nothing else is retained"


async def test_broken_connection_leaves_the_will(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker) as (unit, listener):
        unit.device.faults.inject("mqtt_cut")
        await listener.next(f"{unit.device.id}/online", lambda text: text is False)
        await wait_until(lambda: not unit.device.mqtt_connected, 5, "the device knows")
        start = len(listener.messages)
        unit.device.faults.clear("mqtt_cut")
        await listener.next(f"{unit.device.id}/online", lambda text: text is True, after=start)
        full = await listener.next(f"{unit.device.id}/events/rpc", after=start)
        assert payload_of(full)["method"] == "NotifyFullStatus"


async def test_session_is_what_was_captured(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker) as (unit, _):
        log = broker.process.log.read_text()
        (line,) = [line for line in log.splitlines() if f" as {unit.device.id} " in line]
        assert f"as {unit.device.id} (p2, c1, k60, u'{DEVICES}')" in line, "3.1.1, clean session, keepalive 60"


async def test_notifications_and_status_topics(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker, status_ntf=True) as (unit, listener):
        prefix = unit.device.id
        for key in unit.device.status():
            await listener.next(f"{prefix}/status/{key}")
        start = len(listener.messages)
        unit.device.set_switch(1, True, "button")
        event = payload_of(await listener.next(f"{prefix}/events/rpc", after=start))
        assert event["params"]["switch:1"] == {"output": True, "source": "button"}
        status = payload_of(await listener.next(f"{prefix}/status/switch:1", after=start))
        assert status["output"] is True
        assert status["id"] == 1


async def test_rpc_is_answered_on_the_topic_of_src(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker) as (unit, listener):
        reply = await listener.call(f"{unit.device.id}/rpc", "Switch.Set", {"id": 2, "on": True})
        assert list(reply) == ["id", "src", "dst", "result"]
        assert reply["result"] == {"was_on": False}
        assert listener.topics()[-2:] == [f"{unit.device.id}/events/rpc", f"{reply['dst']}/rpc"], "told, then answered"
        assert unit.device.component_status("switch:2")["source"] == "MQTT"
        error = await listener.call(f"{unit.device.id}/rpc", "EM.GetStatus", {"id": 0})
        assert error["error"] == {"code": 404, "message": "No handler for EM.GetStatus"}


async def test_password_of_the_device_is_not_asked(run_fleet: RunFleet, broker: Broker) -> None:
    async with Listener.on(broker) as listener:
        fleet = await run_fleet({"model": "pro3", "password": "secret"}, mqtt=login(broker))
        unit = fleet.unit("pro3")
        await listener.next(f"{unit.device.id}/online")
        assert "result" in await listener.call(f"{unit.device.id}/rpc", "Shelly.GetStatus")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"id":1,"method":"x"}',
        *(
            json.dumps({"id": 1, "src": src, "method": "Sys.GetStatus"}).encode()
            for src in ("a/#", "a\0b", "\ud800", "x" * 70_000)
        ),
    ],
)
async def test_unanswerable_requests_are_survived(run_fleet: RunFleet, broker: Broker, payload: bytes) -> None:
    async with connected(run_fleet, broker) as (unit, listener):
        await listener.publish(f"{unit.device.id}/rpc", payload)
        assert "result" in await listener.call(f"{unit.device.id}/rpc", "Sys.GetStatus")


def _shows(relay: Relay, output: bool) -> bool:
    return relay.output is output


async def test_plain_commands(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker) as (unit, listener):
        prefix, relay = unit.device.id, unit.device.switchboard.relays[0]
        for command, output in (("on", True), ("off", False), ("toggle", True), ("toggle", False), ("on,0.2", True)):
            await listener.publish(f"{prefix}/command/switch:0", command)
            await wait_until(partial(_shows, relay, output), 5, f"{command} moves the relay")
        await wait_until(lambda: not relay.output, 5, "the timer runs out")
        await listener.publish(f"{prefix}/command/switch:0", "status_update")
        assert payload_of(await listener.next(f"{prefix}/status/switch:0"))["output"] is False
        await listener.publish(f"{prefix}/command/switch:0", "sideways")
        assert b"sideways" in payload_of(await listener.next(f"{prefix}/error/switch:0"))
        await listener.publish(f"{prefix}/command/switch:7", "on")
        assert b"not found" in payload_of(await listener.next(f"{prefix}/error/switch:7"))
        for nobody in (f"switch:{'9' * 5000}", "switch:", "switch:x", "input:0"):
            await listener.publish(f"{prefix}/command/{nobody}", "on")
        assert "result" in await listener.call(f"{prefix}/rpc", "Sys.GetStatus")


async def test_announce_and_status_update(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker) as (unit, listener):
        await listener.publish("shellies/command", "announce")
        assert payload_of(await listener.next("shellies/announce"))["id"] == unit.device.id
        assert payload_of(await listener.next(f"{unit.device.id}/announce"))["mac"] == unit.device.mac
        await listener.publish(f"{unit.device.id}/command", "status_update")
        assert "switch:2" in payload_of(await listener.next(f"{unit.device.id}/status"))


async def test_a_device_about_to_restart_refuses_in_words_and_announces_nothing(
    run_fleet: RunFleet, broker: Broker
) -> None:
    async with connected(run_fleet, broker) as (unit, listener):
        await listener.call(f"{unit.device.id}/rpc", "Shelly.Reboot", {"delay_ms": 60_000})
        await listener.publish("shellies/command", "announce")
        await listener.publish(f"{unit.device.id}/command", "status_update")
        assert (await listener.call(f"{unit.device.id}/rpc", "Sys.GetStatus"))["error"]["code"] == -109
        assert not {"shellies/announce", f"{unit.device.id}/status"} & set(listener.topics())


async def test_an_answer_does_not_wait_for_the_acknowledgement_of_the_request(
    run_fleet: RunFleet, broker: Broker
) -> None:
    """Without TCP_NODELAY each takes 40 ms or more: the time a receiver may wait before it acknowledges."""
    async with connected(run_fleet, broker) as (unit, listener):
        took = []
        for turn in range(8):
            await asyncio.sleep(0.1)  # the listener's own acknowledgements have been acknowledged
            begun = time.monotonic()
            await listener.call(f"{unit.device.id}/rpc", "Switch.Set", {"id": 0, "on": turn % 2 == 0})
            took.append(time.monotonic() - begun)
        assert min(took[2:]) < 0.03, took


async def test_switched_off_parts_stay_silent(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker, rpc_ntf=False, enable_rpc=False, enable_control=False) as (unit, listener):
        unit.device.set_switch(0, True, "button")
        await listener.publish(f"{unit.device.id}/rpc", {"id": 1, "src": "x", "method": "Sys.GetStatus"})
        await listener.publish(f"{unit.device.id}/command/switch:0", "off")
        await listener.publish("shellies/command", "announce")
        unit.device.faults.inject("mqtt_cut")
        await listener.next(f"{unit.device.id}/online", lambda text: text is False)
        asked = {f"{unit.device.id}/rpc", f"{unit.device.id}/command/switch:0", "shellies/command"}
        heard = set(listener.topics()) - asked
        assert heard == {f"{unit.device.id}/online"}
        assert unit.device.switchboard.relays[0].output


async def test_custom_prefix_and_client_id(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker, topic_prefix="haus/keller, links", client_id="em-1") as (unit, listener):
        frame = payload_of(await listener.next("haus/keller, links/events/rpc"))
        assert (frame["src"], frame["dst"]) == (unit.device.id, "haus/keller, links/events")
        assert " as em-1 " in broker.process.log.read_text()
        assert (await listener.call("haus/keller, links/rpc", "Mqtt.GetStatus"))["result"] == {"connected": True}


async def test_configuration_counts_after_a_reboot(run_fleet: RunFleet, broker: Broker) -> None:
    fleet = await run_fleet("pro3", speed=20.0)
    device = fleet.unit("pro3").device
    config = login(broker) | {"enable": True, "pass": broker.password(DEVICES)}
    assert device.handle("Mqtt.SetConfig", {"config": config}, source="HTTP_in") == {"restart_required": True}
    assert "pass" not in device.config()["mqtt"]  # type: ignore[operator]
    async with Listener.on(broker) as listener:
        assert not device.mqtt_connected
        device.handle("Shelly.Reboot", {"delay_ms": 500}, source="HTTP_in")
        await listener.next(f"{device.id}/online")
        assert device.component_status("sys")["restart_required"] is False
        device.handle("Shelly.Reboot", {"delay_ms": 500}, source="HTTP_in")
        await listener.next(f"{device.id}/online", lambda text: text is False)


async def test_broker_restart_is_survived(run_fleet: RunFleet, broker: Broker) -> None:
    async with connected(run_fleet, broker) as (unit, _):
        await broker.kill()
        await wait_until(lambda: not unit.device.mqtt_connected, 5, "the device knows")
        await broker.start()
        async with Listener.on(broker) as listener:
            await listener.next(f"{unit.device.id}/online", lambda text: text is True)


async def test_wrong_broker_password_never_connects(run_fleet: RunFleet, broker: Broker) -> None:
    fleet = await run_fleet("pro3", mqtt=login(broker, password="wrong"), mqtt_reconnect=0.05)
    unit = fleet.unit("pro3")
    await wait_until(lambda: broker.process.log.read_text().count("not authori") >= 2, 10, "it is refused twice")
    assert not unit.device.mqtt_connected


def test_pauses_between_attempts() -> None:
    pauses = [pause_s(failures, 0.0, None) for failures in range(8)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert 56 < pause_s(20, 1.0, None) < LONGEST_PAUSE_S
    assert pause_s(20, 0.5, 0.2) == 0.2
