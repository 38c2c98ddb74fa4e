"""The status of every component as the device tells it: keys, order and decimals of real answers, and the deltas."""

from typing import TYPE_CHECKING, Any

from tests.simulator.house import PHASES, Flow, Phase
from tests.simulator.meter import PhaseMinute, Reading, Record, Spread, totals
from tests.simulator.wire import Fixed, Json, Loose, LooseRow

if TYPE_CHECKING:
    from tests.simulator.meter import Counters
    from tests.simulator.models import Firmware
    from tests.simulator.relay import Relay

type Status = dict[str, Any]

FAILURE = "power_meter_failure"
EM_ERRORS = (FAILURE, "phase_sequence", "ct_type_not_set")
"""Component errors that a quirk of the same name switches on."""
LIMIT_V = 280.0
LIMITS_A = {"120A": 120.0, "400A": 400.0}


def _told_pf(flow: Flow, firmware: Firmware) -> Fixed:
    leading = firmware.signs_power_factor and flow.reactive_var < 0
    return Fixed(-flow.pf if leading else flow.pf, 2)


def phase_values(flow: Flow, current_a: float, firmware: Firmware) -> Status:
    """What a meter measures on one phase, in the order of GetStatus."""
    values: Status = {
        "current": Fixed(current_a, 3),
        "voltage": Fixed(flow.voltage_v, 1),
        "act_power": Fixed(flow.power_w, 1),
        "aprt_power": Fixed(flow.apparent_va, 1),
        "pf": _told_pf(flow, firmware),
    }
    return values | ({"freq": Fixed(flow.freq_hz, 1)} if firmware.has_frequency else {})


def _out_of_range(values: Status, limit_a: float) -> list[str]:
    beyond = (("voltage", values["voltage"] > LIMIT_V), ("current", values["current"] > limit_a))
    return [f"out_of_range:{name}" for name, is_beyond in beyond if is_beyond]


def em(reading: Reading, firmware: Firmware, ct_type: str | None, *, neutral: bool, errors: list[str]) -> Status:
    """`em:0` of GetStatus."""
    status: Status = {"id": 0}
    limit_a = LIMITS_A[ct_type or "120A"]
    for phase in PHASES:
        values = phase_values(reading.flows[phase], reading.currents_a[phase], firmware)
        status |= {f"{phase}_{name}": value for name, value in values.items()}
        if found := _out_of_range(values, limit_a):
            status[f"{phase}_errors"] = list(found)
    current_a, power_w, apparent_va = totals(reading)
    status |= {
        "n_current": Fixed(reading.neutral_a, 3) if neutral else None,
        "total_current": Fixed(current_a, 3),
        "total_act_power": Fixed(power_w, 3),
        "total_aprt_power": Fixed(apparent_va, 3),
        "user_calibrated_phase": [],
    }
    if errors:
        status["errors"] = list(errors)
    keys = tuple(f"{phase}_freq" for phase in PHASES)
    return _with_blanks(_unmeasured(status) if FAILURE in errors else status, firmware, keys)


def em1(number: int, reading: Reading, firmware: Firmware, ct_type: str | None, errors: list[str]) -> Status:
    """`em1:n` of GetStatus; voltage comes first since 1.5."""
    phase = PHASES[number]
    values = phase_values(reading.flows[phase], reading.currents_a[phase], firmware)
    if firmware.has_sync_ts:
        values = {"voltage": values["voltage"]} | values
    status: Status = {"id": number, **values, "calibration": "factory"}
    if found := [*_out_of_range(values, LIMITS_A[ct_type or "120A"]), *errors]:
        status["errors"] = found
    return _with_blanks(_unmeasured(status) if FAILURE in errors else status, firmware, ("freq",))


def _unmeasured(status: Status) -> Status:
    """Every measured number null, as the documentation allows when the meter chip fails."""
    return {key: None if isinstance(value, Fixed) else value for key, value in status.items()}


def _with_blanks(status: Status, firmware: Firmware, keys: tuple[str, ...]) -> Status:
    """A blank before the frequency, as 1.x prints it."""
    return status if firmware.has_counts else Loose(status, before=keys)


