"""In which order a device's statuses and notifications count, on whatever road they come."""

from shelly_core import Applied, Device, Rejection, SwitchStatus
from shelly_core.device import OUTDATED, OVERTAKEN, REPEATED
from tests.core.payloads import device_of, fixture, notification, notification_frames, notify


def relay(device: Device, key: str = "switch:0") -> SwitchStatus:
    status = device.get(key)
    assert isinstance(status, SwitchStatus)
    return status


def test_a_repeated_notification_is_left_out_and_counted() -> None:
    device = device_of("shellypro3em-1.7.5")
    frame = notification_frames("shellypro3em-1.7.5")[1]
    assert device.apply(notification(frame), 0.0).changed == {"em:0"}
    known = device.get("em:0")
    again = notification(frame)
    assert device.apply(again, 0.0) == Applied(frozenset(), (Rejection("em:0", None, REPEATED, again.ts),))
    assert device.get("em:0") is known


def test_the_same_values_at_another_time_are_no_repetition() -> None:
    device = device_of("shellypro3em-1.7.5")
    frame = notification(notification_frames("shellypro3em-1.7.5")[1])
    device.apply(frame, 0.0)
    assert frame.ts is not None
    later = notify(device, frame.ts + 1, em_0=frame.params["em:0"])
    assert device.apply(later, 0.0) == Applied(frozenset())
    assert device._ts["em:0"] == frame.ts + 1


def test_an_overtaken_notification_is_left_out() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989600.0, switch_0={"output": True}), 0.0)
    late = device.apply(notify(device, 1763989531.0, switch_0={"output": False}, switch_1={"output": False}), 0.0)
    assert late == Applied(frozenset({"switch:1"}), (Rejection("switch:0", None, OVERTAKEN, 1763989531.0),))
    assert relay(device).output is True
    assert device.apply(notify(device, 1763989599.9, switch_0=None), 0.0).changed == set()
    assert relay(device).output is True
    # At the same time is not late: the device tells several changes of one moment in several frames.
    assert device.apply(notify(device, 1763989600.0, switch_0={"source": "MQTT"}), 0.0).changed == {"switch:0"}


def test_what_is_older_than_the_last_whole_status_was_in_it() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply_full_status({**device.status}, 1763989610.0, 0.0)
    late = device.apply(notify(device, 1763989609.9, switch_0={"output": True}), 0.0)
    assert late == Applied(frozenset(), (Rejection("switch:0", None, OUTDATED, 1763989609.9),))
    # So much older: either it took its time, or the clock was put back.
    late = device.apply(notify(device, 1763989605.0, switch_0={"output": True}), 0.0)
    assert late == Applied(frozenset(), (Rejection("switch:0", None, OVERTAKEN, 1763989605.0),))
    assert relay(device).output is False


def test_an_overtaken_full_status_takes_nothing_away() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989600.0, switch_0={"output": True}), 0.0)
    device.apply(notify(device, 1763989600.0, switch_1={"output": True}), 0.0)
    full = {"src": device.info.id, "method": "NotifyFullStatus", "params": {"ts": 1763989599.0, "sys": {}}}
    applied = device.apply(notification(full), 0.0)
    assert {"switch:0", "switch:1"}.isdisjoint(applied.changed)
    assert relay(device).output is True


def test_a_status_that_was_asked_for_does_not_undo_what_was_told_since() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989600.9, switch_0={"output": True}), 0.0)
    device.apply(notify(device, 1763989600.9, switch_2=None), 0.0)
    status = {**fixture("shellypro3-1.4.4", "Shelly.GetStatus"), "temperature:100": {"id": 100}}
    del status["switch:1"]
    applied = device.apply_full_status(status, 1763989600.8, 0.0)
    assert applied == Applied(frozenset({"switch:1", "temperature:100"}))
    assert relay(device).output is True
    assert device.get("switch:2") is None
    for key in ("switch:0", "switch:2"):
        whole = {"id": int(key[-1]), "output": False}
        assert device.apply_component(key, whole, 1763989600.8, 0.0) == Applied(frozenset())
    late = device.apply(notify(device, 1763989600.5, switch_0={"output": False}), 0.0)
    assert [rejection.reason for rejection in late.rejections] == [OUTDATED]
    assert relay(device).output is True
    assert device.apply_full_status(status, 1763989600.9, 0.0).changed == {"switch:0", "switch:2"}
    assert relay(device).output is False


def test_a_clock_put_back_does_not_silence_a_component() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763999999.0, switch_0={"output": True}), 0.0)
    assert device.apply(notify(device, 1763989600.0, switch_0={"output": False}), 0.0).changed == set()
    device.forget_order()
    assert device.apply(notify(device, 1763989600.0, switch_0={"output": False}), 0.0).changed == {"switch:0"}
    assert device._ts == {"switch:0": 1763989600.0}
    assert device.apply(notify(device, 1763989599.0, switch_0={"output": True}), 0.0).rejections == (
        Rejection("switch:0", None, OVERTAKEN, 1763989599.0),
    )


def test_without_a_time_order_of_arrival_counts() -> None:
    device = device_of("shellypro3-1.4.4")
    assert device.apply(notify(device, None, switch_0={"output": True}), 0.0).changed == {"switch:0"}
    assert device._ts["switch:0"] == 1763989530


def test_a_full_status_notification_replaces_all_but_what_it_was_overtaken_by() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989540.0, switch_0={"output": True}), 0.0)
    late = notification(notification_frames("shellypro3-1.4.4")[0])
    assert late.ts == 1763989531.02
    applied = device.apply(late, 0.0)
    assert applied.changed == {"mqtt", "sys"}
    assert applied.rejections == ()
    assert relay(device).output is True
    assert (device._ts["switch:0"], device._ts["mqtt"]) == (1763989540.0, 1763989531.02)


def test_a_status_without_a_time_is_taken_as_the_newest() -> None:
    device = device_of("shellypro3-1.4.4")
    device.apply(notify(device, 1763989530.9, switch_0={"output": True}), 0.0)
    full = fixture("shellypro3-1.4.4", "Shelly.GetStatus")
    assert device.apply_full_status(full, None, 0.0).changed == {"switch:0"}
    assert relay(device).output is False
    assert device._ts["switch:0"] == 1763989530.9


def test_an_event_passes_once_and_only_forward() -> None:
    device = device_of("shellypro3-1.4.4")

    def push(ts: float | None, key: str = "input:0") -> Applied:
        event = {"component": key, "id": 0, "event": "single_push", **({} if ts is None else {"ts": ts})}
        params = {"ts": 1763989600.0, "events": [event]}
        return device.apply(notification({"src": device.info.id, "method": "NotifyEvent", "params": params}), 0.0)

    assert [event.ts for event in push(1763989600.0).events] == [1763989600.0]
    assert push(1763989600.0).rejections == (Rejection("input:0", "single_push", REPEATED, 1763989600.0),)
    assert push(1763989599.5).rejections == (Rejection("input:0", "single_push", OVERTAKEN, 1763989599.5),)
    assert push(1763989599.5).events == ()
    assert len(push(1763989599.5, "input:1").events) == 1
    assert len(push(None).events) == len(push(None).events) == 1
    assert len(push(1763989600.1).events) == 1
