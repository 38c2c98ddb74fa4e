"""The control API over real HTTP, and the ledger behind it."""

import asyncio
import math
from typing import Any

import aiohttp
import pytest

from tests.fidelity.conftest import RunFleet
from tests.fidelity.raw_http import get, post
from tests.simulator.fleet import Fleet
from tests.stack.processes import wait_until


async def ask(fleet: Fleet, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, fleet.control_url + path, json=body) as response,
    ):
        return response.status, await response.json()


async def test_devices_are_listed(run_fleet: RunFleet) -> None:
    fleet = await run_fleet("pro3", {"model": "pro3em", "firmware": "1.1.0", "count": 2})
    status, devices = await ask(fleet, "GET", "/devices")
    assert status == 200
    assert [device["model"] for device in devices] == ["pro3", "pro3em", "pro3em"]
    assert [device["profile"] for device in devices] == [None, "triphase", "triphase"]
    assert len({device["mac"] for device in devices}) == 3
    for device in devices:
        assert (await get(device["http_port"], "/shelly")).json["id"] == device["id"]
        _, one = await ask(fleet, "GET", f"/devices/{device['id']}")
        assert one == device
        assert one["faults"] == []
        assert one["mqtt_connected"] is False


async def test_same_seed_same_devices(run_fleet: RunFleet) -> None:
    first, again, other = [
        [unit.device.mac for unit in (await run_fleet("pro3em", "pro3", seed=seed)).units.values()]
        for seed in (5, 5, 6)
    ]
    assert first == again
    assert not set(first) & set(other)


async def test_a_load_shows_in_truth_and_report(run_fleet: RunFleet) -> None:
    fleet = await run_fleet("pro3em", cadence=0.2)
    unit = fleet.unit("pro3em")
    path = f"/devices/{unit.device.id}"
    _, before = await ask(fleet, "GET", f"{path}/state")
    kettle = {"phase": "b", "power_w": 2500, "pf": 0.9, "name": "kettle"}
    assert (await ask(fleet, "POST", f"{path}/load", kettle))[0] == 200
    _, after = await ask(fleet, "GET", f"{path}/state")
    rise = after["true"]["em:0"]["b_act_power"] - before["true"]["em:0"]["b_act_power"]
    assert 2000 < rise < 3000
    shown = before["true"]["em:0"]["b_act_power"] + 2000
    async with asyncio.timeout(10):
        reported = after["reported"]
        while not reported.get("em:0", {"status": {"b_act_power": -math.inf}})["status"]["b_act_power"] > shown:
            await asyncio.sleep(0.05)
            reported = (await ask(fleet, "GET", f"{path}/state"))[1]["reported"]
    assert abs(reported["em:0"]["ts"] - after["ts"]) < 5


async def test_state_at_a_time_repeats(run_fleet: RunFleet) -> None:
    fleet = await run_fleet("pro3em")
    path = f"/devices/{fleet.unit('pro3em').device.id}/state"
    now = (await ask(fleet, "GET", path))[1]["ts"]
    first, again, later = [
        (await ask(fleet, "GET", f"{path}?ts={ts}"))[1]["true"]["em:0"] for ts in (now, now, now + 50)
    ]
    assert first == again
    assert first != later


async def test_a_person_at_relay_and_input(run_fleet: RunFleet) -> None:
    fleet = await run_fleet("pro3")
    unit = fleet.unit("pro3")
    path = f"/devices/{unit.device.id}"
    since = unit.device.clock.now()
    assert (await ask(fleet, "POST", f"{path}/switch", {"id": 2, "on": True}))[0] == 200
    assert (await get(unit.http.port, "/rpc/Switch.GetStatus?id=2")).json["source"] == "button"
    assert (await ask(fleet, "POST", f"{path}/input", {"id": 0, "action": "on"}))[0] == 200
    assert (await get(unit.http.port, "/rpc/Input.GetStatus?id=0")).json == {"id": 0, "state": True}
    _, ledger = await ask(fleet, "GET", f"{path}/ledger?since={since}")
    told = [(edge["kind"], edge["id"], edge.get("on"), edge["source"]) for edge in ledger["edges"]]
    assert told == [("switch", 2, True, "button"), ("input", 0, True, "switch"), ("switch", 0, True, "switch")]
    frames = [(frame["road"], frame["kind"]) for frame in ledger["frames"]]
    assert frames == [("http", "Switch.GetStatus"), ("http", "Input.GetStatus")]
    assert ledger["dropped"] == {"energy": 0, "edges": 0, "frames": 0}


