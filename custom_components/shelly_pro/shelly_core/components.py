"""The components of a device as typed, immutable statuses; units stand in the names, `None` is "not reported".

The parts of a component are tuples, immutable as well and made in half the time: a meter has three, each second anew.

Fields by component: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Introduction
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """A conductor of a three-phase supply; the value is the prefix of its fields on the wire."""

    A = "a"
    B = "b"
    C = "c"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """The status of one component of a device."""


class SwitchCounts(NamedTuple):
    """What a relay counts since firmware 2.0; each count has the Unix time of its last reset."""

    on_time_s: float | None
    on_time_reset_ts: float | None
    switched_on: int | None
    switched_on_reset_ts: float | None
    on_above_threshold: int | None
    on_above_threshold_reset_ts: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchStatus(Component):
    """A relay. The electrical quantities are `None` on a Pro 3, which has no meter."""

    id: int
    output: bool | None
    source: str | None
    temperature_c: float | None
    timer_started_at: float | None
    timer_duration_s: float | None
    errors: tuple[str, ...]
    counts: SwitchCounts | None
    act_power_w: float | None
    voltage_v: float | None
    current_a: float | None
    pf: float | None
    freq_hz: float | None
    act_energy_wh: float | None
    act_ret_energy_wh: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputStatus(Component):
    """An input; `state` is `None` for one of type `button`."""

    id: int
    state: bool | None


class PhaseReading(NamedTuple):
    """What a meter measures of one phase. Power is positive from the grid unless the clamp is turned round."""

    voltage_v: float | None
    current_a: float | None
    act_power_w: float | None
    aprt_power_va: float | None
    pf: float | None
    freq_hz: float | None
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmStatus(Component):
    """A three-phase meter; `n_current_a` is `None` without a clamp on the neutral, and no part of the total."""

    id: int
    phases: Mapping[Phase, PhaseReading]
    n_current_a: float | None
    n_errors: tuple[str, ...]
    total_current_a: float | None
    total_act_power_w: float | None
    total_aprt_power_va: float | None
    user_calibrated_phases: tuple[str, ...]
    errors: tuple[str, ...]


class PhaseEnergy(NamedTuple):
    """The counters of one phase; import and export both grow, they are not netted."""

    act_energy_wh: float | None
    act_ret_energy_wh: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmDataStatus(Component):
    """The counters of a three-phase meter."""

    id: int
    phases: Mapping[Phase, PhaseEnergy]
    total_act_energy_wh: float | None
    total_act_ret_energy_wh: float | None
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Em1Status(Component):
    """A single-phase meter."""

    id: int
    current_a: float | None
    voltage_v: float | None
    act_power_w: float | None
    aprt_power_va: float | None
    pf: float | None
    freq_hz: float | None
    calibration: str | None
    errors: tuple[str, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Em1DataStatus(Component):
    """The counters of a single-phase meter."""

    id: int
    act_energy_wh: float | None
    act_ret_energy_wh: float | None
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureStatus(Component):
    """A temperature sensor."""

    id: int
    temperature_c: float | None
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SysStatus(Component):
    """The device itself; `available_updates` has the version by stage, `stable` or `beta`."""

    mac: str | None
    restart_required: bool | None
    unixtime: float | None
    last_sync_ts: float | None
    uptime_s: float | None
    ram_size: int | None
    ram_free: int | None
    fs_size: int | None
    fs_free: int | None
    cfg_rev: int | None
    available_updates: Mapping[str, str]
    reset_reason: int | None
    utc_offset_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WifiStatus(Component):
    """The connection to a wireless network."""

    ip: str | None
    status: str | None
    ssid: str | None
    rssi_dbm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EthStatus(Component):
    """The wired connection; `ip` is `None` without a cable."""

    ip: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttStatus(Component):
    """Whether the device is connected to its broker."""

    connected: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudStatus(Component):
    """Whether the device is connected to the maker's cloud."""

    connected: bool | None
