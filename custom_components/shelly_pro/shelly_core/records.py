"""The minutes that a meter keeps for sixty days: told one by one as they end, and fetched back in pages.

What is no record raises `FrameError`. A value that cannot be is left out of its record, which says so, and the rest is
kept: an energy counts though the voltage beside it is nonsense. Records of a clock that was not set yet are left out.
https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/EMData and …/EM1Data
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .errors import FrameError
from .frame import Event, Json, is_ts
from .validation import OUT_OF_RANGE, WIDEST, WRONG_TYPE, Limits, Rejection, table_of

FIRST_TS = 1_000_000_000
"""Before its clock is set a device counts from its boot, so that a record may be of second 180."""
MAX_PERIOD_S = 86_400
MAX_BLOCK_RECORDS = 10_000_000
PHASE_FIELDS = (
    "total_act_energy", "fund_act_energy", "total_act_ret_energy", "fund_act_ret_energy",
    "lag_react_energy", "lead_react_energy",
    "max_act_power", "min_act_power", "max_aprt_power", "min_aprt_power",
    "max_voltage", "min_voltage", "avg_voltage", "max_current", "min_current", "avg_current",
)  # fmt: skip
"""What is stored of a phase: Wh and VARh of this minute alone, W, VA, V, A."""
NEUTRAL_FIELDS = ("n_max_current", "n_min_current", "n_avg_current")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "emdata": (*(f"{phase}_{field}" for phase in "abc" for field in PHASE_FIELDS), *NEUTRAL_FIELDS),
    "em1data": tuple(field for field in PHASE_FIELDS if not field.startswith("fund_")),
}
"""The columns by kind of component, in the device's order."""
_FIELDS_BY_COUNT = {len(fields): fields for fields in FIELDS.values()}


class Record(NamedTuple):
    """What was measured in the `period_s` seconds from `ts` on; `values` by the device's names, energies not summed up.

    `rejections` are the values left out, with the name of the field in place of a component's key as well.
    """

    ts: int
    period_s: int
    values: Mapping[str, float]
    rejections: tuple[Rejection, ...] = ()


class Block(NamedTuple):
    """Records without a hole between them: the first begins at `ts`."""

    ts: int
    period_s: int
    records: int


def parse_event(event: Event, limits: Limits = WIDEST) -> tuple[Record, ...]:
    """Return the records of an event `data` of emdata or em1data.

    `data` is an object on real devices, an array of such in the documentation; it never names its columns.
    """
    fields = FIELDS.get(table_of(event.component)[0])
    if fields is None or event.event != "data":
        raise FrameError("no record")
    data = event.data.get("data")
    return _synced(data if type(data) is list else [data], fields, limits)


def parse_data(result: Json, limits: Limits = WIDEST) -> tuple[tuple[Record, ...], int | None]:
    """Return the records of an answer to EMData.GetData or EM1Data.GetData, and where the next page begins if any."""
    if type(result) is not dict or type(blocks := result.get("data")) is not list:
        raise FrameError("no data")
    next_ts = result.get("next_record_ts")
    records = _synced(blocks, _named(result.get("keys")), limits)
    return records, None if next_ts is None else _ts(next_ts)


def parse_records(result: Json) -> tuple[Block, ...]:
    """Return which records the device has, from an answer to EMData.GetRecords or EM1Data.GetRecords."""
    if type(result) is not dict or type(listed := result.get("data_blocks")) is not list:
        raise FrameError("no data_blocks")
    blocks = tuple(_block(raw) for raw in listed)
    return tuple(block for block in blocks if block.ts >= FIRST_TS)


def _block(raw: Json) -> Block:
    if type(raw) is not dict:
        raise FrameError("wrong block")
    count = raw.get("records")
    if type(count) is not int or not 0 <= count <= MAX_BLOCK_RECORDS:
        raise FrameError("wrong number of records")
    return Block(_ts(raw.get("ts")), _period(raw.get("period")), count)


def _named(keys: Json) -> tuple[str, ...] | None:
    """Return the columns that an answer names; `None` if it names none, as it was asked with `add_keys` false."""
    if keys is None:
        return None
    if type(keys) is not list:
        raise FrameError("wrong keys")
    names = tuple(key for key in keys if type(key) is str)
    if len(set(names)) != len(keys):
        raise FrameError("wrong keys")
    return names


def _synced(blocks: Sequence[Any], fields: tuple[str, ...] | None, limits: Limits) -> tuple[Record, ...]:
    records = tuple(record for raw in blocks for record in _rows(raw, fields, limits))
    return tuple(record for record in records if record.ts >= FIRST_TS)


def _rows(raw: Json, fields: tuple[str, ...] | None, limits: Limits) -> Iterator[Record]:
    """Yield the records of `{"ts", "period", "values": [[…], …]}`, one for each row."""
    if type(raw) is not dict or type(rows := raw.get("values")) is not list:
        raise FrameError("wrong record")
    ts, period_s = _ts(raw.get("ts")), _period(raw.get("period"))
    bounds = _bounds(limits, period_s)
    for index, row in enumerate(rows):
        if type(row) is not list:
            raise FrameError("wrong record")
        columns = _FIELDS_BY_COUNT.get(len(row)) if fields is None else fields
        if columns is None or len(columns) != len(row):
            raise FrameError("wrong number of values")
        yield _record(ts + index * period_s, period_s, zip(columns, row, strict=True), bounds)


def _record(
    ts: int, period_s: int, columns: Iterator[tuple[str, Any]], bounds: Mapping[str, tuple[float, float]]
) -> Record:
    """Null is no value; neither is what the device's documentation does not name, since nothing reads it."""
    values, rejections = dict[str, float](), list[Rejection]()
    for field, value in columns:
        if value is None or (bound := bounds.get(field)) is None:
            continue
        if type(value) is not float and type(value) is not int:
            rejections.append(Rejection(field, field, WRONG_TYPE, value))
        elif bound[0] <= value <= bound[1]:
            values[field] = float(value)
        else:
            rejections.append(Rejection(field, field, OUT_OF_RANGE, value))
    return Record(ts, period_s, values, tuple(rejections))


@lru_cache(maxsize=64)
def _bounds(limits: Limits, period_s: int) -> Mapping[str, tuple[float, float]]:
    """Return between what each field must lie: as the meter's readings, and energies as what these add up to."""
    found: dict[str, tuple[float, float]] = {}
    tables = {"em": ("a_", "b_", "c_"), "em1": ("",)}
    for kind, prefixes in tables.items():
        readings = limits.tables[kind].bounds
        for prefix in prefixes:
            most_wh = readings[f"{prefix}act_power"][1] * period_s / 3600
            for field in PHASE_FIELDS:
                _, _, reading = field.partition("_")
                is_energy = field.endswith("_energy")
                found[prefix + field] = (0.0, most_wh) if is_energy else readings[prefix + reading]
    return found | dict.fromkeys(NEUTRAL_FIELDS, limits.tables["em"].bounds["n_current"])


def _ts(value: Any) -> int:
    if not is_ts(value) or value != int(value):
        raise FrameError("wrong ts")
    return int(value)


def _period(value: Any) -> int:
    if type(value) is not int or not 0 < value <= MAX_PERIOD_S:
        raise FrameError("wrong period")
    return value
