"""Every fault does what README.md says, and takes it back."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.fidelity.conftest import RunFleet
from tests.fidelity.mqtt_listener import Listener, payload_of
from tests.fidelity.raw_http import get, post
from tests.simulator.faults import KINDS, FaultError
from tests.simulator.fleet import Fleet
from tests.simulator.mqtt_commands import obey
from tests.simulator.unit import Unit
from tests.stack.mosquitto import DEVICES, Broker
from tests.stack.processes import wait_until


@pytest.fixture
async def on_mqtt(run_fleet: RunFleet, broker: Broker) -> AsyncIterator[tuple[Unit, Listener]]:
    """A connected Pro 3EM that reports five times a second, heard from its birth on."""
    async with Listener.on(broker) as listener:
        mqtt = {"server": f"127.0.0.1:{broker.port}", "user": DEVICES, "password": broker.password(DEVICES)}
        fleet: Fleet = await run_fleet("pro3em", mqtt=mqtt, mqtt_reconnect=0.1, cadence=0.2)
        unit = fleet.unit("pro3em")
        await listener.next(f"{unit.device.id}/events/rpc", lambda frame: frame["method"] == "NotifyStatus")
        yield unit, listener


async def test_wrong_faults_are_explained(run_fleet: RunFleet) -> None:
    faults = (await run_fleet("pro3")).unit("pro3").device.faults
    with pytest.raises(FaultError, match=r"no fault 'mqtt': use one of .*mqtt_cut"):
        faults.inject("mqtt")
    with pytest.raises(FaultError, match="delay_s"):
        faults.inject("slow")
    with pytest.raises(FaultError, match="extra"):
        faults.inject("mqtt_cut", delay=3)
    assert faults.active() == []


async def test_a_timed_fault_ends_by_itself(run_fleet: RunFleet) -> None:
    faults = (await run_fleet("pro3", speed=100.0)).unit("pro3").device.faults
    faults.inject("slow", 20.0, delay_s=1)
    faults.inject("slow", 20.0, delay_s=2)
    assert [fault["delay_s"] for fault in faults.active()] == [2.0]
    await wait_until(lambda: not faults.active(), 5, "it ends")


async def test_readme_describes_every_kind() -> None:
    readme = (Path(__file__).parents[1] / "simulator" / "README.md").read_text()
    assert [kind for kind in KINDS if f"| `{kind}` |" not in readme] == []


async def test_mqtt_silent_keeps_the_connection(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    unit.device.faults.inject("mqtt_silent")
    await asyncio.sleep(0.2)  # what was on its way arrives
    start = len(listener.messages)
    await listener.publish(f"{unit.device.id}/rpc", {"id": 1, "src": "me", "method": "Sys.GetStatus"})
    await listener.next(f"{unit.device.id}/rpc", after=start)
    await asyncio.sleep(0.5)
    assert len(listener.messages) == start + 1
    assert unit.device.mqtt_connected
    unit.device.faults.clear("mqtt_silent")
    await listener.next(f"{unit.device.id}/events/rpc", after=start + 1)


async def test_mqtt_cut_lasts(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    unit.device.faults.inject("mqtt_cut", 1.0)
    await listener.next(f"{unit.device.id}/online", lambda text: text is False)
    start = len(listener.messages)
    await wait_until(lambda: not unit.device.mqtt_connected, 5, "the device knows")
    assert (await get(unit.http.port, "/shelly")).code == 200
    await listener.next(f"{unit.device.id}/online", lambda text: text is True, after=start)
    assert not unit.device.faults.active()


@pytest.mark.parametrize("mode", ["refused", "reset"])
async def test_http_cut(run_fleet: RunFleet, mode: str) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", unit.http.port)
    await get(unit.http.port, "/shelly")
    unit.device.faults.inject("http_cut", mode=mode)
    with pytest.raises(ConnectionResetError):
        await idle_reader.read()
    idle_writer.close()
    with pytest.raises(ConnectionRefusedError if mode == "refused" else ConnectionResetError):
        await get(unit.http.port, "/rpc/Switch.Set?id=0&on=true")
    assert not unit.device.switchboard.relays[0].output
    unit.device.faults.clear()
    await wait_until(lambda: unit.http.is_open, 5, "it listens again")
    assert (await get(unit.http.port, "/shelly")).code == 200


async def test_silent_http_cut_hangs(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    unit.device.faults.inject("http_cut", mode="silent")
    hanging = asyncio.create_task(get(unit.http.port, "/rpc/Switch.Set?id=0&on=true"))
    done, _ = await asyncio.wait([hanging], timeout=0.3)
    assert not done
    unit.device.faults.clear()
    with pytest.raises(ConnectionResetError):
        await hanging
    assert (await get(unit.http.port, "/shelly")).code == 200
    assert not unit.device.switchboard.relays[0].output, "the command never reached the device"


async def test_link_cut_cuts_both(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    unit.device.faults.inject("link_cut")
    await listener.next(f"{unit.device.id}/online", lambda text: text is False)
    with pytest.raises(ConnectionRefusedError):
        await get(unit.http.port, "/shelly")
    start = len(listener.messages)
    unit.device.faults.clear("link_cut")
    await listener.next(f"{unit.device.id}/online", lambda text: text is True, after=start)
    assert (await get(unit.http.port, "/shelly")).code == 200


async def test_pulled_cable_says_nothing_to_the_broker(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    unit.device.faults.inject("link_cut", mode="silent")
    await wait_until(lambda: not unit.device.mqtt_connected, 5, "the device knows")
    await asyncio.sleep(0.3)
    start = len(listener.messages)
    assert listener.topics().count(f"{unit.device.id}/online") == 1, "no will: the connection is still open"
    unit.device.faults.clear("link_cut")
    taken_over = await listener.next(f"{unit.device.id}/online", after=start)
    assert payload_of(taken_over) is False, "the will of the old session, when the new one takes over"
    await listener.next(f"{unit.device.id}/online", lambda text: text is True, after=start)


async def test_slow_answers(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3", speed=10.0)).unit("pro3")
    unit.device.faults.inject("slow", delay_s=3.0)
    begun = time.monotonic()
    assert (await get(unit.http.port, "/shelly")).code == 200
    assert 0.3 <= time.monotonic() - begun < 2


async def test_power_cut_and_return(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    counters = dict(unit.device.component_status("emdata:0"))
    unit.device.faults.inject("power_cut", 0.5, unsynced_s=1.0)
    assert not unit.device.powered
    await wait_until(lambda: not unit.http.is_open, 5, "it is dark")
    start = len(listener.messages)
    with pytest.raises(ConnectionRefusedError):
        await get(unit.http.port, "/shelly")
    topic = f"{unit.device.id}/events/rpc"
    full = payload_of(await listener.next(topic, lambda frame: frame["method"] == "NotifyFullStatus", after=start))
    assert full["params"]["ts"] < 60, "the clock counts from boot until it is set"
    assert full["params"]["sys"]["unixtime"] is None
    assert full["params"]["sys"]["reset_reason"] == 1
    assert full["params"]["emdata:0"]["total_act"] == counters["total_act"]
    await listener.next(topic, lambda frame: frame["params"]["ts"] > 1e9, after=start)


async def test_wrong_clock(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    topic = f"{unit.device.id}/events/rpc"
    unit.device.faults.inject("clock", skew_s=-7200)
    start = len(listener.messages)
    late = payload_of(await listener.next(topic, lambda frame: frame["params"]["ts"] < time.time() - 7000, after=start))
    assert abs(time.time() - 7200 - late["params"]["ts"]) < 5
    unit.device.faults.clear("clock")
    await listener.next(topic, lambda frame: abs(frame["params"]["ts"] - time.time()) < 5, after=start + 1)


async def test_online_flag_stuck(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    unit.device.faults.inject("online_stuck")
    await listener.next(f"{unit.device.id}/online", lambda text: text is False)
    assert unit.device.mqtt_connected
    await listener.next(f"{unit.device.id}/events/rpc", after=len(listener.messages))
    start = len(listener.messages)
    unit.device.faults.clear("online_stuck")
    await listener.next(f"{unit.device.id}/online", lambda text: text is True, after=start)


async def test_duplicate_frames(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    unit.device.faults.inject("duplicate")
    topic = f"{unit.device.id}/events/rpc"
    start = len(listener.messages)

    def twins() -> bool:
        heard = [message.payload for message in listener.messages[start:] if message.topic.value == topic]
        return any(heard.count(payload) == 2 for payload in heard)

    await wait_until(twins, 5, "a frame comes twice")


async def test_frames_out_of_order(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    unit.device.faults.inject("reorder", hold_s=1.0)
    topic = f"{unit.device.id}/events/rpc"
    start = len(listener.messages)

    def mixed() -> bool:
        heard = [payload_of(m)["params"]["ts"] for m in listener.messages[start:] if m.topic.value == topic]
        return heard != sorted(heard)

    await wait_until(mixed, 15, "an older frame comes after a newer one")


async def test_malformed_frames_are_not_counted_as_sent(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    unit.device.faults.inject("malformed", every=2)
    start = len(listener.messages)

    def both_kinds() -> bool:
        kinds = {frame["kind"] for frame in unit.device.ledger.read()["frames"] if frame["road"] == "mqtt"}
        return {"NotifyStatus", "damaged"} <= kinds and len(listener.messages) > start + 6

    await wait_until(both_kinds, 15, "every other frame is damaged")
    broken = 0
    for message in listener.messages[start:]:
        with contextlib.suppress(ValueError, TypeError, LookupError):
            frame = json.loads(message.payload)
            if isinstance(frame["params"]["ts"], float) and isinstance(frame["params"]["em:0"]["id"], int):
                continue
        broken += 1
    assert broken >= 2


async def test_oversized_frames_are_still_json(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    unit.device.faults.inject("oversized", bytes=300_000)
    topic = f"{unit.device.id}/events/rpc"
    frame = payload_of(await listener.next(topic, lambda frame: "pad" in frame))
    assert len(frame["pad"]) == 300_000
    assert frame["method"] == "NotifyStatus"


async def test_counters(run_fleet: RunFleet) -> None:
    device = (await run_fleet("pro3em")).unit("pro3em").device

    def total() -> float:
        told = device.component_status("emdata:0")["total_act"]
        assert isinstance(told, float)
        return told

    before = total()
    device.faults.inject("counter_dip", wh=1.5)
    assert total() == pytest.approx(before - 4.5)
    device.faults.clear("counter_dip")
    assert total() == before
    device.faults.inject("counter_reset")
    assert total() < 1.0
    assert device.faults.active() == []


@pytest.mark.parametrize("firmware", ["1.7.5", "2.0.1"])
async def test_right_password_rejected(run_fleet: RunFleet, firmware: str) -> None:
    unit = (await run_fleet({"model": "pro3", "firmware": firmware})).unit("pro3")
    unit.device.faults.inject("auth_rejected")
    assert (await get(unit.http.port, "/rpc/Sys.GetStatus")).code == 401
    assert (await post(unit.http.port, "/rpc", {"id": 1, "method": "Sys.GetStatus"})).code == 401
    assert (await get(unit.http.port, "/shelly")).code == 200
    unit.device.faults.clear()
    assert (await get(unit.http.port, "/rpc/Sys.GetStatus")).code == 200


@pytest.mark.parametrize("status", [503, 429])
async def test_refusing_server(run_fleet: RunFleet, status: int) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    unit.device.faults.inject("http_refusing", status=status)
    assert (await get(unit.http.port, "/shelly")).code == status


@pytest.mark.parametrize("quirk", [False, True])
async def test_status_update_toggles_with_the_quirk(run_fleet: RunFleet, quirk: bool) -> None:
    device = (await run_fleet("pro3")).unit("pro3").device
    if quirk:
        device.faults.inject("quirk", name="status_update_toggles")
    told = list(obey(device, "p", "p/command/switch:0", "status_update"))
    assert [topic for topic, _ in told] == ([] if quirk else ["p/status/switch:0"])
    assert device.switchboard.relays[0].output is quirk


async def test_a_mute_device_answers_over_mqtt_and_tells_nothing_there(on_mqtt: tuple[Unit, Listener]) -> None:
    unit, listener = on_mqtt
    device = unit.device
    reply = await listener.call(f"{device.id}/rpc", "Mqtt.SetConfig", {"config": {"status_ntf": True}})
    assert reply["result"] == {"restart_required": True}
    device.faults.inject("quirk", name="mute")
    await asyncio.sleep(0.2)  # what was on its way arrives
    since, start = device.clock.now(), len(listener.messages)
    assert (await listener.call(f"{device.id}/rpc", "EM.GetStatus", {"id": 0}))["result"]["id"] == 0
    device.notify_event("sys", "restart_required")
    await listener.call(f"{device.id}/rpc", "Shelly.Reboot")
    online = await listener.next(f"{device.id}/online", lambda text: text is True, after=start)
    await listener.call(f"{device.id}/rpc", "Shelly.GetStatus")
    await asyncio.sleep(0.5)
    heard = {topic for topic in listener.topics()[start:] if topic.startswith(device.id)}
    assert heard == {f"{device.id}/rpc", f"{device.id}/online"}, "no birth message either"
    assert online.retain is False, "told to a listener that was there"
    told = [frame["kind"] for frame in device.ledger.read(since)["frames"]]
    assert told == ["EM.GetStatus", "Shelly.Reboot", "Shelly.GetStatus"]
    device.faults.clear()
    start = len(listener.messages)
    await listener.next(f"{device.id}/events/rpc", after=start)
    await listener.next(f"{device.id}/status/em:0", after=start)


async def test_a_mute_device_tells_websocket_clients(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3em", cadence=0.2)).unit("pro3em")
    unit.device.faults.inject("quirk", name="mute")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{unit.http.port}/rpc") as socket,
    ):
        await socket.send_json({"id": 1, "src": "me", "method": "Sys.GetStatus"})
        async with asyncio.timeout(5):
            while (await socket.receive_json()).get("method") != "NotifyStatus":
                pass
