"""Nothing that arrives, however malformed, escapes as anything but a ShellyError, or leaves a trace when rejected."""

import copy
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shelly_core import Device, DeviceInfo, FrameError, Notification, Response, Session, ShellyError
from shelly_core.auth import Challenge, refusal
from shelly_core.decoding import decode as decode_component
from shelly_core.frame import decode
from tests.core.payloads import FIXTURE_NAMES, device_of, fixture
from tests.core.shapes import KEYS, any_json, anything, mutated, names
from tests.core.typed import assert_typed

thorough = settings(max_examples=400, deadline=None, database=None)
DEEP = b'{"src":"d","method":"NotifyStatus","params":{"script:1":' + b'{"x":' * 900 + b"1" + b"}" * 902


def state(device: Device) -> Any:
    times = {key: device._ts.get(key) for key in [*device.status, "switch:0", "em:0"]}
    config = {key: dict(settings) for key, settings in device.config.items()}
    return copy.deepcopy((dict(device.status), times, device.ready, config))


def assert_sound(device: Device) -> None:
    """Everything the device now says can be decoded and holds what it promises."""
    for key in device.status:
        component = device.get(key)
        if component is not None:
            assert_typed(component)
        ts = device._ts.get(key)
        assert ts is None or 0 <= ts <= 1e11


@thorough
@given(data=anything, name=st.sampled_from(FIXTURE_NAMES))
@example(data=DEEP, name=FIXTURE_NAMES[0])
@example(data=DEEP.replace(b"script:1", b"switch:0"), name=FIXTURE_NAMES[0])
@example(data=b"[" * 1024 + b"]" * 1024, name=FIXTURE_NAMES[0])
def test_frames(data: bytes, name: str) -> None:
    device = device_of(name)
    before = state(device)
    try:
        frame = decode(data)
        if isinstance(frame, Response):
            return
        applied = device.apply(frame, 0.0)
    except FrameError:
        assert state(device) == before
        return
    assert_sound(device)
    known, times, _, _ = before
    for key in {*known, *device.status} - applied.changed:
        assert device.status.get(key) == known.get(key)
    for rejection in applied.rejections:
        if rejection.field is None:
            assert rejection.key not in applied.changed
            assert device._ts.get(rejection.key) == times.get(rejection.key)
        elif rejection.field in known.get(rejection.key, {}):
            assert device.status[rejection.key][rejection.field] == known[rejection.key][rejection.field]
        else:
            assert rejection.field not in device.status.get(rejection.key, {})
    for key in applied.changed:
        assert device.status.get(key) != known.get(key)


@thorough
@given(name=st.sampled_from(FIXTURE_NAMES), data=st.data())
def test_full_statuses(name: str, data: st.DataObject) -> None:
    device = device_of(name)
    before = state(device)
    raw: Any = data.draw(mutated(fixture(name, "Shelly.GetStatus")) | any_json)
    try:
        applied = device.apply_full_status(orjson.loads(orjson.dumps(raw)), None, 0.0)
    except FrameError:
        assert not isinstance(raw, dict)
        assert state(device) == before
        return
    assert_sound(device)
    refused = {rejection.key for rejection in applied.rejections if rejection.field is None}
    assert applied.changed.isdisjoint(refused)
    fieldless = {key for key in raw if key not in device.status} - refused
    assert fieldless <= {rejection.key for rejection in applied.rejections}
    assert device.status.keys() == (raw.keys() - refused - fieldless) | (raw.keys() & refused & before[0].keys())
    for key, field, _, _ in applied.rejections:
        if field is not None:
            was = before[0].get(key, {})
            assert device.status.get(key, {}).get(field) == was.get(field)


@thorough
@given(key=names | st.sampled_from(KEYS), raw=any_json)
def test_components(key: str, raw: Any) -> None:
    try:
        component = decode_component(key, raw)
    except ShellyError:
        return
    if component is not None:
        assert_typed(component)


@thorough
@given(name=st.sampled_from(FIXTURE_NAMES), data=st.data())
def test_infos_and_configs(name: str, data: st.DataObject) -> None:
    try:
        info = DeviceInfo.parse(data.draw(mutated(fixture(name, "Shelly.GetDeviceInfo"))))
    except ShellyError:
        pass
    else:
        assert len(info.mac) == 12
        assert all(type(value) is kind for value, kind in zip(info[:5], (str, str, str, str, int), strict=True))
    device = Device(device_of(name).info)
    try:
        device.apply_config(data.draw(mutated(fixture(name, "Shelly.GetConfig"))))
    except FrameError:
        assert not device.config
    for key in KEYS:
        assert device.name_of(key) is None or device.name_of(key)


@thorough
@given(data=anything)
def test_sessions(data: bytes) -> None:
    session = Session("me")
    request = session.request("Shelly.GetStatus", now=0.0, timeout_s=1.0)
    try:
        outcome = session.handle(data, 0.5)
    except FrameError:
        assert session._pending == {request.id: request}
        assert session.unknown_replies == 0
    else:
        assert outcome is None or isinstance(outcome, Notification) or outcome.request is request


@thorough
@given(text=st.text(max_size=60) | st.text('Digest realm="nc,stale=true\\ ', max_size=60), status=st.integers(100, 599))
def test_challenges(text: str, status: int) -> None:
    for read in (Challenge.from_header, Challenge.from_message):
        try:
            challenge = read(text)
        except FrameError:
            continue
        assert challenge.nonce
    error = refusal(status, text)
    assert (error is None) is (status not in {401, 429})
