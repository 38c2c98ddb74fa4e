"""From the status a device sent to a typed component: one function for each kind."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .components import (
    CloudStatus,
    Component,
    Em1DataStatus,
    Em1Status,
    EmDataStatus,
    EmStatus,
    EthStatus,
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
from .errors import FrameError
from .validation import check, table_of


def decode(key: str, raw: Mapping[str, Any]) -> Component | None:
    """Decode the status of component `key`; `None` if it is of a kind not modelled. Raises `FrameError`."""
    if (rejection := check(key, raw)) is not None:
        raise FrameError(rejection.reason)
    return build(key, raw)


def build(key: str, raw: Mapping[str, Any]) -> Component | None:
    """Decode a status that `validation.check` has passed."""
    kind, number, _ = table_of(key)
    builder = _BUILDERS.get(kind)
    return None if builder is None else builder(number, raw)


def kind_of(component: type[Component]) -> str:
    """Return the name of a component type on the wire, as in `em:0`."""
    return _KINDS[component]


def _names(raw: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """Return a list of error or flag names, which is only there while it is not empty."""
    names = raw.get(field)
    return () if names is None else tuple(names)


def _texts(listed: Any) -> tuple[str, ...]:
    """Return the texts of a list of which the documentation does not say what else it may hold."""
    if type(listed) is not list or not listed:
        return ()
    return tuple(item for item in listed if isinstance(item, str))


def _inside(raw: Mapping[str, Any], group: str, field: str) -> Any:
    inner = raw.get(group)
    return None if inner is None else inner.get(field)


def _switch(number: int, raw: Mapping[str, Any]) -> SwitchStatus:
    get, counts = raw.get, raw.get("counts")
    return SwitchStatus(
        id=number,
        output=get("output"),
        source=get("source"),
        temperature_c=_inside(raw, "temperature", "tC"),
        timer_started_at=get("timer_started_at"),
        timer_duration_s=get("timer_duration"),
        errors=_names(raw, "errors"),
        counts=None if counts is None else _switch_counts(counts),
        act_power_w=get("apower"),
        voltage_v=get("voltage"),
        current_a=get("current"),
        pf=get("pf"),
        freq_hz=get("freq"),
        act_energy_wh=_inside(raw, "aenergy", "total"),
        act_ret_energy_wh=_inside(raw, "ret_aenergy", "total"),
    )


def _switch_counts(raw: Mapping[str, Any]) -> SwitchCounts:
    get = raw.get
    return SwitchCounts(
        on_time_s=get("on_time"),
        on_time_reset_ts=get("on_time_rst_ts"),
        switched_on=get("switch_on"),
        switched_on_reset_ts=get("switch_on_rst_ts"),
        on_above_threshold=get("on_above_thr"),
        on_above_threshold_reset_ts=get("on_above_thr_rst_ts"),
    )


def _input(number: int, raw: Mapping[str, Any]) -> InputStatus:
    return InputStatus(id=number, state=raw.get("state"))


_PHASE_FIELDS = tuple(
    (
        phase,
        tuple(
            f"{phase}_{field}" for field in ("voltage", "current", "act_power", "aprt_power", "pf", "freq", "errors")
        ),
    )
    for phase in Phase
)
"""The names of a phase's fields: put together once, not for every reading."""


def _em(number: int, raw: Mapping[str, Any]) -> EmStatus:
    """Decode what a meter tells once a second: positional arguments take half the time of named ones."""
    get = raw.get
    return EmStatus(
        number,
        MappingProxyType({phase: _phase_reading(fields, get) for phase, fields in _PHASE_FIELDS}),
        get("n_current"),
        _names(raw, "n_errors"),
        get("total_current"),
        get("total_act_power"),
        get("total_aprt_power"),
        _texts(get("user_calibrated_phase")),
        _names(raw, "errors"),
    )


