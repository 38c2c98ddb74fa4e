"""InfluxDB's line protocol as text: values escaped so that no line can break, lines taken apart again.

A line is `key fields time`: the key is the measurement with its tags, all without the newline at the end. A tag cannot
end in a backslash, and stores differ on those inside, so in tags they become slashes; a newline would end the line in
the spool, so it becomes a space.
"""

import re
from typing import NamedTuple

from .settings import Target

ROLLUPS = frozenset({"energy_1h", "energy_1d"})
"""Measurements that go to the bucket of the rollups."""

_MEASUREMENT = re.compile(rb"(?:\\.|[^\\, ])+", re.DOTALL)
_FIELD = rb'(?:\\.|[^\\,= ])+=(?:"(?:\\.|[^"\\])*"|[^", ]+)'
_LINE = re.compile(
    rb"(?P<key>(?:\\.|[^\\ ])+) +(?P<fields>" + _FIELD + rb"(?:," + _FIELD + rb")*)(?: +(?P<time>-?\d+))? *", re.DOTALL
)
_FIELDS = re.compile(_FIELD, re.DOTALL)
_NAME = re.compile(rb"(?:\\.|[^\\=])+", re.DOTALL)
_ESCAPE = re.compile(rb"\\([ ,=])")
_TYPES = (
    (re.compile(rb'"'), "string"),
    (re.compile(rb"-?\d+i\Z"), "integer"),
    (re.compile(rb"\d+u\Z"), "unsigned"),
    (re.compile(rb"(?:t|true|f|false)\Z", re.IGNORECASE), "boolean"),
)

_IN_KEYS = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\=", "\\": "/", "\n": "\\ ", "\r": "\\ "})
_IN_STRINGS = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " ", "\r": " "})


class Line(NamedTuple):
    """A line in its parts, which are still escaped."""

    key: bytes
    fields: tuple[bytes, ...]
    """Each `name=value`."""
    time: bytes | None

    def with_fields(self, fields: tuple[bytes, ...]) -> bytes:
        """Return the line with other fields."""
        parts = (self.key, b",".join(fields)) if self.time is None else (self.key, b",".join(fields), self.time)
        return b" ".join(parts)


class Split(NamedTuple):
    """A line as two: one without a field, one with nothing else. None: there would be no field in it."""

    rest: bytes | None
    field: bytes | None


def escape_tag(text: str) -> str:
    """Return a tag's value, a tag's name or a field's name as a line spells it; a line cannot hold an empty one."""
    return text.translate(_IN_KEYS)


def quote(text: str) -> str:
    """Return the value of a string field as a line spells it, in quotes."""
    return f'"{text.translate(_IN_STRINGS)}"'


def measurement_of(line: bytes) -> str:
    """Return the measurement, without escapes; "" when there is none."""
    found = _MEASUREMENT.match(line)
    return "" if found is None else _plain(found[0])


def bucket_of(line: bytes, settings: Target) -> str:
    """Return the bucket a line goes to."""
    return settings.rollup_bucket if measurement_of(line) in ROLLUPS else settings.bucket


def by_bucket(body: bytes, settings: Target) -> dict[str, list[bytes]]:
    """Return the lines of `body`, in their order, by the bucket they go to."""
    lines = body.split(b"\n")
    if b"energy_1" not in body or settings.bucket == settings.rollup_bucket:
        return {settings.bucket: lines}
    buckets: dict[str, list[bytes]] = {}
    for line in lines:
        buckets.setdefault(bucket_of(line, settings), []).append(line)
    return buckets


def parse(line: bytes) -> Line | None:
    """Return the parts of a line; None when it is not one."""
    found = _LINE.fullmatch(line)
    return None if found is None else Line(found["key"], tuple(_FIELDS.findall(found["fields"])), found["time"])


def time_of(line: bytes) -> int | None:
    """Return the timestamp, in the line's own unit; None when there is none."""
    parts = parse(line)
    return None if parts is None or parts.time is None else int(parts.time)


def split_field(line: bytes, name: str, kind: str | None = None) -> Split:
    """Take the field `name` off a line; with `kind`, only if its value is of that type ("float", "integer", …)."""
    parts = parse(line)
    if parts is None:
        return Split(line, None)
    taken = tuple(field for field in parts.fields if _is(field, name, kind))
    if not taken:
        return Split(line, None)
    rest = tuple(field for field in parts.fields if field not in taken)
    return Split(parts.with_fields(rest) if rest else None, parts.with_fields(taken))


def _is(field: bytes, name: str, kind: str | None) -> bool:
    found = _NAME.match(field)
    if found is None or _plain(found[0]) != name:
        return False
    return kind is None or _type_of(field[found.end() + 1 :]) == kind


def _type_of(value: bytes) -> str:
    return next((name for pattern, name in _TYPES if pattern.match(value)), "float")


def _plain(escaped: bytes) -> str:
    return _ESCAPE.sub(rb"\1", escaped).decode(errors="replace")