async def test_ledger_energy_is_what_the_counters_say(run_fleet: RunFleet) -> None:
    fleet = await run_fleet("pro3em", speed=400.0)
    unit = fleet.unit("pro3em")
    path = f"/devices/{unit.device.id}"
    start = await get(unit.http.port, "/rpc/EMData.GetStatus?id=0")
    _, first = await ask(fleet, "GET", f"{path}/ledger")

    passed = {row["minute"] for row in first["energy"]}

    async def four_minutes() -> bool:
        _, ledger = await ask(fleet, "GET", f"{path}/ledger")
        return len({row["minute"] for row in ledger["energy"]} - passed) >= 4

    await wait_until(four_minutes, 30, "four minutes pass")
    _, last = await ask(fleet, "GET", f"{path}/ledger")
    for phase in ("a", "b", "c"):
        grown = 0.0
        for counter in ("act_wh", "ret_wh"):
            counted = last["counters"][phase][counter] - first["counters"][phase][counter]
            rows = [sum(row[counter] for row in ledger["energy"] if row["phase"] == phase) for ledger in (first, last)]
            assert counted == pytest.approx(rows[1] - rows[0], abs=1e-6)
            grown += counted
        assert grown > 0, "it draws or, by day, feeds in"
    assert start.json["a_total_act_energy"] <= last["counters"]["a"]["act_wh"]


async def test_faults_come_and_go(run_fleet: RunFleet) -> None:
    fleet = await run_fleet("pro3")
    unit = fleet.unit("pro3")
    path = f"/devices/{unit.device.id}/fault"
    status, fault = await ask(fleet, "POST", path, {"kind": "http_refusing", "seconds": 60, "status": 429})
    assert status == 200
    assert fault["until"] == pytest.approx(unit.device.clock.now() + 60, abs=5)
    assert (await get(unit.http.port, "/shelly")).code == 429
    await ask(fleet, "POST", path, {"kind": "clock", "skew_s": 5})
    assert [fault["kind"] for fault in (await ask(fleet, "DELETE", f"{path}?kind=http_refusing"))[1]] == ["clock"]
    assert (await get(unit.http.port, "/shelly")).code == 200
    assert (await ask(fleet, "DELETE", path))[1] == []


async def test_cadence_is_changed_while_it_runs(run_fleet: RunFleet) -> None:
    fleet = await run_fleet("pro3em-mono")
    unit = fleet.unit("pro3em-mono")
    told: list[float] = []
    unit.device.listen(lambda _, params: told.append(float(str(params["ts"]))) if "em1:0" in params else None)
    await ask(fleet, "POST", f"/devices/{unit.device.id}/cadence", {"seconds": 0.1})
    await wait_until(lambda: len(told) >= 10, 5, "ten reports")
    assert told[-1] - told[-6] == pytest.approx(0.5, abs=0.25)
    assert (await ask(fleet, "POST", f"/devices/{unit.device.id}/cadence", {"seconds": None}))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/devices/nobody", None, 404, "GET /devices"),
        ("POST", "/devices/nobody/load", {}, 404, "nobody"),
        ("POST", "/devices/{id}/load", {"phase": "d", "power_w": 1}, 400, "phase"),
        ("POST", "/devices/{id}/load", {"phase": "a", "power_w": "1 kW"}, 400, "power_w"),
        ("POST", "/devices/{id}/load", [], 400, "JSON object"),
        ("POST", "/devices/{id}/input", {"id": 9, "action": "on"}, 400, "9"),
        ("POST", "/devices/{id}/input", {"id": 0, "action": "kick"}, 400, "action"),
        ("POST", "/devices/{id}/input", {"id": 0, "action": "long_push"}, 400, "on, off, toggle"),
        ("POST", "/devices/{id}/switch", {"id": -1, "on": True}, 400, "no relay -1"),
        ("POST", "/devices/{id}/switch", {"id": 0}, 400, "on"),
        ("POST", "/devices/{id}/fault", {"kind": "sabotage"}, 400, "mqtt_cut"),
        ("POST", "/devices/{id}/fault", {"kind": "slow", "seconds": -1, "delay_s": 1}, 400, "seconds"),
        ("POST", "/devices/{id}/cadence", {"seconds": 0}, 400, "seconds"),
        ("GET", "/devices/{id}/ledger?since=yesterday", None, 400, "Unix seconds"),
    ],
)
async def test_errors_name_the_remedy(
    run_fleet: RunFleet, method: str, path: str, body: Any, status: int, text: str
) -> None:
    fleet = await run_fleet("pro3")
    code, answer = await ask(fleet, method, path.replace("{id}", fleet.unit("pro3").device.id), body)
    assert code == status
    assert text in answer["error"]


async def test_http_frames_are_noted_with_their_method(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3em")).unit("pro3em")
    await post(unit.http.port, "/rpc", {"id": 1, "src": "me", "method": "Shelly.GetStatus"})
    (frame,) = unit.device.ledger.read()["frames"]
    assert (frame["road"], frame["kind"]) == ("http", "Shelly.GetStatus")
    assert "em:0" in frame["components"]
