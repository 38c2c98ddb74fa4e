"""What the stack offers to tests, tried on real programs without our integration."""

import asyncio
import contextlib
import json
import sqlite3
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest
import pytest_asyncio

from tests.stack import REPOSITORY
from tests.stack.fleet import DeviceSpec
from tests.stack.loop_watch_client import LOOP_WATCH, LOOP_WATCH_SETTINGS, Block, LoopReport, loop_report
from tests.stack.mosquitto import DEVICES, HOME_ASSISTANT, Broker
from tests.stack.processes import Process, StackError, wait_until
from tests.stack.recorder import StatisticsRow, Term, recorded_states, recorded_statistics
from tests.stack.stage import raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stack.hass_socket import Listener
    from tests.stack.stage import Stage

SPEED = 60.0
SPECS = (DeviceSpec(model="pro3"), DeviceSpec(model="pro3em", firmware="2.0.1", password="secret"))
COUNTER = "sensor.counter"
COMMITTED_S = 3.0
WATCHING = """
import asyncio, gc, json, time
from tests.stack.loop_watch import LoopWatch
async def main():
    litter = [[number] for number in range(1_000_000)]
    watch = LoopWatch(asyncio.get_running_loop())
    watch.start()
    await asyncio.sleep(0.2)
    watch.reset()
    time.sleep(0.1)
    print(json.dumps(watch.report()))
    gc.collect()
    await asyncio.sleep(0.1)
    print(json.dumps(watch.report()))
    watch.stop()
asyncio.run(main())
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def quick(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A stage on which the devices live an hour a minute and `loop_watch` runs."""
    async with raise_stage(
        tmp_path_factory.mktemp("quick"),
        SPECS,
        options=("--speed", str(SPEED), "--mqtt-reconnect", "5"),
        settings=LOOP_WATCH_SETTINGS | {"logger": {"default": "warning"}},
        custom_components=[LOOP_WATCH],
    ) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(tmp_path / "broker") as broker:
        yield broker


def login(broker: Broker, user: str = HOME_ASSISTANT) -> aiomqtt.Client:
    return aiomqtt.Client(broker.host, broker.port, username=user, password=broker.password(user))


async def counter_shows(stage: Stage, *values: int) -> None:
    """Let a counter come about through MQTT discovery and show `values` one after the other."""
    config = {
        "name": "Counter",
        "unique_id": "counter",
        "default_entity_id": COUNTER,
        "state_topic": "lab/counter",
        "unit_of_measurement": "kWh",
        "device_class": "energy",
        "state_class": "total_increasing",
    }
    async with login(stage.broker) as mqtt:
        await mqtt.publish("homeassistant/sensor/counter/config", json.dumps(config), qos=1, retain=True)
        await stage.client.wait_for(lambda: COUNTER in stage.client.states, 10, "the counter is there")
        for value in values:
            # Retained: Home Assistant subscribes some time after the entity is there.
            await mqtt.publish("lab/counter", str(value), qos=1, retain=True)
            await stage.client.wait_for_state(COUNTER, str(value))


async def test_options_reach_the_simulator_and_settings_home_assistant(quick: Stage) -> None:
    begun, before = time.monotonic(), (await quick.fleet.truth(quick.fleet.devices[0])).ts
    await asyncio.sleep(1)
    passed = (await quick.fleet.truth(quick.fleet.devices[0])).ts - before
    assert passed / (time.monotonic() - begun) == pytest.approx(SPEED, rel=0.1)
    components = (await quick.client.socket.command("get_config"))["components"]
    assert {"loop_watch", "mqtt", "diagnostics", "repairs", "system_health"} <= set(components)
    assert quick.home_assistant.complaints("loop_watch") == []


