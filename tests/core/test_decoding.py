from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

import shelly_core
from shelly_core import (
    CloudStatus,
    Component,
    Em1DataStatus,
    Em1Status,
    EmDataStatus,
    EmStatus,
    EthStatus,
    FrameError,
    InputStatus,
    MqttStatus,
    Phase,
    PhaseEnergy,
    PhaseReading,
    SwitchCounts,
    SwitchStatus,
    SysStatus,
    TemperatureStatus,
    WifiStatus,
)
from shelly_core.decoding import decode, kind_of
from tests.core.payloads import fixture
from tests.core.typed import assert_typed


def component(name: str, key: str) -> Component | None:
    return decode(key, fixture(name, "Shelly.GetStatus")[key])


PRO3_RELAY: dict[str, Any] = {
    "source": "init",
    "output": False,
    "temperature_c": 41.3,
    "timer_started_at": None,
    "timer_duration_s": None,
    "errors": (),
    "counts": None,
    **dict.fromkeys(("act_power_w", "voltage_v", "current_a", "pf", "freq_hz", "act_energy_wh", "act_ret_energy_wh")),
}


def test_relay_without_meter() -> None:
    assert component("shellypro3-1.4.4", "switch:0") == SwitchStatus(id=0, **PRO3_RELAY)
    assert component("shellypro3-1.4.4", "switch:1") == SwitchStatus(
        id=1,
        **PRO3_RELAY | {"source": "SHC", "output": True, "timer_started_at": 1763989512.37, "timer_duration_s": 900.0},
    )
    assert component("shellypro3-1.4.4", "switch:2") == SwitchStatus(
        id=2, **PRO3_RELAY | {"source": "button", "errors": ("overtemp",)}
    )


def test_relay_that_counts() -> None:
    relay = component("shellypro3-2.0.1", "switch:0")
    assert isinstance(relay, SwitchStatus)
    assert relay.counts is not None
    assert (relay.counts.on_time_s, relay.counts.switched_on, relay.counts.on_above_threshold) == (86412, 17, 0)
    names = ("on_time", "on_time_rst_ts", "switch_on", "switch_on_rst_ts", "on_above_thr", "on_above_thr_rst_ts")
    numbered = decode("switch:0", {"counts": {name: number for number, name in enumerate(names)}})
    assert isinstance(numbered, SwitchStatus)
    assert numbered.counts == SwitchCounts(
        on_time_s=0,
        on_time_reset_ts=1,
        switched_on=2,
        switched_on_reset_ts=3,
        on_above_threshold=4,
        on_above_threshold_reset_ts=5,
    )


def test_relay_with_meter() -> None:
    raw = {
        "id": 2,
        "apower": 428.3,
        "voltage": 228.5,
        "freq": 50.0,
        "current": 2.457,
        "pf": 0.80,
        "aenergy": {"total": 2828.474, "by_minute": [7161.568], "minute_ts": 1763989200},
        "ret_aenergy": {"total": 0.000},
    }
    relay = decode("switch:2", raw)
    assert isinstance(relay, SwitchStatus)
    assert (relay.act_power_w, relay.voltage_v, relay.current_a, relay.pf) == (428.3, 228.5, 2.457, 0.8)
    assert (relay.freq_hz, relay.act_energy_wh, relay.act_ret_energy_wh) == (50.0, 2828.474, 0.0)
    assert (relay.output, relay.source, relay.temperature_c) == (None, None, None)


def test_inputs() -> None:
    states = {key: component("shellypro3-1.4.4", key) for key in ("input:0", "input:1", "input:2")}
    assert states == {
        "input:0": InputStatus(id=0, state=False),
        "input:1": InputStatus(id=1, state=True),
        "input:2": InputStatus(id=2, state=None),
    }


def test_three_phase_meter_with_an_unwired_phase() -> None:
    em = component("shellypro3em-1.7.5", "em:0")
    assert isinstance(em, EmStatus)
    assert em.phases == {
        Phase.A: PhaseReading(
            voltage_v=231.7, current_a=4.412, act_power_w=1002.6, aprt_power_va=1022.1, pf=0.98, freq_hz=50.0, errors=()
        ),
        # Zero is a value, and there is a little noise on the clamp.
        Phase.B: PhaseReading(
            voltage_v=0.0, current_a=0.027, act_power_w=0.0, aprt_power_va=0.0, pf=0.0, freq_hz=0.0, errors=()
        ),
        Phase.C: PhaseReading(
            voltage_v=233.4,
            current_a=7.955,
            act_power_w=-1841.3,
            aprt_power_va=1856.9,
            pf=-0.99,
            freq_hz=50.0,
            errors=(),
        ),
    }
    assert (em.total_current_a, em.total_act_power_w, em.total_aprt_power_va) == (12.394, -838.704, 2879.013)
    assert (em.id, em.n_current_a, em.n_errors, em.user_calibrated_phases, em.errors) == (0, None, (), (), ())


def test_three_phase_meter_with_errors_and_a_neutral_clamp() -> None:
    em = component("shellypro3em-1.1.0", "em:0")
    assert isinstance(em, EmStatus)
    assert {phase: reading.errors for phase, reading in em.phases.items()} == {
        Phase.A: (),
        Phase.B: ("out_of_range:current", "out_of_range:voltage"),
        Phase.C: (),
    }
    assert (em.n_current_a, em.n_errors, em.errors) == (1.771, ("out_of_range:current",), ("phase_sequence",))
    assert em.user_calibrated_phases == ("a",)


