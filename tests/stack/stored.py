"""What a store holds against what the devices told: no reading may be lost, differ, or be there twice."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.stack.fleet import Fleet, SimulatedDevice
    from tests.stack.influxdb import InfluxServer

type Key = tuple[str, frozenset[tuple[str, str]], int]
"""Measurement, tags and time in milliseconds."""
type Fields = dict[str, Any]

PHASES = "abc"
MEASURED = ("voltage", "current", "act_power", "aprt_power", "pf", "freq")
WIDE = ("total_act_power", "total_aprt_power", "total_current", "n_current", *(f"{phase}_current" for phase in PHASES))
COUNTED = ("total_act_energy", "total_act_ret_energy")
TELLING = ("NotifyStatus", "NotifyFullStatus")
RECORDED_KEYS = 16
"""Values of a record by phase, in the device's order."""
ANSWER_S = 2.0
"""How far the time of an answer in the store may be from the truth."""
FAR_MS = 2**43
"""A time that no point has: the year 2248."""
MEASUREMENTS = ("em", "em_wide", "emdata", "emdata_wide", "em1", "em1data", "switch", "input", "temperature")


@dataclass(slots=True)
class Stored:
    """The comparison of one device."""

    points: int = 0
    """Points that were told and are stored as told."""
    forgiven: int = 0
    """Points that were told while nobody could hear them, and are not stored."""
    lost: list[tuple[Key, Fields]] = field(default_factory=list)
    different: list[tuple[Key, Fields, Fields]] = field(default_factory=list)
    extra: list[tuple[Key, Fields]] = field(default_factory=list)
    """Points that nobody told."""

    @property
    def agrees(self) -> bool:
        """Whether there was something to compare, and all of it agrees."""
        return self.points > 0 and not (self.lost or self.different or self.extra)

    @override
    def __str__(self) -> str:
        counts = f"{self.points} agree, {len(self.lost)} lost, {len(self.different)} differ, {len(self.extra)} extra"
        return (
            f"{counts}; {self.lost[:2]} {self.different[:2]} {self.extra[:2]}"  # enough to see what they have in common
        )


def points_of(device: str, key: str, told: Fields) -> Iterator[tuple[str, frozenset[tuple[str, str]], Fields]]:
    """Return measurement, tags and fields of what a device told of a component: the schema, written down once more."""
    kind, _, channel = key.partition(":")
    tags = frozenset({("device", device), ("channel", channel)})
    match kind:
        case "em":
            for phase in PHASES:
                yield "em", tags | {("phase", phase)}, {name: told.get(f"{phase}_{name}") for name in MEASURED}
            yield "em_wide", tags, {name: told.get(name) for name in WIDE}
        case "emdata":
            for phase in PHASES:
                yield "emdata", tags | {("phase", phase)}, {name: told.get(f"{phase}_{name}") for name in COUNTED}
            yield "emdata_wide", tags, {name: told.get(name) for name in ("total_act", "total_act_ret")}
        case "em1":
            yield "em1", tags, {name: told.get(name) for name in MEASURED}
        case "em1data":
            yield "em1data", tags, {name: told.get(name) for name in COUNTED}
        case "switch":
            temperature = (told.get("temperature") or {}).get("tC")
            output = told.get("output")
            number = None if output is None else int(output)
            yield "switch", tags, {"output": output, "output_i": number, "temperature": temperature}
        case "input":
            yield "input", tags, {"state": told.get("state")}
        case "temperature":
            yield "temperature", tags, {"temperature": told.get("tC")}


async def compare_stored(
    store: InfluxServer,
    fleet: Fleet,
    device: SimulatedDevice,
    *,
    database: str = "shelly",
    since: float = 0.0,
    until: float | None = None,
    deaf: Sequence[tuple[float, float]] = (),
) -> Stored:
    """Compare what `store` has of a device with what it told: points from `since` on and before `until`, Unix seconds.

    Of a device that keeps talking, `until` leaves out what is still on its way. `deaf` are times in which nobody could
    hear it: a broker that lost its sessions tells nobody what it took.
    """
    span = range(int(since * 1000), FAR_MS if until is None else int(until * 1000))
    # The time of a point is the device's own and rounded, so it may be on the other side of `since` than the frame.
    told = await fleet.told(device, max(0.0, since - ANSWER_S))
    expected = {key: fields for key, fields in _expected(device.id, told).items() if key[2] in span}
    stored = await _stored(store, database, device.id, span)
    found = Stored()
    for key, fields in expected.items():
        there = stored.pop(key, {})
        if not there and any(begin * 1000 <= key[2] <= end * 1000 for begin, end in deaf):
            found.forgiven += 1
        elif not fields.keys() <= there.keys():
            found.lost.append((key, fields))
        elif any(not _same(there[name], value) for name, value in fields.items()):
            found.different.append((key, fields, there))
        else:
            found.points += 1
    answers = [
        (row["at"], point) for row in told if row["kind"] == "Shelly.GetStatus" for point in _points(device.id, row)
    ]
    for key, there in stored.items():
        if not any(_is_answer(key, there, at, point) for at, point in answers):
            found.extra.append((key, there))
    return found


def _expected(device: str, told: list[dict[str, Any]]) -> dict[Key, Fields]:
    """Return what must be stored; what is told twice at one time is one point."""
    expected: dict[Key, Fields] = {}
    for row in told:
        if row["kind"] in TELLING:
            for measurement, tags, fields in _points(device, row):
                expected.setdefault((measurement, tags, round(row["ts"] * 1000)), {}).update(fields)
    return expected


def _points(device: str, row: dict[str, Any]) -> Iterator[tuple[str, frozenset[tuple[str, str]], Fields]]:
    for component, status in row["params"].items():
        if isinstance(status, dict):
            for measurement, tags, fields in points_of(device, component, status):
                there = {name: value for name, value in fields.items() if value is not None}
                if there:
                    yield measurement, tags, there


async def _stored(store: InfluxServer, database: str, device: str, span: range) -> dict[Key, Fields]:
    stored: dict[Key, Fields] = {}
    for measurement in MEASUREMENTS:
        condition = f"\"device\" = '{device}' AND time >= {span.start}ms AND time < {span.stop}ms"
        for row in await store.query(database, f'SELECT * FROM "{measurement}" WHERE {condition}'):  # noqa: S608 - our own names  # noqa: S608
            tags = frozenset((name, row.pop(name)) for name in ("device", "channel", "phase") if name in row)
            stored[measurement, tags, row.pop("time")] = row
    return stored


def _is_answer(key: Key, there: Fields, at: float, point: tuple[str, frozenset[tuple[str, str]], Fields]) -> bool:
    measurement, tags, fields = point
    near = abs(key[2] / 1000 - at) < ANSWER_S
    return (
        near and key[:2] == (measurement, tags) and all(_same(there.get(name), told) for name, told in fields.items())
    )


def _same(there: Any, told: Any) -> bool:
    if isinstance(told, bool) or isinstance(there, bool | str) or there is None:
        return bool(there == told)
    return math.isclose(there, told, rel_tol=1e-12)
