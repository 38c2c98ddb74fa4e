import copy
from typing import Any

import pytest

from shelly_core import (
    Applied,
    Device,
    EmStatus,
    FrameError,
    InputStatus,
    Phase,
    Rejection,
    SwitchStatus,
    TemperatureStatus,
    supported,
)
from shelly_core.device import OVERTAKEN, Wrong, overlay
from shelly_core.validation import OUT_OF_RANGE, WRONG_ID, WRONG_TYPE
from tests.core.payloads import FIXTURE_NAMES, device_of, fixture, notification, notification_frames, notify

INFO = device_of("shellypro3-1.4.4").info


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_every_fixture_is_a_supported_device_without_a_rejection(name: str) -> None:
    device = device_of(name)
    assert supported(device.info)
    raw = fixture(name, "Shelly.GetStatus")
    fresh = Device(device.info)
    assert not fresh.ready
    assert fresh.apply_full_status(raw, None, 0.0) == Applied(frozenset(raw), ())
    assert fresh.ready
    for frame in notification_frames(name):
        assert fresh.apply(notification(frame), 0.0).rejections == ()


def test_components_by_type_and_id() -> None:
    device = device_of("shellypro3-1.4.4")
    assert list(device.components(SwitchStatus)) == ["switch:0", "switch:1", "switch:2"]
    assert device.components(EmStatus) == {}
    assert device.components(InputStatus)["input:1"] == InputStatus(id=1, state=True)
    status = fixture("shellypro3-1.4.4", "Shelly.GetStatus") | {
        "switch:100": {"id": 100},
        "switch:x": {},
        "switchx": {},
    }
    device.apply_full_status(dict(reversed(status.items())), None, 0.0)
    assert list(device.components(SwitchStatus)) == ["switch:0", "switch:1", "switch:2", "switch:100"]
    assert device.keys("switch") == ("switch:0", "switch:1", "switch:2", "switch:x", "switch:100")
    assert device.keys("knx") == ("knx",)
    assert device.keys("em") == ()
    assert device.get("knx") is None
    assert device.get("switch:x") is None
    assert device.get("switch:7") is None


def test_names_and_config() -> None:
    device = device_of("shellypro3-1.4.4")
    assert device.name_of("switch:0") == "Circulation pump"
    assert device.name_of("switch:1") is None
    assert device.name_of("switch:9") is None
    assert device.config["mqtt"]["topic_prefix"] == "shellypro3-e868e7a1b204"
    with pytest.raises(TypeError):
        device.config["mqtt"]["enable"] = True  # type: ignore[index]
    with pytest.raises(TypeError):
        device.config["mqtt"] = {}  # type: ignore[index]
    device.apply_config({"switch:0": {"name": ""}, "switch:1": {"name": 5}, "wifi": "collapsed"})
    assert dict(device.config) == {"switch:0": {"name": ""}, "switch:1": {"name": 5}}
    assert (device.name_of("switch:0"), device.name_of("switch:1")) == (None, None)
    with pytest.raises(FrameError, match="no config"):
        device.apply_config([])
    assert set(device.config) == {"switch:0", "switch:1"}


def relay(device: Device, key: str = "switch:0") -> SwitchStatus:
    status = device.get(key)
    assert isinstance(status, SwitchStatus)
    return status


def test_a_delta_is_laid_over_what_is_known() -> None:
    device = device_of("shellypro3-1.4.4")
    before = relay(device)
    applied = device.apply(notify(device, 1763989540.18, switch_0={"output": True, "source": "HTTP_in"}), 0.0)
    assert applied == Applied(frozenset({"switch:0"}))
    assert (relay(device).output, relay(device).source, relay(device).temperature_c) == (True, "HTTP_in", 41.3)
    assert (before.output, before.source) == (False, "init")
    assert device._ts["switch:0"] == 1763989540.18
    assert device._ts.get("switch:1") == 1763989530


def test_objects_inside_are_laid_over_each_other_too() -> None:
    device = device_of("shellypro3-2.0.1")
    device.apply(notify(device, 1763989141.0, switch_0={"counts": {"switch_on": 18}}), 0.0)
    counts = relay(device).counts
    assert counts is not None
    assert (counts.switched_on, counts.on_time_s) == (18, 86412)
    device.apply(notify(device, 1763989142.0, switch_0={"counts": {"on_time": None}, "temperature": {"tC": None}}), 0.0)
    counts = relay(device).counts
    assert counts is not None
    assert (counts.switched_on, counts.on_time_s, relay(device).temperature_c) == (18, None, None)
    assert device.status["switch:0"]["temperature"] == {"tF": 100.6}


