"""The fixtures are ours, in the exact shape of what real devices sent."""

import json
import re
from typing import Any

import pytest

from tests.core.payloads import (
    CAPTURES,
    FIXTURE_NAMES,
    FIXTURES,
    capture,
    fixture,
    fixture_text,
    needs_captures,
    notification_frames,
)

METHODS = ("Shelly.GetDeviceInfo", "Shelly.GetStatus", "Shelly.GetConfig")


def test_what_there_is() -> None:
    assert FIXTURE_NAMES == [
        "shellypro3-1.4.4",
        "shellypro3-2.0.1",
        "shellypro3em-1.1.0",
        "shellypro3em-1.7.5",
        "shellypro3em-mono-1.4.4",
        "shellypro3em400-0.14.2",
    ]
    for name in FIXTURE_NAMES:
        expected = {*(f"{method}.json" for method in METHODS), "notifications.jsonl"}
        assert {path.name for path in (FIXTURES / name).iterdir()} == expected


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_a_fixture_is_one_device(name: str) -> None:
    info, status, config = (fixture(name, method) for method in METHODS)
    assert info["id"].partition("-")[2] == info["mac"].lower()
    assert status["sys"]["mac"] == config["sys"]["device"]["mac"] == info["mac"]
    assert config["sys"]["device"]["name"] == info["name"]
    assert config["sys"]["device"]["fw_id"] == info["fw_id"]
    assert config["sys"]["cfg_rev"] == status["sys"]["cfg_rev"]
    assert config["mqtt"]["topic_prefix"] == info["id"]
    assert {key for key in config if ":" in key} == {key for key in status if ":" in key}
    for frame in map(json.loads, notification_frames(name)):
        assert frame["src"] == info["id"]
        assert frame["dst"] == f"{info['id']}/events"
        params = frame["params"]
        named = params["events"] if "events" in params else [{"component": key} for key in params if key != "ts"]
        assert {event["component"] for event in named if not event["component"].startswith("script:")} <= status.keys()
    for key, component in status.items():
        assert component.get("id", 0) == int(key.partition(":")[2] or 0)


# Digits after the point, as the device prints them.
DECIMALS = {
    r"[abc]_(?:voltage|act_power|aprt_power|freq)": 1,
    r"(?:voltage|act_power|aprt_power|freq)": 1,
    r"[abcn]_current": 3,
    r"(?:[abc]_)?pf": 2,
    r"total_(?:current|act_power|aprt_power)": 3,
    r"(?:[abc]_)?total_act(?:_ret)?_energy": 2,
    r"total_act(?:_ret)?": 2,
    r"t[CF]": 1,
    r"auto_o(?:n|ff)_delay": 2,
}


@pytest.mark.parametrize("name", FIXTURE_NAMES)
@pytest.mark.parametrize("field", DECIMALS)
def test_numbers_have_the_decimals_of_the_device(name: str, field: str) -> None:
    texts = [fixture_text(name, method) for method in METHODS[1:]] + notification_frames(name)
    for text in texts:
        for number in re.findall(rf'"{field}":(-?[\d.]+)', text.decode()):
            assert len(number.partition(".")[2]) == DECIMALS[field], number


