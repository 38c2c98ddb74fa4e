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
from shelly_core.device import LATE_S, TOO_LATE, overlay
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
    assert fresh.apply_full_status(raw) == Applied(frozenset(raw), ())
    assert fresh.ready
    for frame in notification_frames(name):
        assert fresh.apply(notification(frame)).rejections == ()


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
    device.apply_full_status(dict(reversed(status.items())))
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
    applied = device.apply(notify(device, 1763989540.18, switch_0={"output": True, "source": "HTTP_in"}))
    assert applied == Applied(frozenset({"switch:0"}))
    assert (relay(device).output, relay(device).source, relay(device).temperature_c) == (True, "HTTP_in", 41.3)
    assert (before.output, before.source) == (False, "init")
    assert device.ts_of("switch:0") == 1763989540.18
    assert device.ts_of("switch:1") == 1763989530


def test_objects_inside_are_laid_over_each_other_too() -> None:
    device = device_of("shellypro3-2.0.1")
    device.apply(notify(device, 1763989141.0, switch_0={"counts": {"switch_on": 18}}))
    counts = relay(device).counts
    assert counts is not None
    assert (counts.switched_on, counts.on_time_s) == (18, 86412)
    device.apply(notify(device, 1763989142.0, switch_0={"counts": {"on_time": None}, "temperature": {"tC": None}}))
    counts = relay(device).counts
    assert counts is not None
    assert (counts.switched_on, counts.on_time_s, relay(device).temperature_c) == (18, None, None)
    assert device.status["switch:0"]["temperature"] == {"tF": 100.6}


def test_null_removes_what_is_only_there_for_a_while() -> None:
    device = device_of("shellypro3-1.4.4")
    assert relay(device, "switch:1").timer_duration_s == 900.0
    device.apply(notify(device, 1763990412.38, switch_1={"timer_started_at": None, "timer_duration": None}))
    assert relay(device, "switch:1").timer_duration_s is None
    assert "timer_started_at" not in device.status["switch:1"]
    assert device.apply(notify(device, 1763990413.0, switch_2={"errors": None})).changed == {"switch:2"}
    assert "errors" not in device.status["switch:2"]
    assert relay(device, "switch:2").errors == ()


def test_null_is_kept_where_it_is_a_value() -> None:
    device = device_of("shellypro3em-1.1.0")
    device.apply(notify(device, 1763988004.0, em_0={"n_current": None, "a_voltage": None}))
    em = device.get("em:0")
    assert isinstance(em, EmStatus)
    assert (em.n_current_a, em.phases[Phase.A].voltage_v, em.phases[Phase.A].current_a) == (None, None, 2.392)
    assert device.status["em:0"]["n_current"] is None
    assert device.status["em:0"]["a_voltage"] is None


def test_a_component_vanishes_and_comes_back() -> None:
    device = device_of("shellypro3-1.4.4")
    assert device.apply(notify(device, 1763989540.0, switch_2=None)) == Applied(frozenset({"switch:2"}))
    assert device.get("switch:2") is None
    assert device.ts_of("switch:2") is None
    assert "switch:2" not in device.components(SwitchStatus)
    assert device.apply(notify(device, 1763989541.0, switch_2=None)) == Applied(frozenset())
    device.apply(notify(device, 1763989542.0, switch_2={"id": 2, "output": True}))
    assert relay(device, "switch:2").output is True
    full = fixture("shellypro3-1.4.4", "Shelly.GetStatus")
    del full["switch:1"]
    assert {"switch:1", "switch:2"} <= device.apply_full_status(full).changed
    assert device.get("switch:1") is None


def test_a_repeated_notification_changes_nothing() -> None:
    device = device_of("shellypro3em-1.7.5")
    frame = notification_frames("shellypro3em-1.7.5")[1]
    assert device.apply(notification(frame)).changed == {"em:0"}
    known = device.get("em:0")
    assert device.apply(notification(frame)) == Applied(frozenset())
    assert device.get("em:0") is known