def test_null_removes_what_is_only_there_for_a_while() -> None:
    device = device_of("shellypro3-1.4.4")
    assert relay(device, "switch:1").timer_duration_s == 900.0
    device.apply(notify(device, 1763990412.38, switch_1={"timer_started_at": None, "timer_duration": None}), 0.0)
    assert relay(device, "switch:1").timer_duration_s is None
    assert "timer_started_at" not in device.status["switch:1"]
    assert device.apply(notify(device, 1763990413.0, switch_2={"errors": None}), 0.0).changed == {"switch:2"}
    assert "errors" not in device.status["switch:2"]
    assert relay(device, "switch:2").errors == ()


def test_null_is_kept_where_it_is_a_value() -> None:
    device = device_of("shellypro3em-1.1.0")
    device.apply(notify(device, 1763988004.0, em_0={"n_current": None, "a_voltage": None}), 0.0)
    em = device.get("em:0")
    assert isinstance(em, EmStatus)
    assert (em.n_current_a, em.phases[Phase.A].voltage_v, em.phases[Phase.A].current_a) == (None, None, 2.392)
    assert device.status["em:0"]["n_current"] is None
    assert device.status["em:0"]["a_voltage"] is None


def test_a_component_vanishes_and_comes_back() -> None:
    device = device_of("shellypro3-1.4.4")
    assert device.apply(notify(device, 1763989540.0, switch_2=None), 0.0) == Applied(frozenset({"switch:2"}))
    assert device.get("switch:2") is None
    assert "switch:2" not in device.components(SwitchStatus)
    assert device.apply(notify(device, 1763989541.0, switch_2=None), 0.0) == Applied(frozenset())
    # What was sent before it vanished does not bring it back.
    late = device.apply(notify(device, 1763989539.0, switch_2={"output": False}), 0.0)
    assert late == Applied(frozenset(), (Rejection("switch:2", None, OVERTAKEN, 1763989539.0),))
    device.apply(notify(device, 1763989542.0, switch_2={"id": 2, "output": True}), 0.0)
    assert relay(device, "switch:2").output is True
    full = fixture("shellypro3-1.4.4", "Shelly.GetStatus")
    del full["switch:1"]
    assert {"switch:1", "switch:2"} <= device.apply_full_status(full, None, 0.0).changed
    assert device.get("switch:1") is None


def test_unchanged_components_are_not_decoded_again() -> None:
    device = device_of("shellypro3em-1.7.5")
    emdata = device.get("emdata:0")
    assert device.get("emdata:0") is emdata
    device.apply(notification(notification_frames("shellypro3em-1.7.5")[1]), 0.0)
    assert device.get("emdata:0") is emdata


def test_a_rejected_field_stays_and_the_others_of_its_component_are_taken() -> None:
    device = device_of("shellypro3em-1.7.5")
    before = copy.deepcopy(dict(device.status["em:0"]))
    changes = {"a_voltage": -1.0, "a_freq": 50.1}
    frame = notify(device, 1763989300.0, em_0=changes, temperature_0={"tC": 50.0})
    assert device.apply(frame, 0.0) == Applied(
        frozenset({"em:0", "temperature:0"}),
        (Rejection("em:0", "a_voltage", OUT_OF_RANGE, -1.0),),
        told={"em:0": {"a_freq": 50.1}, "temperature:0": {"tC": 50.0}},
    )
    assert device.status["em:0"] == {**before, "a_freq": 50.1}
    assert device._ts["em:0"] == 1763989300.0
    assert device.get("temperature:0") == TemperatureStatus(id=0, temperature_c=50.0, errors=())


def test_a_component_of_which_nothing_can_be_taken_stays_as_it_was() -> None:
    device = device_of("shellypro3em-1.7.5")
    before = copy.deepcopy(dict(device.status["em:0"]))
    frame = notify(device, 1763989300.0, em_0={"a_voltage": -1.0}, temperature_0={"tC": 50.0})
    assert device.apply(frame, 0.0) == Applied(
        frozenset({"temperature:0"}),
        (Rejection("em:0", "a_voltage", OUT_OF_RANGE, -1.0),),
        told={"em:0": {}, "temperature:0": {"tC": 50.0}},
    )
    assert device.status["em:0"] == before
    assert device._ts["em:0"] == 1763989245


