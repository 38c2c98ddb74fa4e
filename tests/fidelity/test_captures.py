"""The simulator against captures of real devices, where they lie beside the repository in `../shared/captures`."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tests.fidelity.devices import Bench, bench
from tests.fidelity.skeleton import decimals, decode, differences, skeleton
from tests.repository.sources import ROOT
from tests.simulator import wire
from tests.simulator.rpc import RpcFault

CAPTURES = ROOT.parent / "shared" / "captures"
pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="no captures beside this repository")

type Kept = Literal["text", "order", "keys"]
type Ask = Callable[[Bench], Any]


@dataclass(frozen=True)
class Case:
    """One capture, what it still shows of the device's text, and how the simulated device is asked for the same.

    `only` and `drop` name keys that are compared or not: the equipment of another owner, or where the capture was cut.
    """

    name: str
    kept: Kept
    model: str
    release: str
    ask: Ask
    only: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    def chosen(self, value: dict[str, Any]) -> dict[str, Any]:
        """The keys that are compared."""
        return {
            key: item for key, item in value.items() if key not in self.drop and (not self.only or key in self.only)
        }


def call(method: str, **params: wire.Json) -> Ask:
    """Ask by RPC."""
    return lambda found: found.call(method, **params)


def told(method: str, key: str) -> Ask:
    """The params of a notification that comes within the first minutes."""

    def wait(found: Bench) -> Any:
        found.run(130)
        return json.loads(found.texts(method, key)[0])

    return wait


def told_text(method: str, key: str) -> Ask:
    """As `told`, but the text itself."""

    def wait(found: Bench) -> Any:
        found.run(130)
        return found.texts(method, key)[-1]

    return wait


def protected(found: Bench) -> Any:
    found.device.auth_ha1 = "0" * 64
    return found.call("Shelly.GetDeviceInfo")


def switched(found: Bench) -> Any:
    found.call("Switch.Set", id=0, on=True)
    return found.texts("NotifyStatus", "switch:0")[-1]


def configured(method: str, key: str) -> Ask:
    def change(found: Bench) -> Any:
        found.call("Input.SetConfig", id=0, config={"name": "door"})
        return found.texts(method, key)[-1]

    return change


def pressed(event: str) -> Ask:
    def press(found: Bench) -> Any:
        found.device.switchboard.press_front_button()
        found.run(1)
        return found.texts("NotifyEvent", event)[-1]

    return press


def like_a_pro_em(found: Bench) -> Any:
    """A Pro EM has two channels and a relay."""
    status = found.call("Shelly.GetStatus") | {"switch:0": bench("pro3", "1.1").call("Switch.GetStatus", id=0)}
    return {key: status[key] for key in sorted(status) if key not in {"em1:2", "em1data:2", "temperature:0"}}


INFO, STATUS, CONFIG = call("Shelly.GetDeviceInfo"), call("Shelly.GetStatus"), call("Shelly.GetConfig")
PRO_EM = (
    "ble", "bthome", "cloud", "em1:0", "em1:1", "em1data:0", "em1data:1", "eth", "modbus", "mqtt", "wifi", "ws",
)  # fmt: skip
CUT = ("cloud", "script:1", "sys", "temperature:0", "wifi", "ws")
CASES = [
    Case("pro3_v1.1.0_GetDeviceInfo", "keys", "pro3", "1.1.0", INFO),
    Case("pro3_v1.1.0_GetStatus", "keys", "pro3", "1.1.0", STATUS),
    Case("pro3_v1.1.0_GetConfig", "keys", "pro3", "1.1.0", CONFIG, drop=("wifi",)),
    Case("pro3_v1.4.4_GetDeviceInfo", "order", "pro3", "1.4.4", INFO),
    Case("pro3_v1.4.4_GetStatus", "order", "pro3", "1.4.4", STATUS),
    Case("pro3em_tri_v1.1.0_GetDeviceInfo", "keys", "pro3em", "1.1.0", INFO),
    Case("pro3em_tri_v1.1.0_GetStatus", "keys", "pro3em", "1.1.0", STATUS),
    Case("pro3em_tri_v1.1.0_GetConfig", "keys", "pro3em", "1.1.0", CONFIG, drop=("wifi",)),
    Case("pro3em_tri_v1.4.3_GetDeviceInfo", "text", "pro3em", "1.4.3", INFO),
    Case("pro3em_tri_v1.6.1_GetDeviceInfo_auth", "keys", "pro3em", "1.6.1", protected),
    Case("pro3em_tri_v1.6.1_GetStatus", "keys", "pro3em", "1.6.1", STATUS),
    Case("pro3em_tri_v1.6.1_GetConfig", "keys", "pro3em", "1.6.1", CONFIG, drop=("wifi",)),
    Case("pro3em_tri_v1.7.5_GetDeviceInfo", "order", "pro3em", "1.7.5", INFO),
    Case("pro3em_tri_v1.7.5_GetStatus", "order", "pro3em", "1.7.5", STATUS),
    Case("pro3em_tri_v1.7.5_GetConfig", "order", "pro3em", "1.7.5", CONFIG),
    Case(
        "pro3em_tri_v1.7.5_GetComponents", "order", "pro3em", "1.7.5", call("Shelly.GetComponents", dynamic_only=True)
    ),
    Case("pro3em_mono_v1.4.4_GetDeviceInfo", "text", "pro3em-mono", "1.4.4", INFO),
    Case("pro3em400_v0.14.2_GetDeviceInfo", "text", "pro3em400", "0.14.2", INFO),
    Case("proem50_v1.1_GetStatus_http_post", "text", "pro3em-mono", "1.1", like_a_pro_em),
    Case("proem50_v1.7.5_GetStatus", "order", "pro3em-mono", "1.7", STATUS, only=PRO_EM),
    Case("proem50_v1.7.5_GetConfig", "order", "pro3em-mono", "1.7", CONFIG, only=PRO_EM),
    Case("pro3em63_mono_v2.0.0_GetConfig_PARTIAL", "order", "pro3em-mono", "2.0", CONFIG, drop=CUT),
    Case("em0_status_v1.0_nearly_idle", "order", "pro3em", "1.1", call("EM.GetStatus", id=0)),
    Case("ws_NotifyStatus_em0_2024-05", "order", "pro3em", "1.1", told("NotifyStatus", "em:0")),
    Case("mqtt_events_rpc_NotifyStatus_em1_0", "text", "pro3em-mono", "1.4", told_text("NotifyStatus", "em1:0")),
    Case("mqtt_events_rpc_NotifyStatus_em1_1", "text", "pro3em-mono", "1.4", told_text("NotifyStatus", "em1:1")),
    Case("mqtt_events_rpc_NotifyStatus_em1_2", "text", "pro3em-mono", "1.4", told_text("NotifyStatus", "em1:2")),
    Case("mqtt_events_rpc_NotifyStatus_em1data0", "text", "pro3em-mono", "1.4", told_text("NotifyStatus", "em1data:0")),
    Case("mqtt_events_rpc_NotifyStatus_em1data1", "text", "pro3em-mono", "1.4", told_text("NotifyStatus", "em1data:1")),
    Case("mqtt_events_rpc_NotifyStatus_em1data2", "text", "pro3em-mono", "1.4", told_text("NotifyStatus", "em1data:2")),
    Case("mqtt_events_rpc_NotifyEvent_em1data0", "text", "pro3em-mono", "1.4", told_text("NotifyEvent", "data")),
    Case("mqtt_events_rpc_NotifyEvent_em1data2", "text", "pro3em-mono", "1.4", told_text("NotifyEvent", "data")),
    Case("mqtt_events_rpc_NotifyStatus_switch_source_HTTP_in", "text", "pro3", "1.4", switched),
    Case("mqtt_events_rpc_NotifyStatus_sys_cfg_rev", "text", "pro3", "1.4", configured("NotifyStatus", "sys")),
    Case(
        "mqtt_events_rpc_NotifyEvent_config_changed", "text", "pro3", "1.4", configured("NotifyEvent", "config_changed")
    ),
    Case("mqtt_events_rpc_NotifyEvent_pro3_sys_btn_down", "text", "pro3", "1.7", pressed("sys_btn_down")),
    Case("mqtt_events_rpc_NotifyEvent_pro3_sys_btn_up", "text", "pro3", "1.7", pressed("sys_btn_up")),
    Case("mqtt_events_rpc_NotifyEvent_pro3_sys_btn_push", "text", "pro3", "1.7", pressed("sys_btn_push")),
    Case("mqtt_status_input_0", "text", "pro3", "1.1", call("Input.GetStatus", id=0)),
    Case("mqtt_status_mqtt", "text", "pro3", "1.1", call("Mqtt.GetStatus")),
]


def params_of(text: str) -> str:
    """The params of a captured notification frame, as text; any other capture as it is."""
    start = text.find('"params":')
    return text if start < 0 else text.strip()[start + len('"params":') : -1]


def simulated(case: Case) -> str:
    answer = case.ask(bench(case.model, case.release))
    return answer if isinstance(answer, str) else wire.dumps(answer)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_formed_as_captured(case: Case) -> None:
    real, ours = params_of((CAPTURES / f"{case.name}.json").read_text()), simulated(case)
    if case.kept == "text":
        assert tolerant(skeleton(ours)) == tolerant(skeleton(real.strip()))
        return
    found = [case.chosen(settled(decode(text))) for text in (real, ours)]
    assert all(found)
    assert differences(*found, ordered=case.kept == "order") == []


def tolerant(text: str) -> str:
    """Names, SSIDs, addresses and updates may be there or not."""
    for key in ("name", "ssid", "sta_ip", "ip", "auth_domain"):
        text = text.replace(f'"{key}":""', f'"{key}":null')
    return text.replace('"available_updates":{"stable":{"version":""}}', '"available_updates":{}')


def settled(value: dict[str, Any]) -> dict[str, Any]:
    """An answer without the updates that were on offer that day."""
    value.get("sys", {}).pop("available_updates", None)
    return value


def test_unknown_method_and_instance_are_refused_in_the_captured_words() -> None:
    for name, model, method, params in (
        ("http_404_body_no_handler", "pro3em-mono", "EM.GetStatus", {"id": 0}),
        ("http_rpc_error_-105_id_not_found", "pro3em", "EM.GetStatus", {"id": 99}),
    ):
        real = json.loads((CAPTURES / f"{name}.json").read_text())
        with pytest.raises(RpcFault) as refused:
            bench(model).call(method, **params)
        assert {"code": refused.value.code, "message": refused.value.message} == real


def test_a_minute_of_the_history_has_the_captured_columns() -> None:
    page = decode((CAPTURES / "EMData.GetData_pro3em_1739878740.json").read_text())
    found = bench("pro3em")
    found.run(70)
    ours = decode(wire.dumps(found.events("data")[0]["data"]))
    real = [decimals(value) for value in page["data"][0]["values"][0]]
    mine = [decimals(value) for value in ours["values"][0]]
    assert len(mine) == len(page["keys"]) == 51
    assert all(theirs <= places for theirs, places in zip(real, mine, strict=True))