def emdata(counters: dict[Phase, Counters], dip_wh: float) -> Status:
    """`emdata:0`; `dip_wh` is how much too low the counters are told."""
    status: Status = {"id": 0}
    for phase, wh in counters.items():
        status[f"{phase}_total_act_energy"] = Fixed(wh.act_wh - dip_wh, 2)
        status[f"{phase}_total_act_ret_energy"] = Fixed(wh.ret_wh, 2)
    status["total_act"] = Fixed(sum(wh.act_wh - dip_wh for wh in counters.values()), 2)
    status["total_act_ret"] = Fixed(sum(wh.ret_wh for wh in counters.values()), 2)
    return status


def em1data(number: int, counters: dict[Phase, Counters], dip_wh: float) -> Status:
    """`em1data:n`."""
    wh = counters[PHASES[number]]
    return {
        "id": number,
        "total_act_energy": Fixed(wh.act_wh - dip_wh, 2),
        "total_act_ret_energy": Fixed(wh.ret_wh, 2),
    }


def _spread(spread: Spread, decimals: int) -> list[Json]:
    return [Fixed(spread.most, decimals), Fixed(spread.least, decimals)]


def phase_record(minute: PhaseMinute, *, fundamental: float | None) -> list[Json]:
    """One phase of a record: 16 numbers, or 14 without the fundamental wave (em1data)."""
    act: list[Json] = [Fixed(minute.act_wh, 4)]
    ret: list[Json] = [Fixed(minute.ret_wh, 4)]
    if fundamental is not None:
        act.append(Fixed(minute.act_wh * fundamental, 4))
        ret.append(Fixed(minute.ret_wh * fundamental, 4))
    return [
        *act,
        *ret,
        Fixed(minute.lag_varh, 4),
        Fixed(minute.lead_varh, 4),
        *_spread(minute.power, 1),
        *_spread(minute.apparent, 1),
        *_spread(minute.voltage, 3),
        Fixed(minute.voltage.mean, 3),
        *_spread(minute.current, 3),
        Fixed(minute.current.mean, 3),
    ]


def em_record(record: Record, fundamental: float) -> list[Json]:
    """The 51 numbers of an EMData record."""
    row = LooseRow()
    for phase in PHASES:
        row += phase_record(record.phases[phase], fundamental=fundamental)
    return LooseRow([*row, *_spread(record.neutral, 3), Fixed(record.neutral.mean, 3)])


def em1_record(record: Record, number: int) -> list[Json]:
    """The 14 numbers of an EM1Data record."""
    return LooseRow(phase_record(record.phases[PHASES[number]], fundamental=None))


def data_block(record: Record, row: list[Json], *, documented: bool = False) -> Json:
    """`data` of the event that tells a record: an object, although the EMData page documents an array."""
    block: Status = Loose({"ts": record.ts, "period": 60, "values": [row]}, after=("ts", "period"))
    return [block] if documented else block


def celsius(degrees: float) -> Status:
    """A temperature in both scales."""
    return Loose({"tC": Fixed(degrees, 1), "tF": Fixed(degrees * 9 / 5 + 32, 1)}, before=("tF",))


def temperature(number: int, degrees: float) -> Status:
    """`temperature:n`."""
    return Loose({"id": number, **celsius(degrees)}, before=("tF",), after=("id",))


def switch(relay: Relay, degrees: float, firmware: Firmware, now: float) -> Status:
    """`switch:n` of a relay without metering."""
    output, source = relay.at(now)
    status: Status = {"id": relay.id, "source": source, "output": output}
    if relay.timer_started_at is not None and relay.timer_duration is not None:
        status["timer_started_at"] = Fixed(relay.timer_started_at, 2)
        status["timer_duration"] = Fixed(relay.timer_duration, 2)
    status["temperature"] = celsius(degrees)
    if firmware.has_counts:
        status["tag"] = None
        status["counts"] = switch_counts(relay, now)
    return Loose(status, before=("source", "output"))


def switch_counts(relay: Relay, now: float) -> Status:
    """How long and how often a relay was on, since 2.0.0."""
    running = 0.0 if relay.on_since is None else now - relay.on_since
    return {
        "on_time": int(relay.on_time_s + running),
        "on_time_rst_ts": relay.on_time_rst_ts,
        "switch_on": relay.switched_on,
        "switch_on_rst_ts": relay.switch_on_rst_ts,
        "on_above_thr": 0,
        "on_above_thr_rst_ts": 0,
    }


def delta(status: Status, *, drop: tuple[str, ...]) -> Status:
    """A notification's order: `id` first, then alphabetical, without the blanks of GetStatus."""
    return {"id": status["id"]} | {key: status[key] for key in sorted(status) if key != "id" and key not in drop}