async def test_faults_everywhere_and_what_the_web_servers_answered(quick: Stage) -> None:
    fleet, client = quick.fleet, quick.client
    relays, meter = fleet.devices

    async def codes() -> list[int]:
        paths = [f"http://{device.host}:{device.http_port}/rpc/Sys.GetStatus" for device in fleet.devices]
        answers = []
        for path in paths:
            async with client._session.get(path) as response:
                answers.append(response.status)
        return answers

    assert await codes() == [200, 401]
    await fleet.set_fault_everywhere("http_refusing", status=429)
    assert await codes() == [429, 429]
    await fleet.clear_faults_everywhere()
    await fleet.set_fault_everywhere("http_refusing", devices=[meter])
    assert await codes() == [200, 503]
    await fleet.clear_faults(meter)
    assert await fleet.http_counts(relays) == {200: 2, 429: 1}
    assert await fleet.http_counts(meter) == {401: 1, 429: 1, 503: 1}
    assert await fleet.http_in_flight_max(meter) == 1


async def test_a_refusal_is_an_answer(quick: Stage) -> None:
    status, text, headers = await quick.client.get("/api/")
    assert (status, json.loads(text)["message"]) == (200, "API running.")
    assert headers["content-type"] == headers["Content-Type"]
    assert (await quick.client.get("/api/", token=False))[0] == 401
    assert (await quick.client.get("/api/nothing"))[0] == 404


async def test_health_of_the_system_is_complete(quick: Stage) -> None:
    health = await quick.client.system_health()
    assert health["homeassistant"]["version"].startswith("core-20")
    assert health["recorder"]["database_engine"] == "sqlite"
    assert not [info for told in health.values() for info in told.values() if info == {"type": "pending"}]
    assert (await quick.client.system_health()).keys() == health.keys(), "it can be asked again"


