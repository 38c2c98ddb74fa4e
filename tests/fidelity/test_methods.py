"""RPC methods: answers, refusals, and what they change."""

from typing import Any

import pytest

from tests.fidelity import shapes
from tests.fidelity.devices import Bench, bench
from tests.simulator.rpc import RpcFault
from tests.simulator.wire import Json


def refusal(found: Bench, method: str, **params: Json) -> tuple[int, str]:
    with pytest.raises(RpcFault) as refused:
        found.call(method, **params)
    return refused.value.code, refused.value.message


def code_of(found: Bench, method: str) -> int | None:
    try:
        found.call(method)
    except RpcFault as fault:
        return fault.code
    return None


def test_names_are_case_insensitive() -> None:
    found = bench("pro3em")
    assert found.call("SHELLY.getdeviceINFO") == found.call("Shelly.GetDeviceInfo")
    assert found.call("MQTT.GetConfig") == found.call("Mqtt.GetConfig")


@pytest.mark.parametrize(
    ("model", "method"),
    [("pro3em-mono", "EM.GetStatus"), ("pro3em", "EM1.GetStatus"), ("pro3em", "Switch.Set"), ("pro3", "No.Such")],
)
def test_method_of_another_device_has_no_handler(model: str, method: str) -> None:
    assert refusal(bench(model), method, id=0) == (404, f"No handler for {method}")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"on": True}, (-103, "Missing required argument 'id'!")),
        ({"id": 0}, (-103, "Missing required argument 'on'!")),
        ({"id": 99, "on": True}, (-105, "Argument 'id', value 99 not found!")),
        ({"id": "0", "on": True}, (-103, "Invalid argument 'id'!")),
        ({"id": True, "on": True}, (-103, "Invalid argument 'id'!")),
        ({"id": 0, "on": 1}, (-103, "Invalid argument 'on'!")),
        ({"id": 0, "on": True, "toggle_after": -1}, (-103, "Invalid argument 'toggle_after'!")),
    ],
)
def test_switch_set_refuses_wrong_arguments_and_changes_nothing(
    params: dict[str, Json], expected: tuple[int, str]
) -> None:
    found = bench("pro3")
    assert refusal(found, "Switch.Set", **params) == expected
    assert found.told == []
    assert found.call("Switch.GetStatus", id=0)["output"] is False


@pytest.mark.parametrize("model", shapes.MODELS)
def test_every_listed_method_without_arguments_answers_or_refuses_in_words(model: str) -> None:
    methods = bench(model).call("Shelly.ListMethods")["methods"]
    assert len(methods) == len(set(methods)) > 50
    codes = {method: code_of(bench(model), method) for method in methods}
    assert {method: code for method, code in codes.items() if code not in {None, -103, -108}} == {}
    assert codes["Shelly.GetStatus"] is None


@pytest.mark.parametrize("model", shapes.MODELS)
def test_each_component_tells_the_same_alone_and_in_the_whole(model: str) -> None:
    found = bench(model)
    status, config = found.call("Shelly.GetStatus"), found.call("Shelly.GetConfig")
    spaces = {
        name.partition(".")[0].lower(): name.partition(".")[0] for name in found.call("Shelly.ListMethods")["methods"]
    }
    for key in status:
        kind, _, number = key.partition(":")
        params: dict[str, Json] = {"id": int(number)} if number else {}
        assert found.call(f"{spaces[kind]}.GetStatus", **params) == status[key]
        assert found.call(f"{spaces[kind]}.GetConfig", **params) == config[key]