def _phase_reading(fields: tuple[str, ...], get: Callable[[str], Any]) -> PhaseReading:
    voltage, current, act_power, aprt_power, pf, freq, errors = fields
    names = get(errors)
    return PhaseReading(
        get(voltage),
        get(current),
        get(act_power),
        get(aprt_power),
        get(pf),
        get(freq),
        () if names is None else tuple(names),
    )


def _emdata(number: int, raw: Mapping[str, Any]) -> EmDataStatus:
    get = raw.get
    return EmDataStatus(
        id=number,
        phases=MappingProxyType(
            {
                phase: PhaseEnergy(
                    act_energy_wh=get(f"{phase}_total_act_energy"),
                    act_ret_energy_wh=get(f"{phase}_total_act_ret_energy"),
                )
                for phase in Phase
            }
        ),
        total_act_energy_wh=get("total_act"),
        total_act_ret_energy_wh=get("total_act_ret"),
        errors=_names(raw, "errors"),
    )


def _em1(number: int, raw: Mapping[str, Any]) -> Em1Status:
    get = raw.get
    return Em1Status(
        id=number,
        current_a=get("current"),
        voltage_v=get("voltage"),
        act_power_w=get("act_power"),
        aprt_power_va=get("aprt_power"),
        pf=get("pf"),
        freq_hz=get("freq"),
        calibration=get("calibration"),
        errors=_names(raw, "errors"),
        flags=_names(raw, "flags"),
    )


def _em1data(number: int, raw: Mapping[str, Any]) -> Em1DataStatus:
    return Em1DataStatus(
        id=number,
        act_energy_wh=raw.get("total_act_energy"),
        act_ret_energy_wh=raw.get("total_act_ret_energy"),
        errors=_names(raw, "errors"),
    )


def _temperature(number: int, raw: Mapping[str, Any]) -> TemperatureStatus:
    return TemperatureStatus(id=number, temperature_c=raw.get("tC"), errors=_names(raw, "errors"))


def _sys(_number: int, raw: Mapping[str, Any]) -> SysStatus:
    get = raw.get
    return SysStatus(
        mac=get("mac"),
        restart_required=get("restart_required"),
        unixtime=get("unixtime"),
        last_sync_ts=get("last_sync_ts"),
        uptime_s=get("uptime"),
        ram_size=get("ram_size"),
        ram_free=get("ram_free"),
        fs_size=get("fs_size"),
        fs_free=get("fs_free"),
        cfg_rev=get("cfg_rev"),
        available_updates=MappingProxyType(_versions(get("available_updates"))),
        reset_reason=get("reset_reason"),
        utc_offset_s=get("utc_offset"),
    )


def _versions(updates: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the version by stage; a stage without one offers nothing."""
    if updates is None:
        return {}
    return {stage: update["version"] for stage, update in updates.items() if update and update.get("version")}


def _wifi(_number: int, raw: Mapping[str, Any]) -> WifiStatus:
    get = raw.get
    return WifiStatus(ip=get("sta_ip"), status=get("status"), ssid=get("ssid"), rssi_dbm=get("rssi"))


_BUILDERS: dict[str, Callable[[int, Mapping[str, Any]], Component]] = {
    "switch": _switch,
    "input": _input,
    "em": _em,
    "emdata": _emdata,
    "em1": _em1,
    "em1data": _em1data,
    "temperature": _temperature,
    "sys": _sys,
    "wifi": _wifi,
    "eth": lambda _number, raw: EthStatus(ip=raw.get("ip")),
    "mqtt": lambda _number, raw: MqttStatus(connected=raw.get("connected")),
    "cloud": lambda _number, raw: CloudStatus(connected=raw.get("connected")),
}

_KINDS: dict[type[Component], str] = {
    SwitchStatus: "switch",
    InputStatus: "input",
    EmStatus: "em",
    EmDataStatus: "emdata",
    Em1Status: "em1",
    Em1DataStatus: "em1data",
    TemperatureStatus: "temperature",
    SysStatus: "sys",
    WifiStatus: "wifi",
    EthStatus: "eth",
    MqttStatus: "mqtt",
    CloudStatus: "cloud",
}