def test_unchanged_components_are_not_decoded_again() -> None:
    device = device_of("shellypro3em-1.7.5")
    emdata = device.get("emdata:0")
    assert device.get("emdata:0") is emdata
    device.apply(notification(notification_frames("shellypro3em-1.7.5")[1]))
    assert device.get("emdata:0") is emdata


def test_a_rejected_component_stays_and_the_others_of_its_frame_are_taken() -> None:
    device = device_of("shellypro3em-1.7.5")
    before = copy.deepcopy(dict(device.status["em:0"]))
    frame = notify(device, 1763989300.0, em_0={"a_voltage": -1.0, "a_current": 1.0}, temperature_0={"tC": 50.0})
    assert device.apply(frame) == Applied(
        frozenset({"temperature:0"}), (Rejection("em:0", "a_voltage", OUT_OF_RANGE, -1.0),)
    )
    assert device.status["em:0"] == before
    assert device.ts_of("em:0") == 1763989245
    assert device.get("temperature:0") == TemperatureStatus(id=0, temperature_c=50.0, errors=())


@pytest.mark.parametrize(
    ("delta", "rejection"),
    [
        (5, Rejection("em:0", None, WRONG_TYPE, 5)),
        ({"id": 1}, Rejection("em:0", "id", WRONG_ID, 1)),
        ({"errors": [], "a_errors": {}}, Rejection("em:0", "a_errors", WRONG_TYPE, {})),
    ],
)
def test_rejections_say_what_was_wrong(delta: Any, rejection: Rejection) -> None:
    device = device_of("shellypro3em-1.7.5")
    assert device.apply(notify(device, None, em_0=delta)) == Applied(frozenset(), (rejection,))


def test_an_overtaken_notification_is_left_out() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989600.0, switch_0={"output": True}))
    late = device.apply(notify(device, 1763989600.0 - LATE_S, switch_0={"output": False}, switch_1={"output": False}))
    assert late == Applied(frozenset({"switch:1"}), (Rejection("switch:0", None, TOO_LATE, 1763989600.0 - LATE_S),))
    assert relay(device).output is True
    assert device.apply(notify(device, 1763989599.9, switch_0=None)).changed == set()
    assert relay(device).output is True
    # At the same time is not late: the device tells several changes of one moment in several frames.
    assert device.apply(notify(device, 1763989600.0, switch_0={"source": "MQTT"})).changed == {"switch:0"}


def test_an_overtaken_full_status_takes_nothing_away() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989600.0, switch_0={"output": True}))
    device.apply(notify(device, 1763989600.0, switch_1={"output": True}))
    full = {"src": device.info.id, "method": "NotifyFullStatus", "params": {"ts": 1763989599.0, "sys": {}}}
    applied = device.apply(notification(full))
    assert {"switch:0", "switch:1"}.isdisjoint(applied.changed)
    assert relay(device).output is True


def test_a_full_status_without_the_system_is_none() -> None:
    device = device_of("shellypro3-1.4.4")
    before = dict(device.status)
    with pytest.raises(FrameError, match="no status"):
        device.apply(
            notification({"src": device.info.id, "method": "NotifyFullStatus", "params": {"ts": 1763989600.0}})
        )
    assert dict(device.status) == before


def test_the_clock_of_an_answer_counts_whole_seconds_and_does_not_put_the_order_back() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989600.9, switch_0={"output": True}))
    status = {**device.status, "sys": {**device.status["sys"], "unixtime": 1763989600}}
    device.apply_full_status(status)
    late = device.apply(notify(device, 1763989600.5, switch_0={"output": False}))
    assert [rejection.reason for rejection in late.rejections] == [TOO_LATE]
    assert relay(device).output is True


def test_a_clock_put_back_does_not_silence_a_component() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763999999.0, switch_0={"output": True}))
    assert device.apply(notify(device, 1763989600.0, switch_0={"output": False})).changed == {"switch:0"}
    assert device.ts_of("switch:0") == 1763989600.0


def test_without_a_time_order_of_arrival_counts() -> None:
    device = device_of("shellypro3-1.4.4")
    assert device.apply(notify(device, None, switch_0={"output": True})).changed == {"switch:0"}
    assert device.ts_of("switch:0") == 1763989530


