"""Finding what a store refuses in a batch, so that everything else is stored and nothing blocks the queue.

A store that answers 400 may have stored the good lines, or none. Writing a point twice changes nothing, so the good
ones are simply written again, without what the answer names; where it names nothing, in halves.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from shelly_exporter.line_protocol import measurement_of, split_field, time_of
from shelly_exporter.targets import Refused

_CONFLICTS = (
    re.compile(
        r'input field "(?P<field>.*?)" on measurement "(?P<measurement>.*?)" is type (?P<type>\w+), already exists'
    ),
    # InfluxDB 3, which does not say on which measurement.
    re.compile(r"invalid column type for column '(?P<field>.*?)', expected \S+, got \S+::(?P<type>\w+)"),
)
_UNPARSABLE = re.compile(r"unable to parse '(.*)': (.*?)(?: dropped=\d+)?$", re.MULTILINE)
_RETENTION = re.compile(r"beyond retention policy|outside retention policy")
_DROPPED = re.compile(r"dropped[= ](\d+)")

REASON_LENGTH = 300
"""Characters kept of what the store says: it may repeat a long line."""


class Cause(StrEnum):
    """Why a line was refused, for counting."""

    CONFLICT = "type conflict"
    RETENTION = "beyond retention"
    UNPARSABLE = "unparsable"
    REFUSED = "refused"


class Rejected(NamedTuple):
    """A line, or a field split off one, that the store will not have; `reason` is the store's own."""

    cause: Cause
    reason: str
    line: bytes


class _Diagnosis(NamedTuple):
    parts: list[list[bytes]]
    """To be written, each on its own."""
    rejected: list[Rejected]


type _Write = Callable[[bytes], Awaitable[None]]


async def deliver(write: _Write, lines: Sequence[bytes]) -> list[Rejected]:
    """Write all lines but those that the store refuses, and return these.

    `write` takes lines joined by newlines and raises `Refused` for what is wrong in them; all else it raises is passed
    on, and nothing is known of any line then.
    """
    rejected: list[Rejected] = []
    parts = [list(lines)]
    while parts:
        part = parts.pop()
        try:
            await write(b"\n".join(part))
        except Refused as err:
            diagnosis = _diagnose(part, err.reason)
            parts += reversed([part for part in diagnosis.parts if part])
            rejected += diagnosis.rejected
    return rejected


def _diagnose(lines: list[bytes], reason: str) -> _Diagnosis:
    """Return what to do with refused lines; every turn leaves fewer lines or fewer fields, so it comes to an end."""
    for attempt in (_conflict, _unparsable, _retention):
        if (diagnosis := attempt(lines, reason)) is not None:
            return diagnosis
    return _halves(lines, reason)


def _conflict(lines: list[bytes], reason: str) -> _Diagnosis | None:
    """One field has another type than before: it is split off every line where it is of the wrong one."""
    found = next((match for pattern in _CONFLICTS if (match := pattern.search(reason))), None)
    if found is None:
        return None
    named = found.groupdict()
    splits = [
        split_field(line, named["field"], named["type"])
        for line in lines
        if named.get("measurement") in {None, measurement_of(line)}
    ]
    fields = [split.field for split in splits if split.field is not None]
    if not fields:
        return None
    elsewhere = [line for line in lines if named.get("measurement") not in {None, measurement_of(line)}]
    rest = elsewhere + [split.rest for split in splits if split.rest is not None]
    # A type is held per shard: of fields that look alike, those of other days may be right.
    if (dropped := _DROPPED.search(reason)) is None or len(fields) <= int(dropped[1]):
        return _Diagnosis([rest], [Rejected(Cause.CONFLICT, _short(reason), field) for field in fields])
    if fields == lines:
        return None
    return _Diagnosis([rest, fields], [])


def _unparsable(lines: list[bytes], reason: str) -> _Diagnosis | None:
    """Lines that make no sense are named one by one."""
    named = {line.encode(): why for line, why in _UNPARSABLE.findall(reason)}
    bad = [line for line in lines if line in named]
    if not bad:
        return None
    rejected = [Rejected(Cause.UNPARSABLE, _short(f"unable to parse: {named[line]}"), line) for line in bad]
    return _Diagnosis([[line for line in lines if line not in named]], rejected)


def _retention(lines: list[bytes], reason: str) -> _Diagnosis | None:
    """Lines that are too old are counted, so they are the oldest."""
    if _RETENTION.search(reason) is None or (dropped := _DROPPED.search(reason)) is None:
        return None
    times = [(time, position) for position, line in enumerate(lines) if (time := time_of(line)) is not None]
    old = {position for _, position in sorted(times)[: int(dropped[1])]}
    if not old:
        return None
    return _Diagnosis(
        [[line for position, line in enumerate(lines) if position not in old]],
        [Rejected(Cause.RETENTION, _short(reason), lines[position]) for position in sorted(old)],
    )


def _halves(lines: list[bytes], reason: str) -> _Diagnosis:
    if len(lines) == 1:
        return _Diagnosis([], [Rejected(_cause_of(reason), _short(reason), lines[0])])
    middle = len(lines) // 2
    return _Diagnosis([lines[:middle], lines[middle:]], [])


def _cause_of(reason: str) -> Cause:
    if _RETENTION.search(reason):
        return Cause.RETENTION
    if any(pattern.search(reason) for pattern in _CONFLICTS):
        return Cause.CONFLICT
    return Cause.UNPARSABLE if _UNPARSABLE.search(reason) else Cause.REFUSED


def _short(reason: str) -> str:
    return reason if len(reason) <= REASON_LENGTH else f"{reason[:REASON_LENGTH]}…"