def test_what_a_component_tells_wrong_is_remembered_until_it_is_told_right() -> None:
    device = device_of("shellypro3em-1.7.5")
    key = ("em:0", "a_voltage")
    for now, voltage in ((10.0, -1.0), (11.0, "?")):
        device.apply(notify(device, None, em_0={"a_voltage": voltage}), now)
    assert device.wrong == {key: Wrong(10.0, Rejection("em:0", "a_voltage", WRONG_TYPE, "?"), 2)}
    # Nothing was said of it, or of another component.
    device.apply(notify(device, None, em_0={"a_freq": 50.1}, temperature_0={"tC": 51.0}), 12.0)
    assert device.wrong.keys() == {key}
    device.apply(notify(device, None, em_0={"a_voltage": 231.0}), 13.0)
    assert device.wrong == {}
    # Of something that is no status at all, the next that is one is the remedy.
    device.apply(notify(device, None, em_0=5), 14.0)
    assert device.wrong.keys() == {("em:0", None)}
    device.apply(notify(device, None, em_0={"a_freq": 50.2}), 15.0)
    assert device.wrong == {}
    device.apply(notify(device, None, em_0={"a_voltage": -1.0}, temperature_0={"tC": "?"}), 16.0)
    device.apply(notify(device, None, em_0=None), 17.0)
    assert device.wrong.keys() == {("temperature:0", "tC")}


def test_a_wrong_field_that_was_never_right_is_left_out() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, None, switch_0={"errors": [5], "output": True}), 0.0)
    assert "errors" not in device.status["switch:0"]
    assert relay(device).output is True


@pytest.mark.parametrize(
    ("delta", "rejection", "changed", "told"),
    [
        (5, Rejection("em:0", None, WRONG_TYPE, 5), set(), {}),
        ({"id": 1, "a_freq": 50.1}, Rejection("em:0", "id", WRONG_ID, 1), set(), {"em:0": {"a_freq": 50.1}}),
        (
            {"errors": [], "a_errors": {}},
            Rejection("em:0", "a_errors", WRONG_TYPE, {}),
            {"em:0"},
            {"em:0": {"errors": []}},
        ),
    ],
)
def test_rejections_say_what_was_wrong(delta: Any, rejection: Rejection, changed: set[str], told: Any) -> None:
    device = device_of("shellypro3em-1.7.5")
    applied = device.apply(notify(device, None, em_0=delta), 0.0)
    assert applied == Applied(frozenset(changed), (rejection,), told=told)


@pytest.mark.parametrize("ready", [True, False])
def test_what_comes_too_late_for_the_present_state_is_told_if_it_is_plausible(ready: bool) -> None:
    known = device_of("shellypro3em-1.7.5")
    device = known if ready else Device(known.info)
    before = copy.deepcopy(dict(device.status))
    reading = {"id": 0, "a_voltage": 230.0, "a_current": 1.0, "a_act_power": 200.0, "a_freq": -1.0}
    applied = device.apply(notify(device, 1763989200.0, em_0=reading, temperature_0=5), 0.0)
    assert applied.changed == set()
    assert applied.told == {"em:0": {name: value for name, value in reading.items() if name != "a_freq"}}
    contradiction = {"a_voltage": 230.0, "a_current": 0.0, "a_act_power": 200.0, "total_current": 0.0}
    applied = device.apply(notify(device, 1763989200.0, em_0=contradiction), 0.0)
    assert applied.told is not None
    assert "a_act_power" not in applied.told["em:0"]
    assert device.apply(notify(device, 1763989200.0, temperature_0=None), 0.0).told is None
    assert dict(device.status) == before
    assert device.wrong == {}


def test_of_a_damaged_notification_nothing_is_taken() -> None:
    """Null removes a component, but not next to something that is no status."""
    device = device_of("shellypro3-1.4.4")
    before = copy.deepcopy(dict(device.status))
    for damaged in ({"switch_0": {"output": True}, "switch_1": None, "x": 5}, {"x": 5, "switch_1": None}):
        with pytest.raises(FrameError, match="no status"):
            device.apply(notify(device, 1763989600.0, **damaged), 0.0)
    assert dict(device.status) == before
    assert device._ts["switch:0"] == 1763989530


def test_the_limits_follow_the_clamps() -> None:
    device = device_of("shellypro3em-1.7.5")
    told = {"a_current": 300.0, "a_act_power": None, "a_aprt_power": None, "total_current": None}
    assert [rejection.reason for rejection in device.apply(notify(device, None, em_0=told), 0.0).rejections] == [
        OUT_OF_RANGE
    ]
    device.apply_config({**device.config, "em:0": {"ct_type": "400A"}})
    assert device.apply(notify(device, None, em_0=told), 0.0).rejections == ()


def test_a_full_status_without_the_system_is_none() -> None:
    device = device_of("shellypro3-1.4.4")
    before = dict(device.status)
    with pytest.raises(FrameError, match="no status"):
        device.apply(
            notification({"src": device.info.id, "method": "NotifyFullStatus", "params": {"ts": 1763989600.0}}), 0.0
        )
    assert dict(device.status) == before