async def test_what_comes_late_is_part_of_the_health(quick: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def subscribe(kind: str, listener: Listener) -> int:
        pending = {"type": "pending"}
        listener({"type": "initial", "data": {"shop": {"info": {"till": 7, "reach": pending, "stock": pending}}}})
        late = {"type": "update", "domain": "shop"}
        listener(late | {"key": "reach", "success": True, "data": "ok"})
        listener(late | {"key": "stock", "success": False, "error": {"type": "failed", "error": "unknown"}})
        asyncio.get_running_loop().call_later(0.05, listener, {"type": "finish"})
        return 1

    async def unsubscribe(number: int) -> None:
        assert number == 1

    monkeypatch.setattr(quick.client.socket, "subscribe", subscribe)
    monkeypatch.setattr(quick.client.socket, "unsubscribe", unsubscribe)
    stock = {"error": {"type": "failed", "error": "unknown"}}
    assert await quick.client.system_health() == {"shop": {"till": 7, "reach": "ok", "stock": stock}}


async def test_diagnostics_of_an_entry(quick: Stage) -> None:
    (entry,) = await quick.client.entries("mqtt")
    told = await quick.client.diagnostics(entry["entry_id"])
    assert told["home_assistant"]["version"]
    assert told["data"]["connected"] is True
    with pytest.raises(StackError, match="404"):
        await quick.client.diagnostics("nobody")


async def test_states_and_statistics_are_read_back(quick: Stage) -> None:
    await counter_shows(quick, 1, 2)
    since = datetime.now(UTC)
    await counter_shows(quick, 3, 5)
    database, client = quick.home_assistant.database, quick.client

    def values() -> list[str | None]:
        return [state.value for state in recorded_states(database, COUNTER)]

    await wait_until(lambda: values()[-1:] == ["5"], COMMITTED_S, "the last state is committed")
    assert values() == ["unknown", "1", "2", "3", "5"]
    assert [state.value for state in recorded_states(database, COUNTER, since.timestamp())] == ["3", "5"]
    history = await client.states_history([COUNTER, "sensor.none"], since)
    assert [state.state for state in history[COUNTER]] == ["2", "3", "5"]
    assert {state.attributes["unit_of_measurement"] for state in history[COUNTER]} == {"kWh"}
    assert history[COUNTER][0].updated == pytest.approx(since.timestamp(), abs=1e-3)
    assert history[COUNTER][-1].updated == pytest.approx(client.states[COUNTER].updated, abs=1e-3)
    assert history.keys() == {COUNTER}

    hour = since.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    metadata = {
        "source": "recorder",
        "statistic_id": COUNTER,
        "name": None,
        "has_sum": True,
        "mean_type": 0,
        "unit_class": "energy",
        "unit_of_measurement": "kWh",
    }
    rows = [{"start": (hour + timedelta(hours=n)).isoformat(), "state": 10.0 + n, "sum": float(n)} for n in range(2)]
    await client.socket.command("recorder/import_statistics", metadata=metadata, stats=rows)
    begin = hour.timestamp()
    expected = [StatisticsRow(start=begin + 3600 * n, state=10.0 + n, sum=float(n), mean=None) for n in range(2)]
    await wait_until(
        lambda: recorded_statistics(database, COUNTER, Term.LONG, begin) == expected, COMMITTED_S, "it is committed"
    )
    assert recorded_statistics(database, COUNTER, Term.LONG, begin + 1) == expected[1:]


async def test_five_minute_rows_are_read(quick: Stage, tmp_path: Path) -> None:
    await counter_shows(quick, 5)
    await wait_until(lambda: bool(recorded_states(quick.home_assistant.database, COUNTER)), COMMITTED_S, "it is there")
    database = tmp_path / "copy.db"
    with (
        contextlib.closing(sqlite3.connect(quick.home_assistant.database)) as original,
        contextlib.closing(sqlite3.connect(database)) as copy,
    ):
        original.backup(copy)
        meta = "INSERT INTO statistics_meta (statistic_id, source, mean_type) VALUES ('sensor.other', 'recorder', 1)"
        key = copy.execute(meta).lastrowid
        for start in (600.0, 300.0):
            row = "INSERT INTO statistics_short_term (metadata_id, start_ts, mean) VALUES (?, ?, ?)"
            copy.execute(row, (key, start, start / 2))
        copy.commit()
    read = recorded_statistics(database, "sensor.other", Term.SHORT)
    assert read == [StatisticsRow(start=start, state=None, sum=None, mean=start / 2) for start in (300.0, 600.0)]
    assert recorded_statistics(database, "sensor.other", Term.LONG) == []
    assert recorded_states(database, "sensor.other") == []


async def test_an_entity_is_disabled_and_enabled(quick: Stage) -> None:
    await counter_shows(quick, 6)

    async def disabled_by() -> Any:
        (entity,) = [e for e in await quick.client.entities("mqtt") if e["entity_id"] == COUNTER]
        return entity["disabled_by"]

    assert await disabled_by() is None
    await quick.client.disable_entity(COUNTER, disabled=True)
    assert await disabled_by() == "user"
    await quick.client.wait_for(lambda: COUNTER not in quick.client.states, 10, "it is gone")
    database = quick.home_assistant.database
    await wait_until(lambda: recorded_states(database, COUNTER)[-1].value is None, COMMITTED_S, "the recorder knows")
    await quick.client.disable_entity(COUNTER, disabled=False)
    assert await disabled_by() is None


async def test_a_hanging_loop_is_noted(quick: Stage) -> None:
    await loop_report(quick.client, reset=True)
    await asyncio.sleep(2)
    idle = await loop_report(quick.client, reset=True)
    assert idle.ticks > 200
    quick.home_assistant.process.suspend()
    await asyncio.sleep(0.5)
    quick.home_assistant.process.resume()
    hung = await loop_report(quick.client)
    longest = max(hung.unexplained, key=lambda block: block.seconds)
    assert 0.4 < longest.seconds < 1.5
    assert hung.worst_s == pytest.approx(longest.seconds, abs=1e-3)
    assert hung.since < longest.begin < longest.end < hung.until
    assert hung.since >= idle.until


async def test_devices_and_home_assistant_with_an_old_password_are_refused(quick: Stage) -> None:
    broker, client = quick.broker, quick.client
    old = {user: broker.password(user) for user in (DEVICES, HOME_ASSISTANT)}
    assert await client.flows_in_progress() == []
    assert await client.issues() == []

    async def devices_gone() -> bool:
        return True not in [device["mqtt_connected"] for device in await quick.fleet._ask("GET", "/devices")]

    async def asked_again() -> bool:
        return any(flow["context"]["source"] == "reauth" for flow in await client.flows_in_progress())

    await broker.change_password(DEVICES)
    await wait_until(devices_gone, 20, "the devices are thrown out")
    assert (await client.entries("mqtt"))[0]["state"] == "loaded"
    await broker.change_password(HOME_ASSISTANT)
    await wait_until(asked_again, 30, "Home Assistant asks for the password")
    (flow,) = await client.flows_in_progress()
    (issue,) = await client.issues()
    assert (flow["handler"], flow["step_id"]) == ("mqtt", "reauth_confirm")
    assert (issue["domain"], issue["translation_key"]) == ("homeassistant", "config_entry_reauth")
    for user, password in old.items():
        assert await broker.change_password(user, password) == password
    await wait_until(quick.fleet.connected, 10, "the devices are back")


async def test_a_stage_without_mqtt(tmp_path: Path) -> None:
    async with raise_stage(tmp_path, [DeviceSpec(model="pro3")], mqtt=False) as stage:
        assert await stage.client.entries("mqtt") == []
        components = (await stage.client.socket.command("get_config"))["components"]
        assert not {"mqtt", "loop_watch", "shelly_pro"} & set(components)
        assert await stage.fleet.connected()


async def test_a_changed_password_throws_out_who_has_the_old_one(broker: Broker) -> None:
    async with login(broker) as home_assistant:

        async def hears_until_thrown_out() -> None:
            async with asyncio.timeout(5), login(broker, DEVICES) as old:
                await broker.change_password(DEVICES)
                await anext(old.messages)

        with pytest.raises(aiomqtt.MqttError):
            await hears_until_thrown_out()
        await home_assistant.publish("lab/still", b"here", qos=1)
    refused = aiomqtt.Client(broker.host, broker.port, username=DEVICES, password="old")
    with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
        async with refused:
            pass
    await broker.restart()
    async with login(broker, DEVICES):
        pass
    assert await broker.change_password(DEVICES, "another") == broker.password(DEVICES) == "another"


async def test_a_suspended_broker_hangs_with_its_connections_open(broker: Broker) -> None:
    async with login(broker) as client:
        await client.subscribe("lab/#", qos=1)
        broker.suspend()
        waiting = asyncio.create_task(client.publish("lab/late", b"x", qos=1, timeout=10))
        done, _ = await asyncio.wait([waiting], timeout=0.5)
        assert not done, "nobody acknowledges"
        broker.resume()
        await waiting
        assert (await anext(client.messages)).topic.value == "lab/late"


async def test_a_suspended_broker_can_be_stopped(broker: Broker) -> None:
    broker.suspend()
    begun = time.monotonic()
    await broker.stop()
    assert broker.process.returncode == 0
    assert time.monotonic() - begun < 2
    with pytest.raises(StackError, match="does not run"):
        broker.suspend()


async def test_the_watch_tells_blocks_from_collections(tmp_path: Path) -> None:
    # A process of its own: whoever imports Home Assistant replaces the `voluptuous` of everybody after him.
    argv, output = (sys.executable, "-c", WATCHING), tmp_path / "reports"
    async with Process("watch", argv, log=tmp_path / "log", stdout=output, cwd=REPOSITORY) as child:
        assert await asyncio.wait_for(child.ended(), 30) == 0, child.tail()
    early, report = [LoopReport.from_json(json.loads(line)) for line in output.read_text().splitlines()]
    assert early.unexplained[0].seconds == pytest.approx(0.1, abs=0.05), "asked before the tick came"
    assert early.unexplained[0].begin == pytest.approx(early.since, abs=0.02)
    assert report.blocks[0] == early.blocks[0]
    assert max(report.unexplained, key=lambda block: block.seconds) == early.blocks[0], "the rest was the collector"
    full = [collection for collection in report.collections if collection.generation == 2]
    assert max(collection.seconds for collection in full) > 0.02
    assert report.worst_s > 0.02


def test_a_block_is_explained_by_the_collection_in_it() -> None:
    told = {"since": 0.0, "until": 9.0, "ticks": 9, "worst_s": 0.5, "blocks": [(1.0, 1.5), (2.0, 2.1)]}
    report = LoopReport.from_json(told | {"collections": [(1.01, 1.495, 2), (2.09, 2.2, 2)]})
    assert report.unexplained == (Block(begin=2.0, end=2.1),)
