"""GetRecords and GetData of emdata and em1data: the minutes that a meter keeps.

https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/EMData and …/EM1Data
"""

import heapq
from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING

from tests.simulator import settings, status
from tests.simulator.house import PHASES
from tests.simulator.ledger import MINUTE_S
from tests.simulator.meter import FUNDAMENTAL, Record
from tests.simulator.rpc import Handler, Params, flag, instance, number, required
from tests.simulator.wire import Json

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice

PAGE = 6
"""So many records a Pro 3EM tells at once: seven captured pages hold six each. Of EM1Data there is none."""
MAX_TS = 1e11
PHASE_KEYS = (
    "total_act_energy", "fund_act_energy", "total_act_ret_energy", "fund_act_ret_energy",
    "lag_react_energy", "lead_react_energy",
    "max_act_power", "min_act_power", "max_aprt_power", "min_aprt_power",
    "max_voltage", "min_voltage", "avg_voltage", "max_current", "min_current", "avg_current",
)  # fmt: skip
NEUTRAL_KEYS = ("n_max_current", "n_min_current", "n_avg_current")


def keys_of(kind: str) -> list[str]:
    """The columns of a kind of component: 51 of emdata, 14 of em1data."""
    if kind == "emdata":
        return [*(f"{phase}_{key}" for phase in PHASES for key in PHASE_KEYS), *NEUTRAL_KEYS]
    return [key for key in PHASE_KEYS if not key.startswith("fund_")]


def handlers(device: VirtualDevice) -> dict[str, Handler]:
    """The methods of the profile that is active."""
    found: dict[str, Handler] = {}
    for kind, space in (("emdata", "EMData"), ("em1data", "EM1Data")):
        if ids := list(settings.instances(device.settings, kind)):
            found[f"{space}.GetRecords"] = _get_records(device, ids)
            found[f"{space}.GetData"] = _get_data(device, kind, ids)
    return found


def _get_records(device: VirtualDevice, ids: list[int]) -> Handler:
    def get_records(params: Params, _source: str) -> Json:
        instance(params, ids)
        return {"data_blocks": _blocks(_kept(device, _time(params, "ts", 0.0), inf))}

    return get_records


def _get_data(device: VirtualDevice, kind: str, ids: list[int]) -> Handler:
    def get_data(params: Params, _source: str) -> Json:
        component = instance(params, ids)
        first = number("ts", required(params, "ts"), most=MAX_TS)
        kept = _kept(device, first, _time(params, "end_ts", inf))
        page = heapq.nsmallest(PAGE + 1, kept, key=lambda record: record.ts)
        answer: dict[str, Json] = {}
        if "add_keys" not in params or flag(params, "add_keys"):
            answer["keys"] = list[Json](keys_of(kind))
        answer["data"] = _data(page[:PAGE], kind, component)
        return answer | ({"next_record_ts": page[PAGE].ts} if len(page) > PAGE else {})

    return get_data


def _time(params: Params, name: str, default: float) -> float:
    return number(name, params[name], most=MAX_TS) if name in params else default


def _kept(device: VirtualDevice, first: float, last: float) -> Iterable[Record]:
    """Records that begin within a time, both ends included, as they were written."""
    records = () if device.meter is None else device.meter.records
    return (record for record in records if first <= record.ts <= last)


def _runs(records: Iterable[Record]) -> list[list[Record]]:
    """Split where the next minute is missing: power was gone, or the clock was set."""
    runs: list[list[Record]] = []
    for record in records:
        if not runs or record.ts != runs[-1][-1].ts + MINUTE_S:
            runs.append([])
        runs[-1].append(record)
    return runs


def _blocks(records: Iterable[Record]) -> list[Json]:
    return [{"ts": run[0].ts, "period": MINUTE_S, "records": len(run)} for run in _runs(records)]


def _data(records: Iterable[Record], kind: str, component: int) -> list[Json]:
    def row(record: Record) -> Json:
        return status.em_record(record, FUNDAMENTAL) if kind == "emdata" else status.em1_record(record, component)

    return [{"ts": run[0].ts, "period": MINUTE_S, "values": [row(record) for record in run]} for run in _runs(records)]
