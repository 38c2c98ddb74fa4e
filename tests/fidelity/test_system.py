"""Configuration, passwords, certificates, restarts, profiles and updates of the whole device."""

import json
from typing import Any

import pytest

from tests.fidelity.devices import Bench, bench
from tests.fidelity.test_methods import refusal
from tests.simulator import wire
from tests.simulator.rpc import RpcFault


def test_a_changed_name_counts_the_revision_up_and_tells_it_twice() -> None:
    found = bench("pro3")
    before = found.call("Sys.GetConfig")["cfg_rev"]
    assert found.call("Switch.SetConfig", id=0, config={"name": "pump"}) == {"restart_required": False}
    assert found.events("config_changed")[0] == {
        "component": "switch:0", "id": 0, "event": "config_changed", "restart_required": False,
        "ts": found.device.stamp(), "cfg_rev": before + 1,
    }  # fmt: skip
    assert found.statuses("sys") == [{"cfg_rev": before + 1}]
    assert found.call("Shelly.GetStatus")["sys"]["cfg_rev"] == before + 1
    found.told.clear()
    assert found.call("Switch.SetConfig", id=0, config={"name": "pump", "no_such_key": 1}) == {
        "restart_required": False
    }
    assert found.told == []


@pytest.mark.parametrize(
    ("method", "config", "name"),
    [
        ("Switch.SetConfig", {"in_mode": "sideways"}, "in_mode"),
        ("Switch.SetConfig", {"auto_off": "yes"}, "auto_off"),
        ("Input.SetConfig", {"type": 3}, "type"),
        ("Mqtt.SetConfig", {"topic_prefix": "a/#"}, "topic_prefix"),
        ("Mqtt.SetConfig", {"topic_prefix": "$SYS"}, "topic_prefix"),
        ("Mqtt.SetConfig", {"topic_prefix": "x" * 301}, "topic_prefix"),
        ("Mqtt.SetConfig", {"ssl_ca": "mine.pem"}, "ssl_ca"),
        ("Mqtt.SetConfig", {"enable": "on"}, "enable"),
        ("Mqtt.SetConfig", {"server": 1883}, "server"),
        ("Wifi.SetConfig", {"roam": {"interval": float("nan")}}, "interval"),
        ("Switch.SetConfig", {"auto_off_delay": -1}, "auto_off_delay"),
        ("Sys.SetConfig", {"location": 5}, "location"),
        ("Sys.SetConfig", {"location": {"tz": "Europe/Atlantis"}}, "tz"),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_changes(method: str, config: dict[str, Any], name: str) -> None:
    found = bench("pro3")
    before = found.call("Shelly.GetConfig")
    assert refusal(found, method, id=0, config=config) == (-103, f"Invalid argument '{name}'!")
    assert found.call("Shelly.GetConfig") == before
    assert found.told == []


def test_mqtt_wants_a_restart_and_keeps_its_password_to_itself() -> None:
    found = bench("pro3em")
    config: dict[str, wire.Json] = {
        "enable": True,
        "server": "broker:1883",
        "user": "meter",
        "pass": "secret",
        "topic_prefix": "house/meter 1",
    }
    assert found.call("Mqtt.SetConfig", config=config) == {"restart_required": True}
    assert found.call("Sys.GetStatus")["restart_required"] is True
    assert found.statuses("sys")[-1]["restart_required"] is True
    assert "secret" not in json.dumps(found.call("Shelly.GetConfig")) + json.dumps(found.call("Mqtt.GetConfig"))
    assert found.device.mqtt_config()["pass"] == "secret"
    assert found.call("Mqtt.GetConfig")["topic_prefix"] == "house/meter 1"
    found.call("Mqtt.SetConfig", config={"topic_prefix": None, "client_id": None})
    assert found.call("Mqtt.GetConfig")["topic_prefix"] == found.call("Mqtt.GetConfig")["client_id"] == found.device.id


def test_restart_refuses_calls_until_it_happens_then_begins_anew() -> None:
    found = bench("pro3em")
    found.call("Mqtt.SetConfig", config={"enable": True})
    found.run(100)
    assert found.call("Shelly.Reboot", delay_ms=952) is None
    with pytest.raises(RpcFault) as refused:
        found.call("Shelly.GetStatus")
    assert (refused.value.code, refused.value.message) == (-109, "shutting down in 952 ms")
    found.run(1)
    status = found.call("Sys.GetStatus")
    assert (status["reset_reason"], status["restart_required"]) == (3, False)
    assert status["uptime"] <= 1
    assert found.call("Mqtt.GetConfig")["enable"] is True


def test_a_restart_is_handed_to_whoever_owns_the_roads() -> None:
    found, calls = bench("pro3"), list[str]()
    found.device.on_reboot = lambda: calls.append("down")
    found.call("Shelly.Reboot")
    found.run(2)
    assert calls == ["down"]
    assert found.device.powered is False
    found.device.boot()
    assert found.call("Sys.GetStatus")["uptime"] == 0


def test_password_is_set_and_removed_as_ha1() -> None:
    found = bench("pro3")
    ha1 = "ab" * 32
    assert found.call("Shelly.SetAuth", user="admin", realm=found.device.id, ha1=ha1) is None
    assert found.device.auth_ha1 == ha1
    info = found.call("Shelly.GetDeviceInfo")
    assert (info["auth_en"], info["auth_domain"]) == (True, found.device.id)
    assert refusal(found, "Shelly.SetAuth", user="root", realm=found.device.id, ha1=ha1)[0] == -103
    assert refusal(found, "Shelly.SetAuth", user="admin", realm="other", ha1=ha1)[0] == -103
    assert refusal(found, "Shelly.SetAuth", user="admin", realm=found.device.id, ha1="short")[0] == -103
    found.call("Shelly.SetAuth", user="admin", realm=found.device.id, ha1=None)
    assert found.device.auth_ha1 is None


def test_certificate_comes_in_pieces() -> None:
    found = bench("pro3")
    assert found.call("Shelly.PutUserCA", data="-----BEGIN", append=False) == {"len": 10}
    assert found.call("Shelly.PutUserCA", data=" CERT", append=True) == {"len": 15}
    assert found.device.user_ca == "-----BEGIN CERT"
    assert found.call("Shelly.PutUserCA", data=None) == {"len": 0}
    assert found.device.user_ca is None


def test_profile_change_swaps_components_and_counters_begin_at_zero() -> None:
    found = bench("pro3em")
    assert found.call("EMData.GetStatus", id=0)["total_act"] > 1
    assert found.call("Shelly.ListProfiles")["profiles"].keys() == {"triphase", "monophase"}
    assert refusal(found, "Shelly.SetProfile", name="quadphase")[0] == -103
    assert found.call("Shelly.SetProfile", name="monophase") == {"profile_was": "triphase"}
    found.run(2)
    assert found.call("Shelly.GetDeviceInfo")["profile"] == "monophase"
    assert found.call("Sys.GetConfig")["device"]["profile"] == "monophase"
    status = found.call("Shelly.GetStatus")
    assert [key for key in status if key.startswith("em")] == [
        "em1:0", "em1:1", "em1:2", "em1data:0", "em1data:1", "em1data:2",
    ]  # fmt: skip
    assert status["em1data:0"]["total_act_energy"] == 0.0
    assert refusal(found, "EM.GetStatus", id=0)[0] == 404
    found.told.clear()
    found.run(61)
    assert found.statuses("em1:2")
    assert len(found.events("data")) == 3


def progress(found: Bench) -> list[int]:
    return [event["progress_percent"] for event in found.events("ota_progress")]


def test_update_tells_its_progress_and_installs_the_release() -> None:
    found = bench("pro3", "1.4")
    assert found.call("Shelly.CheckForUpdate")["stable"]["version"] == "2.0.1"
    assert found.call("Shelly.Update", stage="stable") is None
    assert refusal(found, "Shelly.Update") == (-106, "Already in progress")
    found.run(60)
    assert len(found.events("ota_begin")) == len(found.events("ota_success")) == 1
    assert progress(found) == sorted(progress(found)) != []
    info = found.call("Shelly.GetDeviceInfo")
    assert info["ver"] == "2.0.1"
    assert info["fw_id"] == found.call("Sys.GetConfig")["device"]["fw_id"]
    status = found.call("Shelly.GetStatus")
    assert status["sys"]["available_updates"] == {}
    assert "counts" in status["switch:0"]
    assert "enable" not in found.call("BLE.GetConfig")
    assert found.call("Shelly.CheckForUpdate") == {}


def test_clock_can_be_set() -> None:
    found = bench("pro3em")
    found.call("Sys.SetTime", unixtime=1_800_000_000)
    assert found.call("Sys.GetStatus")["unixtime"] == 1_800_000_000
    assert refusal(found, "Sys.SetTime", unixtime="noon")[0] == -103


def test_connections_tell_when_they_come_and_go() -> None:
    found = bench("pro3")
    found.device.mqtt_connected = True
    found.device.mqtt_connected = True
    found.device.cloud_connected = True
    assert found.call("Mqtt.GetStatus") == {"connected": True}
    found.device.mqtt_connected = False
    assert found.statuses("mqtt") == [{"connected": True}, {"connected": False}]
    assert found.statuses("cloud") == [{"connected": True}]


def test_identity_is_stable_and_unlike_that_of_the_neighbour() -> None:
    one, same, other = bench(seed=3), bench(seed=3), bench(seed=3, index=1)
    assert one.device.info() == same.device.info()
    assert one.device.mac != other.device.mac
    assert one.device.id == f"shellypro3em-{one.device.mac.lower()}"


def test_truth_can_be_asked_for_the_past() -> None:
    found = bench("pro3")
    found.run(10)
    found.call("Switch.Set", id=0, on=True)
    switched = found.clock.now()
    found.device.press_input(1, "on")
    found.run(10)
    before, after = found.device.truth(switched - 1), found.device.truth(switched)
    assert (before["switch:0"]["output"], after["switch:0"]["output"]) == (False, True)
    assert (before["input:1"]["state"], after["input:1"]["state"]) == (False, True)


def test_ledger_keeps_what_was_told_last() -> None:
    found = bench("pro3em")
    assert found.device.ledger.reported == {}
    found.run(61)
    reported = found.device.ledger.reported
    assert reported["em:0"]["status"] == found.statuses("em:0")[-1]
    assert found.call("EM.GetStatus", id=0).items() <= reported["em:0"]["status"].items()


def test_text_is_json_whatever_it_carries() -> None:
    value: dict[str, wire.Json] = {"a": 'quote " and \\ and ü', "b": [1, None, True, wire.Fixed(-0.04, 1)], "c": {}}
    assert json.loads(wire.dumps(value)) == value | {"b": [1, None, True, 0.0]}
    assert wire.dumps([wire.Fixed(-0.04, 1), wire.Fixed(2, 3)]) == "[0.0,2.000]"
    assert wire.dumps(wire.Loose({"id": 0, "tC": 1}, before=("tC",), after=("id",))) == '{"id": 0, "tC":1}'