def shape(value: Any) -> Any:
    """The type of a value; of an object, its keys in order with their shapes. Tools have turned 50.0 into 50."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return ["list", *(shape(item) for item in value)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return "number"


def same_shape(ours: Any, theirs: Any, *, path: str = "") -> None:
    """Assert that an object has the keys of another, in their order unless a tool sorted them, and like values."""
    if not isinstance(theirs, dict):
        assert ours is None or theirs is None or path in OPEN or shape(ours) == shape(theirs), path
        return
    assert isinstance(ours, dict), path
    ours = {key: value for key, value in ours.items() if key not in PASSING}
    theirs = {key: value for key, value in theirs.items() if key not in PASSING}
    if list(theirs) == sorted(theirs):
        assert sorted(ours) == list(theirs), path
    else:
        assert list(ours) == list(theirs), path
    for key, value in theirs.items():
        same_shape(ours[key], value, path=f"{path}.{key}")


PASSING = {
    *("errors", "a_errors", "b_errors", "c_errors", "n_errors", "flags"),
    *("timer_started_at", "timer_duration", "stable", "beta"),
}
"""What a device only sends while there is a reason."""

OPEN = {".wifi", ".sys.location", ".em:0.user_calibrated_phase"}
"""What the captures have lost (Wi-Fi collapsed to a text) or may hold either way."""

PAIRS = [
    ("shellypro3-1.4.4", "Shelly.GetDeviceInfo", "pro3_v1.4.4_GetDeviceInfo.json"),
    ("shellypro3-1.4.4", "Shelly.GetStatus", "pro3_v1.4.4_GetStatus.json"),
    ("shellypro3em-1.7.5", "Shelly.GetDeviceInfo", "pro3em_tri_v1.7.5_GetDeviceInfo.json"),
    ("shellypro3em-1.7.5", "Shelly.GetStatus", "pro3em_tri_v1.7.5_GetStatus.json"),
    ("shellypro3em-1.7.5", "Shelly.GetConfig", "pro3em_tri_v1.7.5_GetConfig.json"),
    ("shellypro3em-mono-1.4.4", "Shelly.GetDeviceInfo", "pro3em_mono_v1.4.4_GetDeviceInfo.json"),
    ("shellypro3em400-0.14.2", "Shelly.GetDeviceInfo", "pro3em400_v0.14.2_GetDeviceInfo.json"),
    ("shellypro3em-1.1.0", "Shelly.GetDeviceInfo", "pro3em_tri_v1.1.0_GetDeviceInfo.json"),
    ("shellypro3em-1.1.0", "Shelly.GetStatus", "pro3em_tri_v1.1.0_GetStatus.json"),
    ("shellypro3em-1.1.0", "Shelly.GetConfig", "pro3em_tri_v1.1.0_GetConfig.json"),
]


@needs_captures
@pytest.mark.parametrize(("name", "method", "capture_name"), PAIRS)
def test_shape_of_an_answer(name: str, method: str, capture_name: str) -> None:
    same_shape(fixture(name, method), capture(capture_name))


COMPONENT_PAIRS = [
    ("shellypro3em-mono-1.4.4", "Shelly.GetStatus", "em1:0", "proem50_v1.1_GetStatus_http_post.json", "em1:0"),
    ("shellypro3em-mono-1.4.4", "Shelly.GetStatus", "em1data:0", "proem50_v1.1_GetStatus_http_post.json", "em1data:0"),
    ("shellypro3em-mono-1.4.4", "Shelly.GetStatus", "sys", "proem50_v1.1_GetStatus_http_post.json", "sys"),
    ("shellypro3em-mono-1.4.4", "Shelly.GetConfig", "mqtt", "proem50_v1.7.5_GetConfig.json", "mqtt"),
    ("shellypro3em-mono-1.4.4", "Shelly.GetConfig", "em1:1", "proem50_v1.7.5_GetConfig.json", "em1:1"),
    ("shellypro3-1.4.4", "Shelly.GetConfig", "wifi", "pro3em_tri_v1.7.5_GetConfig.json", "wifi"),
    *(
        ("shellypro3-1.4.4", "Shelly.GetConfig", key, "pro3_v1.1.0_GetConfig.json", key)
        for key in ("input:0", "switch:0", "mqtt", "eth", "cloud", "ws")
    ),
]


@needs_captures
@pytest.mark.parametrize(("name", "method", "key", "capture_name", "capture_key"), COMPONENT_PAIRS)
def test_shape_of_a_component(name: str, method: str, key: str, capture_name: str, capture_key: str) -> None:
    same_shape(fixture(name, method)[key], capture(capture_name)[capture_key])


FRAME_PAIRS = [
    ("shellypro3em-1.7.5", 1, "ws_NotifyStatus_em0_2024-05.json"),
    ("shellypro3em-1.1.0", 3, "ws_NotifyEvent_ble_scan_pro3em.json"),
    ("shellypro3em-mono-1.4.4", 0, "mqtt_events_rpc_NotifyStatus_em1_0.json"),
    ("shellypro3em-mono-1.4.4", 1, "mqtt_events_rpc_NotifyStatus_em1data0.json"),
    ("shellypro3em-mono-1.4.4", 2, "mqtt_events_rpc_NotifyEvent_em1data0.json"),
    ("shellypro3-1.4.4", 1, "mqtt_events_rpc_NotifyStatus_switch_source_HTTP_in.json"),
    ("shellypro3-1.4.4", 7, "mqtt_events_rpc_NotifyStatus_sys_cfg_rev.json"),
    ("shellypro3-1.4.4", 8, "mqtt_events_rpc_NotifyStatus_cloud.json"),
    ("shellypro3-1.4.4", 9, "mqtt_events_rpc_NotifyEvent_pro3_sys_btn_down.json"),
    ("shellypro3-1.4.4", 10, "mqtt_events_rpc_NotifyEvent_pro3_sys_btn_up.json"),
    ("shellypro3-1.4.4", 11, "mqtt_events_rpc_NotifyEvent_pro3_sys_btn_push.json"),
    ("shellypro3-1.4.4", 13, "mqtt_events_rpc_NotifyEvent_config_changed.json"),
]


@needs_captures
@pytest.mark.parametrize(("name", "line", "capture_name"), FRAME_PAIRS)
def test_shape_of_a_notification(name: str, line: int, capture_name: str) -> None:
    assert shape(json.loads(notification_frames(name)[line])) == shape(capture(capture_name))


@needs_captures
def test_no_fixture_is_a_copy() -> None:
    """Shapes are facts, payloads are not ours: neither ids nor frames of the captures may be in the fixtures."""
    ids: set[str] = set()
    frames: set[str] = set()
    for path in CAPTURES.glob("*.json"):
        text = path.read_text()
        ids.update(match.lower() for match in re.findall(r"(?i)\b[0-9a-f]{12}\b", text))
        frames.add("".join(text.split()))
    for name in FIXTURE_NAMES:
        assert fixture(name, "Shelly.GetDeviceInfo")["mac"].lower() not in ids
        texts = [fixture_text(name, method).decode() for method in METHODS]
        assert not frames & {"".join(text.split()) for text in texts}
