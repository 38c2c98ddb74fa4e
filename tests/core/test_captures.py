"""Every capture of a real device is decoded, and makes sense."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from shelly_core import (
    Component,
    Device,
    DeviceInfo,
    Em1DataStatus,
    Em1Status,
    EmDataStatus,
    EmStatus,
    FrameError,
    Notification,
    Phase,
    Response,
    SwitchStatus,
    SysStatus,
    supported,
)
from shelly_core.auth import Challenge
from shelly_core.clock import DeviceClock
from shelly_core.decoding import decode as decode_component
from shelly_core.frame import decode, events
from tests.core.payloads import CAPTURE_NAMES, CAPTURES, capture, needs_captures
from tests.core.typed import assert_typed

ANYONE = DeviceInfo("x-000000000000", "000000000000", "X", "X", 2, "1.0.0", "x", None, auth_enabled=False, profile=None)

STATUSES = [
    name for name in CAPTURE_NAMES if "_GetStatus" in name and "em1_0" not in name and "rpc_response" not in name
]
CONFIGS = [name for name in CAPTURE_NAMES if "_GetConfig" in name]
INFOS = [name for name in CAPTURE_NAMES if "_GetDeviceInfo" in name]
NOTIFICATIONS = [name for name in CAPTURE_NAMES if "_Notify" in name]
COMPONENTS = {
    "docs_EM.GetStatus_errors.json": "em:0",
    "docs_EM1.GetStatus_errors_flags.json": "em1:0",
    "em0_delta_v0.13_a_1678699517.json": "em:0",
    "em0_status_v1.0_nearly_idle.json": "em:0",
    "em1_0_GetStatus_http_2023.json": "em1:0",
    "mqtt_status_em1_2_3em63g3.json": "em1:2",
    "mqtt_status_input_0.json": "input:0",
    "mqtt_status_mqtt.json": "mqtt",
}
ERRORS = [name for name in CAPTURE_NAMES if "_error_" in name or "http_404" in name]
RESULTS = [
    name
    for name in CAPTURE_NAMES
    if name.startswith(("EMData.", "docs_EM.GetCTTypes", "docs_EMData.")) or "GetComponents" in name
]
OTHERS = {
    "INDEX.md": "the list of captures",
    "em1data_csv_row_proem.csv": "history, which is another part's",
    "emdata0_csv_row_2022.csv": "history, which is another part's",
    "http_401_challenge_pro3em_v1.0.json": "headers, see below",
    "mdns_shellypro3-C8F09E894168.json": "discovery, which is Home Assistant's",
    "mdns_shellypro3em-A0DD6CA0C27C.json": "discovery, which is Home Assistant's",
    "mqtt_CONNECT_packet_plus1pm_2024.json": "MQTT, which is the MQTT client's",
    "ws_rpc_response_GetStatus_pro4pm_v1.7.json": "a response frame, see below",
}


@needs_captures
def test_no_capture_is_left_out() -> None:
    known = {*STATUSES, *CONFIGS, *INFOS, *NOTIFICATIONS, *COMPONENTS, *ERRORS, *RESULTS, *OTHERS}
    assert set(CAPTURE_NAMES) == known
    assert all((STATUSES, CONFIGS, INFOS, NOTIFICATIONS, ERRORS, RESULTS))


def frame(name: str) -> bytes:
    return orjson.dumps(capture(name))


def near(value: float | None, low: float, high: float) -> bool:
    return value is None or low <= value <= high


def assert_sensible(component: Component) -> None:
    """What is true of any house, and was not promised by the ranges."""
    assert_typed(component)
    if isinstance(component, EmStatus):
        readings = component.phases.values()
        assert all(near(reading.voltage_v, 0, 0) or near(reading.voltage_v, 200, 260) for reading in readings)
        assert all(near(reading.freq_hz, 0, 0) or near(reading.freq_hz, 49.5, 50.5) for reading in readings)
        powers = [reading.act_power_w for reading in readings]
        total = component.total_act_power_w
        if total is not None and None not in powers and "phase_sequence" not in component.errors:
            assert sum(power for power in powers if power is not None) == pytest.approx(total, abs=0.2)
    elif isinstance(component, EmDataStatus):
        imports = [energy.act_energy_wh for energy in component.phases.values()]
        assert component.total_act_energy_wh == pytest.approx(sum(wh for wh in imports if wh is not None), abs=0.02)
        exports = [energy.act_ret_energy_wh for energy in component.phases.values()]
        assert component.total_act_ret_energy_wh == pytest.approx(sum(wh for wh in exports if wh is not None), abs=0.02)
    elif isinstance(component, Em1Status):
        assert near(component.voltage_v, 200, 260)
        if None not in {component.voltage_v, component.current_a}:
            apparent = (component.voltage_v or 0) * (component.current_a or 0)
            assert component.aprt_power_va == pytest.approx(apparent, rel=0.03, abs=5) or component.errors
    elif isinstance(component, Em1DataStatus):
        assert component.act_energy_wh is not None
        assert component.act_ret_energy_wh is not None
    elif isinstance(component, SwitchStatus):
        assert near(component.temperature_c, 20, 80)
    elif isinstance(component, SysStatus):
        assert near(component.unixtime, 1.6e9, 1.9e9)


def assert_all_sensible(device: Device) -> Iterator[str]:
    for key in device.status:
        component = device.get(key)
        if component is not None:
            assert_sensible(component)
            yield key


@pytest.mark.parametrize("name", STATUSES)
def test_statuses(name: str) -> None:
    device = Device(ANYONE)
    raw = capture(name)
    applied = device.apply_full_status(raw, 5.0, 0.0)
    assert applied.rejections == ()
    assert applied.changed == set(raw)
    typed = set(assert_all_sensible(device))
    assert {"sys", "wifi", "mqtt", "cloud", "eth"} <= typed
    assert {key for key in raw if ":" in key} <= typed
    assert dict(device.status) == raw
    system = device.get("sys")
    assert isinstance(system, SysStatus)
    assert system.mac == raw["sys"]["mac"]
    assert device._ts == dict.fromkeys(raw, 5.0)
    clock = DeviceClock()
    clock.read(raw["sys"], 0.0, 0.0)
    assert clock.offset_s == (system.uptime_s if system.unixtime is None else system.unixtime)


@pytest.mark.parametrize("name", CONFIGS)
def test_configs(name: str) -> None:
    device = Device(ANYONE)
    raw = capture(name)
    device.apply_config(raw)
    for key, config in raw.items():
        if isinstance(config, dict):
            assert device.config[key] == config
            assert device.name_of(key) == (config.get("name") or None)
    assert device.config["mqtt"]["rpc_ntf"] is True


@pytest.mark.parametrize("name", INFOS)
def test_infos(name: str) -> None:
    raw = capture(name)
    if raw["mac"] == "redacted":
        with pytest.raises(FrameError):
            DeviceInfo.parse(raw)
        raw["mac"] = "A8032A000000"
    info = DeviceInfo.parse(raw)
    assert (info.id, info.mac, info.firmware, info.app) == (raw["id"], raw["mac"], raw["ver"], raw["app"])
    assert info.firmware in info.firmware_id
    assert supported(info) is name.startswith("pro3")


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_notifications(name: str) -> None:
    raw = capture(name)
    notification = decode(frame(name))
    assert isinstance(notification, Notification)
    assert (notification.source, notification.method) == (raw["src"], raw["method"])
    assert notification.ts == raw["params"]["ts"]
    device = Device(ANYONE)
    device.apply_full_status({}, None, 0.0)
    applied = device.apply(notification, 0.0)
    assert applied.rejections == ()
    if raw["method"] == "NotifyEvent":
        listed = events(notification)
        assert applied.events == listed
        for event, expected in zip(listed, raw["params"]["events"], strict=True):
            known = {"component": event.component, "event": event.event, "ts": event.ts, **event.data}
            assert known | ({} if event.id is None else {"id": event.id}) == expected
        return
    keys = raw["params"].keys() - {"ts"}
    assert applied.changed == keys
    assert {key for key in keys if key not in {"ble", "ws"}} == set(assert_all_sensible(device))
    for key in keys:
        assert device.status[key] == raw["params"][key]
        assert device._ts[key] == raw["params"]["ts"]


@pytest.mark.parametrize("name", sorted(set(COMPONENTS) & set(CAPTURE_NAMES)))
def test_components(name: str) -> None:
    component = decode_component(COMPONENTS[name], capture(name))
    assert component is not None
    assert_sensible(component)


@needs_captures
def test_what_the_odd_ones_say() -> None:
    em = decode_component("em:0", capture("docs_EM.GetStatus_errors.json"))
    assert isinstance(em, EmStatus)
    assert em.errors == ("phase_sequence",)
    assert em.phases[Phase.C].act_power_w is None  # the documentation misspells it
    assert em.phases[Phase.B].act_power_w == -951.1
    em1 = decode_component("em1:0", capture("docs_EM1.GetStatus_errors_flags.json"))
    assert isinstance(em1, Em1Status)
    assert (em1.errors, em1.flags) == (("out_of_range:current",), ("count_disabled",))
    old = decode_component("em:0", capture("em0_delta_v0.13_a_1678699517.json"))
    assert isinstance(old, EmStatus)
    assert (old.phases[Phase.B].pf, old.phases[Phase.B].freq_hz) == (-0.93, None)


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    raw = capture(name)
    if "error" not in raw:  # the body of an unframed answer
        raw = {"id": 1, "src": "x", "error": raw}
    response = decode(orjson.dumps(raw))
    assert isinstance(response, Response)
    assert response.error is not None
    assert response.error.code == raw["error"]["code"]
    assert response.error.code < 0 or response.error.code in {401, 404, 429}
    assert response.error.message == raw["error"]["message"]
    assert response.result is None
    if response.error.code == 401:
        challenge = Challenge.from_message(response.error.message)
        assert challenge == Challenge("shellyplus2pm-485519992590", "1725185413", "SHA-256", stale=False)


@pytest.mark.parametrize("name", RESULTS)
def test_results_pass_as_they_are(name: str) -> None:
    raw: Any = capture(name)
    response = decode(orjson.dumps({"id": 1, "src": "x", "result": raw}))
    assert isinstance(response, Response)
    assert response.result == raw


@needs_captures
def test_the_challenge_in_a_header() -> None:
    header = capture("http_401_challenge_pro3em_v1.0.json")["headers"]["WWW-Authenticate"]
    assert Challenge.from_header(header) == Challenge("shellypro3em-ec62609773d8", "1694692867", "SHA-256", stale=False)


@needs_captures
def test_a_response_as_the_device_wrote_it() -> None:
    """Four metered relays, with the irregular blanks of the device itself."""
    data = (CAPTURES / "ws_rpc_response_GetStatus_pro4pm_v1.7.json").read_bytes()
    response = decode(data)
    assert isinstance(response, Response)
    assert response.result == json.loads(data)["result"]
    device = Device(ANYONE)
    assert device.apply_full_status(response.result, None, 0.0).rejections == ()
    relays = device.components(SwitchStatus)
    assert [relay.act_power_w for relay in relays.values()] == [0.0, 0.0, 428.3, 1.1]
    assert [relay.act_energy_wh for relay in relays.values()] == [14.0, 369.368, 2828.474, 628.81]
    assert {relay.act_ret_energy_wh for relay in relays.values()} == {0.0}