def test_before_the_full_status_there_is_nothing_to_lay_a_delta_over() -> None:
    device = Device(INFO)
    assert device.apply(notify(device, 1.0, switch_0={"output": True}), 0.0) == Applied(frozenset())
    assert dict(device.status) == {}
    assert not device.ready


def test_what_is_rejected_of_a_full_status_stays_as_it_was() -> None:
    device = device_of("shellypro3-1.4.4")
    full = fixture("shellypro3-1.4.4", "Shelly.GetStatus")
    full["switch:0"] |= {"output": 1}
    full["switch:1"] = None
    applied = device.apply_full_status(full, 1763989999.0, 0.0)
    assert applied.changed == set()
    assert applied.rejections == (
        Rejection("switch:0", "output", WRONG_TYPE, 1),
        Rejection("switch:1", None, WRONG_TYPE, None),
    )
    assert relay(device).output is False
    assert relay(device, "switch:1").output is True
    assert device._ts["switch:0"] == device._ts["switch:2"] == 1763989999.0
    assert device._ts["switch:1"] == 1763989530
    with pytest.raises(FrameError, match="no status"):
        device.apply_full_status(None, None, 0.0)


def test_the_whole_status_of_one_component() -> None:
    device = device_of("shellypro3-1.4.4")
    whole = {"id": 1, "source": "timer", "output": False, "temperature": {"tC": 41.3, "tF": 106.3}}
    assert device.apply_component("switch:1", whole, None, 0.0) == Applied(frozenset({"switch:1"}))
    assert relay(device, "switch:1").timer_duration_s is None
    assert device.apply_component("switch:1", whole, None, 0.0) == Applied(frozenset())
    assert device.apply_component("switch:1", None, None, 0.0) == Applied(
        frozenset(), (Rejection("switch:1", None, WRONG_TYPE, None),), told={}
    )
    assert relay(device, "switch:1").source == "timer"
    assert device.apply_component("switch:1", whole, 1763989000.0, 0.0) == Applied(frozenset())
    assert device.apply_component("switch:1", 5, 1763989000.0, 0.0).told == {}


def test_events_pass_through() -> None:
    device = device_of("shellypro3-1.4.4")
    events = [
        event
        for frame in notification_frames("shellypro3-1.4.4")
        for event in device.apply(notification(frame), 0.0).events
    ]
    assert [(event.component, event.event) for event in events] == [
        ("sys", "sys_btn_down"),
        ("sys", "sys_btn_up"),
        ("sys", "sys_btn_push"),
        ("input:2", "single_push"),
        ("input:0", "config_changed"),
    ]
    assert device._event_ts.keys() == {(event.component, event.event) for event in events}
    wrong = notification({"src": "d", "method": "NotifyEvent", "params": {"ts": 1.0}})
    with pytest.raises(FrameError, match="no events"):
        device.apply(wrong, 0.0)


@pytest.mark.parametrize(
    ("status", "delta", "key", "expected"),
    [
        ({}, {}, "em:0", {}),
        ({"a_pf": 0.5}, {"b_pf": 0.25}, "em:0", {"a_pf": 0.5, "b_pf": 0.25}),
        ({"errors": ["phase_sequence"]}, {"errors": []}, "em:0", {"errors": []}),
        ({"errors": ["phase_sequence"]}, {"errors": None}, "em:0", {}),
        ({"n_current": 1.0}, {"n_current": None}, "em:0", {"n_current": None}),
        ({}, {"errors": None}, "em:0", {}),
        ({}, {"temperature": {"tC": 1.0, "tF": None}}, "switch:0", {"temperature": {"tC": 1.0}}),
        ({"temperature": None}, {"temperature": {"tC": 1.0}}, "switch:0", {"temperature": {"tC": 1.0}}),
        (
            {"temperature": {"tC": 1.0}},
            {"temperature": {"tF": 2.0}},
            "switch:0",
            {"temperature": {"tC": 1.0, "tF": 2.0}},
        ),
        ({"temperature": {"tC": 1.0}}, {"temperature": None}, "switch:0", {}),
        (
            {"available_updates": {"beta": {"version": "2"}}},
            {"available_updates": None},
            "sys",
            {"available_updates": None},
        ),
        # What is not modelled is taken as it comes.
        ({"mem": {"used": 1}}, {"mem": {"peak": 2}, "x": None}, "script:1", {"mem": {"peak": 2}, "x": None}),
    ],
)
def test_overlay(status: dict[str, Any], delta: dict[str, Any], key: str, expected: dict[str, Any]) -> None:
    before = copy.deepcopy((status, delta))
    assert overlay(status, delta, key) == expected
    assert (status, delta) == before