def test_old_firmware_knows_no_frequency() -> None:
    em = component("shellypro3em400-0.14.2", "em:0")
    assert isinstance(em, EmStatus)
    assert {reading.freq_hz for reading in em.phases.values()} == {None}
    assert em.phases[Phase.C].errors == ("no_load",)


def test_counters() -> None:
    assert component("shellypro3em-1.7.5", "emdata:0") == EmDataStatus(
        id=0,
        phases={
            Phase.A: PhaseEnergy(act_energy_wh=1284410.52, act_ret_energy_wh=0.0),
            Phase.B: PhaseEnergy(act_energy_wh=0.0, act_ret_energy_wh=0.0),
            Phase.C: PhaseEnergy(act_energy_wh=301877.19, act_ret_energy_wh=955012.04),
        },
        total_act_energy_wh=1586287.72,
        total_act_ret_energy_wh=955012.04,
        errors=(),
    )
    assert component("shellypro3em-mono-1.4.4", "em1data:0") == Em1DataStatus(
        id=0, act_energy_wh=6737.72, act_ret_energy_wh=1.78, errors=()
    )
    failed = component("shellypro3em-1.1.0", "emdata:0")
    assert isinstance(failed, EmDataStatus)
    assert failed.errors == ("database_error",)


def test_counters_of_the_first_firmware_are_missing() -> None:
    emdata = decode("emdata:0", {"id": 0})
    assert isinstance(emdata, EmDataStatus)
    assert emdata.total_act_energy_wh is None
    assert set(emdata.phases.values()) == {PhaseEnergy(act_energy_wh=None, act_ret_energy_wh=None)}


def test_single_phase_meters() -> None:
    assert component("shellypro3em-mono-1.4.4", "em1:0") == Em1Status(
        id=0,
        current_a=1.204,
        voltage_v=230.9,
        act_power_w=261.3,
        aprt_power_va=278.1,
        pf=0.94,
        freq_hz=50.0,
        calibration="factory",
        errors=(),
        flags=(),
    )
    failed = component("shellypro3em-mono-1.4.4", "em1:2")
    assert isinstance(failed, Em1Status)
    assert (failed.errors, failed.flags) == (("out_of_range:current",), ("count_disabled",))


def test_device_components() -> None:
    name = "shellypro3em-1.7.5"
    assert component(name, "temperature:0") == TemperatureStatus(id=0, temperature_c=47.0, errors=())
    assert component("shellypro3em400-0.14.2", "temperature:0") == TemperatureStatus(
        id=0, temperature_c=None, errors=("read",)
    )
    assert component(name, "wifi") == WifiStatus(ip="192.0.2.53", status="got ip", ssid="Workshop", rssi_dbm=-58)
    assert component(name, "eth") == EthStatus(ip="192.0.2.52")
    assert component(name, "mqtt") == MqttStatus(connected=False)
    assert component("shellypro3em-1.1.0", "cloud") == CloudStatus(connected=True)
    assert component(name, "sys") == SysStatus(
        mac="FCE8C0D41A90",
        restart_required=False,
        unixtime=1763989245,
        last_sync_ts=1763989015,
        uptime_s=1209611,
        ram_size=244344,
        ram_free=113920,
        fs_size=524288,
        fs_free=188416,
        cfg_rev=31,
        available_updates={"stable": "2.0.1"},
        reset_reason=3,
        utc_offset_s=3600,
    )


@pytest.mark.parametrize(
    ("raw", "versions"),
    [
        (None, {}),
        ({}, {}),
        (
            {"stable": {"version": "1.7.5"}, "beta": {"version": "2.0.0-beta2"}},
            {"stable": "1.7.5", "beta": "2.0.0-beta2"},
        ),
        ({"stable": None, "beta": {}}, {}),
        ({"stable": {"version": None}, "beta": {"version": ""}}, {}),
    ],
)
def test_available_updates(raw: Any, versions: dict[str, str]) -> None:
    system = decode("sys", {"available_updates": raw})
    assert isinstance(system, SysStatus)
    assert system.available_updates == versions


@pytest.mark.parametrize("raw", [None, "a", [None, 1, "a", {}]])
def test_calibrated_phases_may_be_anything(raw: Any) -> None:
    em = decode("em:0", {"user_calibrated_phase": raw})
    assert isinstance(em, EmStatus)
    assert em.user_calibrated_phases == (("a",) if isinstance(raw, list) else ())


def test_other_components_are_not_modelled() -> None:
    assert decode("script:1", {"id": 1, "running": True}) is None
    assert decode("ble", {}) is None


def test_what_is_not_valid_is_not_decoded() -> None:
    with pytest.raises(FrameError, match="wrong type"):
        decode("em:0", {"a_voltage": "230"})


STATUSES = [
    value
    for value in vars(shelly_core).values()
    if isinstance(value, type) and issubclass(value, Component) and value is not Component
]


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.__name__)
def test_statuses_are_immutable_and_decode_from_nothing(status: type[Component]) -> None:
    kind = kind_of(status)
    empty = decode(kind, {}) or decode(f"{kind}:3", {})
    assert type(empty) is status
    assert_typed(empty)
    for field in fields(empty):
        with pytest.raises(FrozenInstanceError):
            setattr(empty, field.name, 1)
    with pytest.raises((AttributeError, TypeError)):
        empty.unknown = 1  # type: ignore[attr-defined]


def test_mappings_inside_of_a_status_are_immutable() -> None:
    em = component("shellypro3em-1.7.5", "em:0")
    assert isinstance(em, EmStatus)
    with pytest.raises(TypeError):
        em.phases[Phase.A] = em.phases[Phase.B]  # type: ignore[index]
    with pytest.raises(AttributeError):
        em.phases[Phase.A].voltage_v = 1.0  # type: ignore[misc]
