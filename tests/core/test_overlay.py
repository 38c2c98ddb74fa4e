"""What must hold of any status and any change of it."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shelly_core import Device, Notification, NotificationMethod
from shelly_core.device import overlay
from tests.core.payloads import device_of
from tests.core.shapes import meters, statuses, switches, systems

INFO = device_of("shellypro3-1.4.4").info
thorough = settings(max_examples=150, deadline=None, database=None)


def delta(params: dict[str, Any], ts: float | None = None) -> Notification:
    return Notification(INFO.id, NotificationMethod.STATUS, ts, copy.deepcopy(params))


def ready(status: dict[str, Any]) -> Device:
    device = Device(INFO)
    assert device.apply_full_status(copy.deepcopy(status), None, 0.0).rejections == ()
    return device


def components(device: Device) -> dict[str, Any]:
    return {key: device.get(key) for key in device.status}


@thorough
@given(status=statuses)
def test_a_full_status_equals_its_components_one_by_one(status: dict[str, Any]) -> None:
    whole, piecewise = ready(status), ready({})
    for key, component in status.items():
        applied = piecewise.apply(delta({key: component}), 0.0)
        assert applied.rejections == ()
        assert applied.changed == {key}
    assert dict(piecewise.status) == dict(whole.status)
    assert components(piecewise) == components(whole)


@thorough
@given(status=statuses)
def test_components_equal_their_fields_one_by_one(status: dict[str, Any]) -> None:
    whole, piecewise = ready(status), ready({key: {} for key in status})
    for key, component in status.items():
        for field, value in component.items():
            assert piecewise.apply(delta({key: {field: value}}), 0.0).rejections == ()
    assert components(piecewise) == components(whole)
    assert dict(piecewise.status) == dict(whole.status)


@thorough
@given(before=statuses, change=statuses)
def test_applying_twice_is_applying_once(before: dict[str, Any], change: dict[str, Any]) -> None:
    device = ready(before)
    device.apply(delta(change), 0.0)
    once, decoded = copy.deepcopy(dict(device.status)), components(device)
    again = device.apply(delta(change), 0.0)
    assert again.changed == frozenset()
    assert dict(device.status) == once
    assert all(device.get(key) is component for key, component in decoded.items())


@thorough
@given(before=statuses, after=statuses)
def test_a_full_status_forgets_what_was_before(before: dict[str, Any], after: dict[str, Any]) -> None:
    device, fresh = ready(before), ready(after)
    old = copy.deepcopy(dict(device.status))
    applied = device.apply_full_status(copy.deepcopy(after), None, 0.0)
    assert dict(device.status) == dict(fresh.status)
    assert components(device) == components(fresh)
    assert applied.changed == {key for key in {*old, *after} if old.get(key) != device.status.get(key)}


@thorough
@given(before=statuses, change=statuses)
def test_changed_says_what_changed(before: dict[str, Any], change: dict[str, Any]) -> None:
    device = ready(before)
    old = copy.deepcopy(dict(device.status))
    decoded = components(device)
    applied = device.apply(delta(change), 0.0)
    assert applied.changed == {key for key in device.status if old.get(key) != device.status[key]}
    for key, component in components(device).items():
        assert key in applied.changed or component is decoded[key]


@thorough
@given(
    key_and_pair=st.one_of(
        *(
            st.tuples(st.just(key), st.tuples(s, s))
            for key, s in (("switch:0", switches), ("em:0", meters), ("sys", systems))
        )
    )
)
def test_overlay_takes_the_new_and_keeps_the_rest(
    key_and_pair: tuple[str, tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    key, (status, change) = key_and_pair
    before = copy.deepcopy((status, change))
    merged = overlay(status, change, key)
    assert (status, change) == before
    for field in {*status, *change}:
        if field not in change:
            assert merged[field] == status[field]
        elif change[field] is None:
            assert merged.get(field) is None
        elif not isinstance(change[field], dict):
            assert merged[field] == change[field]
    assert merged.keys() <= {*status, *change}


@thorough
@given(times=st.lists(st.floats(1.7e9, 1.7e9 + 60).map(lambda ts: round(ts, 2)), min_size=1, max_size=8))
def test_of_notifications_in_any_order_the_newest_wins(times: list[float]) -> None:
    device = ready({"em:0": {"id": 0}})
    for number, ts in enumerate(times):
        device.apply(delta({"em:0": {"a_voltage": float(number)}}, ts), 0.0)
    newest = max(range(len(times)), key=lambda number: (times[number], number))
    assert device.status["em:0"]["a_voltage"] == newest
    assert device._ts["em:0"] == max(times)