def test_switch_answers_where_the_relay_was_and_tells_the_source() -> None:
    found = bench("pro3", "1.4")
    assert found.device.handle("Switch.Set", {"id": 2, "on": True}, source="MQTT") == {"was_on": False}
    assert found.device.handle("Switch.Set", {"id": 2, "on": True}, source="MQTT") == {"was_on": True}
    assert found.device.handle("Switch.Set", {"id": 2, "on": True}, source="HTTP_in") == {"was_on": True}
    assert found.device.handle("Switch.Toggle", {"id": 2}, source="WS_in") == {"was_on": True}
    assert found.statuses("switch:2") == [
        {"id": 2, "output": True, "source": "MQTT"},
        {"id": 2, "source": "HTTP_in"},
        {"id": 2, "output": False, "source": "WS_in"},
    ]
    edges = found.device.ledger.read()["edges"]
    assert [(edge["kind"], edge["id"], edge["on"], edge["source"]) for edge in edges] == [
        ("switch", 2, True, "MQTT"),
        ("switch", 2, False, "WS_in"),
    ]


def test_toggle_after_runs_out_and_its_keys_vanish() -> None:
    found = bench("pro3", "1.4")
    found.call("Switch.Set", id=0, on=True, toggle_after=5)
    status = found.call("Switch.GetStatus", id=0)
    assert (status["timer_started_at"], status["timer_duration"]) == (found.clock.now(), 5.0)
    found.run(4.9)
    assert found.call("Switch.GetStatus", id=0)["output"] is True
    found.run(0.2)
    status = found.call("Switch.GetStatus", id=0)
    assert (status["output"], status["source"]) == (False, "timer")
    assert "timer_started_at" not in status
    assert found.statuses("switch:0")[-1] == {
        "id": 0, "output": False, "source": "timer", "timer_duration": None, "timer_started_at": None,
    }  # fmt: skip


def test_a_new_command_ends_a_running_timer() -> None:
    found = bench("pro3")
    found.call("Switch.Set", id=0, on=True, toggle_after=5)
    found.call("Switch.Set", id=0, on=True)
    found.run(10)
    assert found.call("Switch.GetStatus", id=0)["output"] is True


def test_auto_off_and_auto_on() -> None:
    found = bench("pro3")
    found.call(
        "Switch.SetConfig", id=1, config={"auto_off": True, "auto_off_delay": 3, "auto_on": True, "auto_on_delay": 2.5}
    )
    found.call("Switch.Set", id=1, on=True)
    found.run(3.1)
    assert found.call("Switch.GetStatus", id=1)["output"] is False
    found.run(2.6)
    assert found.call("Switch.GetStatus", id=1)["output"] is True


@pytest.mark.parametrize(
    ("state", "closed", "on"),
    [
        ("off", True, False),
        ("on", False, True),
        ("restore_last", False, True),
        ("match_input", True, True),
        ("match_input", False, False),
    ],
)
def test_position_after_power_comes_back(state: str, *, closed: bool, on: bool) -> None:
    found = bench("pro3")
    found.call("Switch.SetConfig", id=0, config={"initial_state": state, "in_mode": "detached"})
    found.device.press_input(0, "on" if closed else "off")
    found.call("Switch.Set", id=0, on=True)
    found.device.power_off()
    found.device.boot()
    status = found.call("Switch.GetStatus", id=0)
    assert (status["output"], status["source"]) == (on, "init")


@pytest.mark.parametrize(
    ("mode", "outputs"),
    [("follow", [True, False]), ("flip", [True, False]), ("activate", [True, True]), ("detached", [False, False])],
)
def test_an_input_moves_its_relay_as_configured(mode: str, outputs: list[bool]) -> None:
    found = bench("pro3")
    found.call("Switch.SetConfig", id=0, config={"in_mode": mode})
    seen = []
    for action in ("on", "off"):
        found.device.press_input(0, action)
        seen.append(found.call("Switch.GetStatus", id=0)["output"])
    assert seen == outputs
    assert found.statuses("input:0") == [{"id": 0, "state": True}, {"id": 0, "state": False}]


