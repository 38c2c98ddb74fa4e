import json
import math
from typing import Any

import orjson
import pytest

from shelly_core import Event, FrameError, Notification, NotificationMethod, Response, RpcFault
from shelly_core.frame import MAX_FRAME_BYTES, decode, decode_json, encode_request, events
from tests.core.payloads import notification

STATUS = NotificationMethod.STATUS


def test_a_request_names_its_source_and_leaves_missing_params_out() -> None:
    assert json.loads(encode_request(7, "me", "Switch.Set", {"id": 0, "on": True})) == {
        "id": 7,
        "src": "me",
        "method": "Switch.Set",
        "params": {"id": 0, "on": True},
    }
    assert encode_request(7, "me", "Shelly.GetStatus", None) == b'{"id":7,"src":"me","method":"Shelly.GetStatus"}'
    assert json.loads(encode_request(7, "me", "Sys.GetStatus", {}))["params"] == {}


@pytest.mark.parametrize("params", [{"x": object()}, {"x": 1 << 70}, {1: 2}, {"x": "\ud800"}])
def test_params_that_json_cannot_say_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(FrameError, match="params are no JSON"):
        encode_request(1, "me", "X", params)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"id": 1, "src": "d", "result": {"was_on": False}}, Response(1, "d", {"was_on": False}, None)),
        ({"id": "a", "src": "d", "dst": "me", "result": None}, Response("a", "d", None, None)),
        ({"id": 0, "src": "d", "result": 0}, Response(0, "d", 0, None)),
        (
            {"id": 1, "src": "d", "error": {"code": -105, "message": "Argument 'id', value 9 not found!"}},
            Response(1, "d", None, RpcFault(-105, "Argument 'id', value 9 not found!")),
        ),
        # Both at once: what a device sent while it was shutting down.
        (
            {"id": 1, "src": "d", "result": {"methods": None}, "error": {"code": -109, "message": "shutting down"}},
            Response(1, "d", None, RpcFault(-109, "shutting down")),
        ),
        ({"id": 1, "src": "d", "error": {"code": 404}}, Response(1, "d", None, RpcFault(404, ""))),
        ({"id": 1, "src": "d", "error": None, "result": []}, Response(1, "d", [], None)),
        (
            {"src": "d", "method": "NotifyStatus", "params": {"ts": 1.5, "switch:0": {"output": True}}},
            Notification("d", STATUS, 1.5, {"switch:0": {"output": True}}),
        ),
        (
            {"src": "d", "method": "NotifyFullStatus", "params": {"ts": 2}},
            Notification("d", NotificationMethod.FULL_STATUS, 2, {}),
        ),
        ({"src": "d", "method": "NotifyEvent", "params": {}}, Notification("d", NotificationMethod.EVENT, None, {})),
        ({"src": "d", "method": "NotifyStatus", "params": {"ts": None}}, Notification("d", STATUS, None, {})),
        ({"src": "d", "method": "NotifyStatus", "params": {"ts": 0}}, Notification("d", STATUS, 0, {})),
    ],
)
def test_decodes(frame: dict[str, Any], expected: Response | Notification) -> None:
    assert decode(orjson.dumps(frame)) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"id":1}trailing', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"src":"\xff"}', "not JSON"),
        (b'{"src":"\\ud800"}', "not JSON"),
        (b'{"src":"d","id":1,"result":NaN}', "not JSON"),
        (b'{"src":"d","id":1,"result":1e999}', "not JSON"),
        (b"[" * 5000 + b"]" * 5000, "not JSON"),
        (b" " * (MAX_FRAME_BYTES + 1), "too long"),
        (b"[]", "not an object"),
        (b"null", "not an object"),
        (b"{}", "no source"),
        (b'{"src":1,"id":1,"result":1}', "no source"),
        (b'{"src":"d","result":1}', "no id"),
        (b'{"src":"d","id":true,"result":1}', "no id"),
        (b'{"src":"d","id":1.0,"result":1}', "no id"),
        (b'{"src":"d","id":1}', "neither result nor error"),
        (b'{"src":"d","id":1,"error":5}', "wrong error"),
        (b'{"src":"d","id":1,"error":{"message":"x"}}', "wrong error"),
        (b'{"src":"d","id":1,"error":{"code":"404","message":"x"}}', "wrong error"),
        (b'{"src":"d","id":1,"error":{"code":404,"message":{}}}', "wrong error"),
        (b'{"src":"d","method":"Shelly.GetStatus","id":1,"params":{}}', "unknown method"),
        (b'{"src":"d","method":["NotifyStatus"],"params":{}}', "unknown method"),
        (b'{"src":"d","method":"NotifyStatus"}', "no params"),
        (b'{"src":"d","method":"NotifyStatus","params":[]}', "no params"),
        (b'{"src":"d","method":"NotifyStatus","params":{"ts":"1"}}', "wrong ts"),
        (b'{"src":"d","method":"NotifyStatus","params":{"ts":true}}', "wrong ts"),
        (b'{"src":"d","method":"NotifyStatus","params":{"ts":-0.5}}', "wrong ts"),
        (b'{"src":"d","method":"NotifyStatus","params":{"ts":1e12}}', "wrong ts"),
    ],
)
def test_malformed_frames_are_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        decode(data)
    assert caught.value.reason == reason
    assert str(caught.value) == reason


def test_a_frame_may_be_exactly_as_long_as_allowed() -> None:
    assert decode_json(b"1".rjust(MAX_FRAME_BYTES)) == 1


def test_events_keep_everything_they_carry() -> None:
    frame = {
        "src": "d",
        "method": "NotifyEvent",
        "params": {
            "ts": 3.5,
            "events": [
                {"component": "sys", "event": "sys_btn_push", "ts": 3.25},
                {"component": "em:0", "id": 0, "event": "data", "ts": 0.00, "data": {"ts": 0, "values": [[0.0]]}},
                {"component": "ble", "event": "config_changed", "restart_required": True, "cfg_rev": 13},
            ],
        },
    }
    assert events(notification(frame)) == (
        Event("sys", None, "sys_btn_push", 3.25, {}),
        Event("em:0", 0, "data", 0.0, {"data": {"ts": 0, "values": [[0.0]]}}),
        Event("ble", None, "config_changed", None, {"restart_required": True, "cfg_rev": 13}),
    )


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (None, "no events"),
        ({}, "no events"),
        ([1], "wrong event"),
        ([{}], "wrong event"),
        ([{"component": "sys"}], "wrong event"),
        ([{"event": "x"}], "wrong event"),
        ([{"component": "sys", "event": "x", "id": "0"}], "wrong event"),
        ([{"component": "sys", "event": "x", "id": True}], "wrong event"),
        ([{"component": "sys", "event": "x", "ts": "0"}], "wrong event"),
        ([{"component": "sys", "event": "x", "ts": -1}], "wrong event"),
        # One wrong event spoils the whole list: nothing of a rejected frame is used.
        ([{"component": "sys", "event": "x"}, None], "wrong event"),
    ],
)
def test_malformed_events_are_refused(listed: Any, reason: str) -> None:
    frame = Notification("d", NotificationMethod.EVENT, math.pi, {"events": listed})
    with pytest.raises(FrameError) as caught:
        events(frame)
    assert caught.value.reason == reason
