"""What was told and taken is kept on demand, exactly as the broker passed it on."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fidelity.conftest import RunFleet
from tests.fidelity.mqtt_listener import Listener, payload_of
from tests.fidelity.raw_http import get, post
from tests.simulator import ledger as ledgers
from tests.simulator.fleet import Fleet
from tests.simulator.ledger import Ledger
from tests.simulator.options import parse
from tests.simulator.unit import Unit
from tests.simulator.wire import Fixed
from tests.stack.fleet import DeviceSpec
from tests.stack.fleet import Fleet as FleetProcess
from tests.stack.mosquitto import DEVICES, Broker
from tests.stack.processes import StackError, wait_until

OUT_OF_DATE = 40.0


async def ask_told(fleet: Fleet, unit: Unit, since: float = 0.0) -> tuple[int, Any]:
    url = f"{fleet.control_url}/devices/{unit.device.id}/told"
    async with aiohttp.ClientSession() as session, session.get(url, params={"since": str(since)}) as response:
        return response.status, await response.json()


def rows(unit: Unit) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(unit.device.ledger.told())
    return told


def login(broker: Broker) -> dict[str, Any]:
    return {"server": f"{broker.host}:{broker.port}", "user": DEVICES, "password": broker.password(DEVICES)}


def heard(listener: Listener, unit: Unit) -> list[tuple[str, Any]]:
    """What the broker passed on of events/rpc, where it is whole."""
    topic = f"{unit.device.id}/events/rpc"
    payloads = [payload_of(message) for message in listener.messages if message.topic.value == topic]
    return [(frame["method"], frame["params"]) for frame in payloads]


def test_what_was_told_is_bounded_and_kept_only_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "TOLD", 3)
    ledger = Ledger()
    assert ledger.telling("{}", "mqtt", "NotifyStatus", 1, {}) == "{}"
    ledger.arrived("{}")
    with pytest.raises(LookupError, match="--keep-told"):
        ledger.told()
    assert "told" not in ledger.read()["dropped"]
    ledger.keep_told()
    for turn in range(5):
        ledger.now = lambda at=turn + 0.5: at  # type: ignore[misc]
        text = ledger.telling("{}", "mqtt", "NotifyStatus", Fixed(turn, 2), {"em:0": {"a_current": Fixed(1, 3)}})
        ledger.arrived(text)
        ledger.arrived(b"{}")
        ledger.arrived("{}")
    assert ledger.told(3.5) == (
        '[{"ts":3.00,"at":3.5,"road":"mqtt","kind":"NotifyStatus","params":{"em:0":{"a_current":1.000}}},'
        '{"ts":4.00,"at":4.5,"road":"mqtt","kind":"NotifyStatus","params":{"em:0":{"a_current":1.000}}}]'
    )
    assert [row["ts"] for row in json.loads(ledger.told())] == [2, 3, 4]
    assert ledger.read()["dropped"] == {"energy": 0, "edges": 0, "frames": 0, "told": 2}


async def test_what_was_told_is_what_the_broker_passed_on(run_fleet: RunFleet, broker: Broker) -> None:
    async with Listener.on(broker) as listener:
        fleet = await run_fleet("pro3em", mqtt=login(broker), mqtt_reconnect=0.2, cadence=0.1, keep_told=True)
        unit = fleet.unit("pro3em")
        unit.device.device_clock.skew_s = OUT_OF_DATE
        begin = unit.device.clock.now()
        await wait_until(lambda: len(rows(unit)) > 10, 10, "ten frames are told")
        unit.device.faults.inject("mqtt_cut")
        async with Listener.on(broker):
            pass  # what was acknowledged before has been passed on
        told = [(row["kind"], row["params"]) for row in rows(unit)]
        await wait_until(lambda: len(heard(listener, unit)) >= len(told), 10, "all that was told is heard")
        # A frame that the broker took just when the connection broke was passed on and not acknowledged.
        assert told == heard(listener, unit)[: len(told)]
        assert {"NotifyFullStatus", "NotifyStatus"} <= {kind for kind, _ in told}
        for row in (row for row in rows(unit) if row["at"] > begin):
            assert row["road"] == "mqtt"
            assert row["ts"] == row["params"]["ts"] == pytest.approx(row["at"] + OUT_OF_DATE, abs=0.02)
        status, later = await ask_told(fleet, unit, since=rows(unit)[5]["at"])
        assert (status, later) == (200, rows(unit)[5:])


async def test_what_did_not_arrive_whole_was_not_told(run_fleet: RunFleet, broker: Broker) -> None:
    async with Listener.on(broker) as listener:
        fleet = await run_fleet("pro3em", mqtt=login(broker), mqtt_reconnect=0.2, cadence=0.1, keep_told=True)
        unit = fleet.unit("pro3em")
        await wait_until(lambda: len(rows(unit)) > 2, 10, "it tells")
        for kind in ("malformed", "oversized"):
            unit.device.faults.inject(kind)
            begin = unit.device.clock.now()
            after = len(listener.messages)
            await listener.next(f"{unit.device.id}/events/rpc", after=after + 3)
            assert (await get(unit.http.port, "/rpc/Shelly.GetStatus")).code == 200
            unit.device.faults.clear()
            kinds = [frame["kind"] for frame in unit.device.ledger.read(begin)["frames"]]
            # Some damage leaves some frames whole.
            assert kinds.count("damaged") >= 3
            assert sum(row["at"] > begin for row in rows(unit)) <= len(kinds) - kinds.count("damaged")
        unit.device.faults.inject("duplicate")
        await wait_until(lambda: _twice(rows(unit)), 10, "a frame is told twice")


def _twice(told: list[dict[str, Any]]) -> bool:
    return any(row == other for row, other in pairwise(told))


async def test_nothing_is_told_while_the_broker_does_not_answer(run_fleet: RunFleet, broker: Broker) -> None:
    fleet = await run_fleet("pro3em", mqtt=login(broker), mqtt_reconnect=0.2, cadence=0.1, keep_told=True)
    unit = fleet.unit("pro3em")
    await wait_until(lambda: len(rows(unit)) > 2, 10, "it tells")
    await broker.stop()
    count = len(rows(unit))
    frames = len(unit.device.ledger.read()["frames"])
    await wait_until(lambda: not unit.device.mqtt_connected, 10, "the device notices")
    assert len(unit.device.ledger.read()["frames"]) >= frames
    assert len(rows(unit)) == count


async def test_answers_to_a_whole_status_are_told(run_fleet: RunFleet, broker: Broker) -> None:
    async with Listener.on(broker) as listener:
        fleet = await run_fleet("pro3", mqtt=login(broker), keep_told=True)
        unit = fleet.unit("pro3")
        await wait_until(lambda: unit.device.mqtt_connected, 10, "connected")
        port, ours = unit.http.port, f"{unit.device.id}/rpc"
        answers = [
            (await get(port, "/rpc/shelly.getstatus")).json,
            (await post(port, "/rpc", {"id": 1, "method": "Shelly.GetStatus"})).json["result"],
            (await listener.call(ours, "Shelly.GetStatus"))["result"],
        ]
        await get(port, "/rpc/Sys.GetStatus")
        unit.device.reboot(10)
        assert "error" in await listener.call(ours, "Shelly.GetStatus")
        assert (await get(port, "/rpc/Shelly.GetStatus")).code == 500
        await wait_until(lambda: len(_answers(unit)) >= 3, 10, "all three are told")
        told = _answers(unit)
        assert [row["road"] for row in told] == ["http", "http", "mqtt"]
        assert [row["params"] for row in told] == answers
        assert [row["ts"] for row in told] == [answer["sys"]["unixtime"] for answer in answers]


def _answers(unit: Unit) -> list[dict[str, Any]]:
    return [row for row in rows(unit) if row["kind"] == "Shelly.GetStatus"]


async def test_a_fleet_that_keeps_nothing_says_so(run_fleet: RunFleet) -> None:
    fleet = await run_fleet("pro3")
    status, answer = await ask_told(fleet, fleet.unit("pro3"))
    assert status == 400
    assert "--keep-told" in answer["error"]
    assert (parse([]).keep_told, parse(["--keep-told"]).keep_told) == (False, True)


async def test_a_fleet_of_its_own_process_tells(broker: Broker, tmp_path: Path) -> None:
    specs = [DeviceSpec(model="pro3em", cadence_s=0.2)]
    async with FleetProcess(tmp_path / "kept", specs, broker=broker, options=["--keep-told"]) as fleet:
        (device,) = fleet.devices

        async def enough() -> bool:
            return len(await fleet.told(device)) > 3

        await wait_until(enough, 10, "it tells")
        told = await fleet.told(device)
        assert {"ts", "at", "road", "kind", "params"} == told[0].keys()
        assert (await fleet.told(device, since=told[2]["at"]))[: len(told) - 2] == told[2:]
    async with FleetProcess(tmp_path / "plain", specs, broker=broker) as fleet:
        with pytest.raises(StackError, match="--keep-told"):
            await fleet.told(fleet.devices[0])
