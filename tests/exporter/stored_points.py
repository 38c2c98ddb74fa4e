"""Lines of line protocol read back as points, with the types that a store would see."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from shelly_exporter.line_protocol import parse
from shelly_exporter.schema import MEASUREMENTS, Measurement, Type

BY_NAME = {measurement.name: measurement for measurement in MEASUREMENTS}
_COMMA = re.compile(r"(?<!\\),")
_TYPES = {Type.FLOAT: float, Type.INTEGER: int, Type.BOOLEAN: bool, Type.STRING: str}


class Point(NamedTuple):
    """One line; `ts` in milliseconds."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, Any]
    ts: int


def point_of(line: bytes) -> Point:
    """Read a line, which must be one that the table in `schema` allows."""
    parts = parse(line)
    assert parts is not None, line
    assert parts.time is not None, line
    name, *tags = _COMMA.split(parts.key.decode())
    pairs = [field.decode().split("=", 1) for field in parts.fields]
    point = Point(
        name,
        {key: re.sub(r"\\(.)", r"\1", value) for key, value in (tag.split("=", 1) for tag in tags)},
        {key: _value(text) for key, text in pairs},
        int(parts.time),
    )
    assert len(point.fields) == len(pairs), f"a field twice: {line!r}"
    _expect_in_schema(point, BY_NAME[name])
    return point


def points_of(lines: Iterable[bytes]) -> list[Point]:
    """Read lines, of which several may stand in one with line feeds between them."""
    return [point_of(line) for text in lines for line in text.split(b"\n")]


def _expect_in_schema(point: Point, measurement: Measurement) -> None:
    assert tuple(point.tags) == measurement.tags, point
    assert all(point.tags.values()), point
    types = {column.name: _TYPES[column.type] for column in measurement.columns}
    assert {name: type(value) for name, value in point.fields.items()} == {name: types[name] for name in point.fields}


def _value(text: str) -> float | bool | str:
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text in {"true", "false"}:
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)