def test_a_button_has_no_state_but_events() -> None:
    found = bench("pro3")
    found.call("Input.SetConfig", id=1, config={"type": "button"})
    found.call("Switch.SetConfig", id=1, config={"in_mode": "momentary"})
    assert found.call("Input.GetStatus", id=1) == {"id": 1, "state": None}
    for action, names in (
        ("single_push", ["btn_down", "btn_up", "single_push"]),
        ("double_push", ["btn_down", "btn_up", "btn_down", "btn_up", "double_push"]),
        ("triple_push", ["btn_down", "btn_up"] * 3 + ["triple_push"]),
        ("long_push", ["btn_down", "long_push", "btn_up"]),
    ):
        found.told.clear()
        found.device.press_input(1, action)
        found.run(2)
        events = [params["events"][0] for method, params in found.told if method == "NotifyEvent"]
        assert [event["event"] for event in events] == names
        assert {(event["component"], event["id"]) for event in events} == {("input:1", 1)}
    assert found.call("Switch.GetStatus", id=1)["output"] is False  # one push, one long push: on and off again


@pytest.mark.parametrize(("number", "action"), [(0, "single_push"), (3, "on"), (0, "kick")])
def test_an_impossible_press_says_what_is_possible(number: int, action: str) -> None:
    with pytest.raises(ValueError, match=r"use one of|there are 3"):
        bench("pro3").device.press_input(number, action)


def test_inverted_and_disabled_inputs() -> None:
    found = bench("pro3")
    found.call("Input.SetConfig", id=0, config={"invert": True})
    assert found.call("Input.GetStatus", id=0)["state"] is True
    found.call("Input.SetConfig", id=0, config={"enable": False})
    assert found.call("Input.GetStatus", id=0)["state"] is None


def test_counts_since_2_0() -> None:
    found = bench("pro3", "2.0")
    found.call("Switch.Set", id=0, on=True)
    found.run(90)
    counts = found.call("Switch.GetStatus", id=0)["counts"]
    assert (counts["on_time"], counts["switch_on"]) == (90, 1)
    assert found.call("Switch.ResetCounters", id=0, type=["on_time"]) == {}
    counts = found.call("Switch.GetStatus", id=0)["counts"]
    assert (counts["on_time"], counts["switch_on"]) == (0, 1)
    assert refusal(bench("pro3", "1.7"), "Switch.ResetCounters", id=0)[0] == 404


def test_components_come_in_pages() -> None:
    found = bench("pro3")
    status = found.call("Shelly.GetStatus")
    keys: list[str] = []
    while True:
        page = found.call("Shelly.GetComponents", offset=len(keys), include=["status", "config"])
        assert (page["offset"], page["total"]) == (len(keys), len(status))
        if not page["components"]:
            break
        assert len(page["components"]) <= 5
        keys += [entry["key"] for entry in page["components"]]
        assert all(entry["status"] == status[entry["key"]] and "config" in entry for entry in page["components"])
    assert keys == list(status)
    assert found.call("Shelly.GetComponents", keys=["switch:1", "nothing"])["components"] == [{"key": "switch:1"}]
    assert refusal(found, "Shelly.GetComponents", offset="x")[0] == -103


def test_ct_types_exist_since_1_4() -> None:
    assert bench("pro3em", "1.4").call("EM.GetCTTypes") == {"supported": ["120A", "400A"]}
    assert bench("pro3em400").call("EM.GetConfig", id=0)["ct_type"] == "400A"
    assert refusal(bench("pro3em", "1.1"), "EM.GetCTTypes")[0] == 404


def test_quirks_of_a_failed_meter_chip() -> None:
    found = bench("pro3em")
    found.device.faults.inject("quirk", name="power_meter_failure")
    status = found.call("EM.GetStatus", id=0)
    assert status["errors"] == ["power_meter_failure"]
    assert all(value is None for key, value in status.items() if key.startswith(("a_", "b_", "c_", "total_")))


def test_documented_form_of_the_data_event_as_a_quirk() -> None:
    found = bench("pro3em")
    found.device.faults.inject("quirk", name="event_data_array")
    found.run(61)
    data: Any = found.events("data")[0]["data"]
    assert isinstance(data, list)
    assert data[0]["period"] == 60