def test_before_the_full_status_there_is_nothing_to_lay_a_delta_over() -> None:
    device = Device(INFO)
    assert device.apply(notify(device, 1.0, switch_0={"output": True})) == Applied(frozenset())
    assert dict(device.status) == {}
    assert not device.ready


def test_a_full_status_notification_replaces_all_but_what_it_was_overtaken_by() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989540.0, switch_0={"output": True}))
    late = notification(notification_frames("shellypro3-1.4.4")[0])
    assert late.ts == 1763989531.02
    applied = device.apply(late)
    assert applied.changed == {"mqtt", "sys"}
    assert applied.rejections == (Rejection("switch:0", None, TOO_LATE, 1763989531.02),)
    assert relay(device).output is True
    assert device.ts_of("mqtt") == 1763989531.02


def test_an_answer_to_a_question_is_never_late() -> None:
    """Its clock counts whole seconds and so is behind the notifications of the same second."""
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989530.9, switch_0={"output": True}))
    full = fixture("shellypro3-1.4.4", "Shelly.GetStatus")
    assert device.apply_full_status(full).changed == {"switch:0"}
    assert relay(device).output is False


@pytest.mark.parametrize(
    ("system", "ts"),
    [({"unixtime": 5}, 5), ({"unixtime": None}, None), ({}, None), ({"unixtime": -1}, None), ("?", None), (None, None)],
)
def test_the_time_of_a_full_status_is_the_clock_in_it(system: Any, ts: float | None) -> None:
    device = Device(INFO)
    device.apply_full_status({"switch:0": {"output": True}, "sys": system})
    assert device.ts_of("switch:0") == ts
    device.apply_full_status({"switch:0": {"output": True}, "sys": system}, 7.5)
    assert device.ts_of("switch:0") == 7.5


def test_a_rejected_component_of_a_full_status_stays_as_it_was() -> None:
    device = device_of("shellypro3-1.4.4")
    full = fixture("shellypro3-1.4.4", "Shelly.GetStatus")
    full["switch:0"] |= {"output": 1}
    full["switch:1"] = None
    applied = device.apply_full_status(full, 1763989999.0)
    assert applied.changed == set()
    assert applied.rejections == (
        Rejection("switch:0", "output", WRONG_TYPE, 1),
        Rejection("switch:1", None, WRONG_TYPE, None),
    )
    assert relay(device).output is False
    assert relay(device, "switch:1").output is True
    assert (device.ts_of("switch:0"), device.ts_of("switch:2")) == (1763989530, 1763989999.0)
    with pytest.raises(FrameError, match="no status"):
        device.apply_full_status(None)


def test_the_whole_status_of_one_component() -> None:
    device = device_of("shellypro3-1.4.4")
    whole = {"id": 1, "source": "timer", "output": False, "temperature": {"tC": 41.3, "tF": 106.3}}
    assert device.apply_component("switch:1", whole) == Applied(frozenset({"switch:1"}))
    assert relay(device, "switch:1").timer_duration_s is None
    assert device.apply_component("switch:1", whole) == Applied(frozenset())
    assert device.apply_component("switch:1", None) == Applied(
        frozenset(), (Rejection("switch:1", None, WRONG_TYPE, None),)
    )
    assert relay(device, "switch:1").source == "timer"


def test_events_pass_through() -> None:
    device = device_of("shellypro3-1.4.4")
    events = [
        event for frame in notification_frames("shellypro3-1.4.4") for event in device.apply(notification(frame)).events
    ]
    assert [(event.component, event.event) for event in events] == [
        ("sys", "sys_btn_down"),
        ("sys", "sys_btn_up"),
        ("sys", "sys_btn_push"),
        ("input:2", "single_push"),
        ("input:0", "config_changed"),
    ]
    wrong = notification({"src": "d", "method": "NotifyEvent", "params": {"ts": 1.0}})
    with pytest.raises(FrameError, match="no events"):
        device.apply(wrong)


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
