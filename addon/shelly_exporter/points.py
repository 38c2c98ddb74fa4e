"""From what a frame told to lines of line protocol. A line is made of one frame alone: the same frame, the same line.

A meter of 1 Hz makes most of them, so a component's lines are put together by a template, made once, as long as a frame
tells all of its numbers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from shelly_core import Event, Record
from shelly_core.validation import table_of

from .line_protocol import escape_tag, quote
from .schema import MEASUREMENTS, Column, Measurement, Type, of_kind
from .spool import Stream

MAX_TEXT = 256
"""Characters of a text that are kept."""
MAX_TEMPLATES = 4
"""Of a component; a device tells the same keys each time."""
FEW = 4
"""Numbers that are not worth a template."""

type Lines = tuple[Stream, bytes]
"""Whole lines, with a line feed between them, and where they belong."""

_TS, _ORIGIN = b"{ts}", b"{origin}"
"""What stands for them in a template."""

_BY_NAME = {measurement.name: measurement for measurement in MEASUREMENTS}


def _float(value: Any) -> str:
    return orjson.dumps(value).decode()


def _integer(value: Any) -> str:
    return f"{int(value)}i"


def _boolean(value: Any) -> str:
    return "true" if value else "false"


def _string(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return quote(text[:MAX_TEXT])


_ENCODERS: Mapping[Type, Callable[[Any], str]] = {
    Type.FLOAT: _float,
    Type.INTEGER: _integer,
    Type.BOOLEAN: _boolean,
    Type.STRING: _string,
}


def escaped(tag: str) -> str:
    """Return the value of a tag as line protocol writes it; an empty one could not be told from a missing one."""
    return escape_tag(tag[:MAX_TEXT]) or "-"


def milliseconds(ts: float) -> int:
    """Return a time in Unix seconds as points have it."""
    return round(ts * 1000)


def line(name: str, tags: Mapping[str, str], fields: Mapping[str, Any], ts: float) -> bytes | None:
    """Return a point of a measurement from its values, without those that are `None`; `None` if nothing is left."""
    measurement = _BY_NAME[name]
    told = ",".join(
        f"{column.name}={_ENCODERS[column.type](value)}"
        for column in measurement.columns
        if (value := fields.get(column.name)) is not None
    )
    head = ",".join((name, *(f"{tag}={escaped(tags[tag])}" for tag in measurement.tags)))
    return f"{head} {told} {milliseconds(ts)}".encode() if told else None


class _Entry(NamedTuple):
    """A field of a line: from which key of the status it comes, or from which one of an object there."""

    name: str
    key: str
    inner: str
    encode: Callable[[Any], str]


class _Row(NamedTuple):
    """One line of a component: what it begins with, and which fields come from where."""

    stream: Stream
    head: str
    columns: tuple[_Entry, ...]
    origin: bool

    def text(self, told: Mapping[str, Any], origin: str, ts_ms: int) -> str | None:
        """Return the line, `None` if nothing of it was told."""
        parts = []
        for name, key, inner, encode in self.columns:
            value = told.get(key)
            if inner and value is not None:
                value = value.get(inner)
            if value is not None:
                parts.append(f"{name}={encode(value)}")
            elif encode is _string and key in told:
                parts.append(f'{name}=""')
        if not parts:
            return None
        if self.origin:
            parts.append(f'origin="{origin}"')
        return f"{self.head} {','.join(parts)} {ts_ms}"


class _Template(NamedTuple):
    """The lines of all frames with the same keys, of which the same are null: `%b` for each number in order."""

    stream: Stream
    text: bytes
    values_of: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    nulls: tuple[str, ...]

    def lines(self, values: tuple[Any, ...], origin: str, ts_ms: int) -> bytes:
        """Return the lines with the numbers filled in; orjson writes them in a fifth of the time of `str`."""
        text = self.text % tuple(orjson.dumps(values)[1:-1].split(b","))
        return text.replace(_TS, b"%d" % ts_ms).replace(_ORIGIN, origin.encode())


class ComponentLines:
    """Makes the lines of one component of one device."""

    def __init__(self, device: str, kind: str, channel: str) -> None:
        self.kind = kind
        self._rows = tuple(_rows(device, kind, channel))
        self._templates: dict[tuple[str, ...], _Template | None] = {}

    def of(self, told: Mapping[str, Any], origin: str, ts_ms: int) -> Sequence[Lines]:
        """Return the lines of what a frame told of the component."""
        template = self._template(told)
        if template is not None:
            values = template.values_of(told)
            if None not in values and all(told[key] is None for key in template.nulls):
                return ((template.stream, template.lines(values, origin, ts_ms)),)
        texts = ((row.stream, row.text(told, origin, ts_ms)) for row in self._rows)
        return [(stream, text.encode()) for stream, text in texts if text is not None]

    def _template(self, told: Mapping[str, Any]) -> _Template | None:
        """Return the template of what has these keys; `None` if it takes more than numbers."""
        keys = tuple(told)
        if keys in self._templates:
            return self._templates[keys]
        if len(self._templates) >= MAX_TEMPLATES:
            return None
        template = self._templates[keys] = self._new_template(told)
        return template

    def _new_template(self, told: Mapping[str, Any]) -> _Template | None:
        used: list[str] = []
        texts: list[str] = []
        for row in self._rows:
            known = [entry for entry in row.columns if entry.key in told]
            if any(entry.encode is not _float or entry.inner for entry in known):
                return None
            numbers = [entry for entry in known if told[entry.key] is not None]
            if numbers:
                fields = [f"{entry.name}=%b" for entry in numbers] + ['origin="{origin}"'] * row.origin
                texts.append(f"{row.head.replace('%', '%%')} {','.join(fields)} {{ts}}")
                used += [entry.key for entry in numbers]
        streams = {row.stream for row in self._rows}
        if len(streams) != 1 or len(used) < FEW:
            return None
        nulls = tuple(key for key, value in told.items() if value is None)
        return _Template(streams.pop(), "\n".join(texts).encode(), itemgetter(*used), nulls)


def _rows(device: str, kind: str, channel: str) -> Iterator[_Row]:
    for measurement in of_kind(kind):
        for phase in measurement.phases or ("",):
            tags = {"channel": channel, "device": device, "phase": phase}
            yield _row(measurement, tags, measurement.columns, phase)
    if any(f"{column.source}".startswith(f"{kind}/") for column in _BY_NAME["device"].columns):
        own = tuple(
            column._replace(source=column.source.partition("/")[2])
            for column in _BY_NAME["device"].columns
            if column.source is not None and column.source.startswith(f"{kind}/")
        )
        yield _row(_BY_NAME["device"], {"device": device}, own, "")


def _row(measurement: Measurement, tags: Mapping[str, str], columns: tuple[Column, ...], phase: str) -> _Row:
    head = ",".join((measurement.name, *(f"{tag}={escaped(tags[tag])}" for tag in measurement.tags)))
    origin = any(column.name == "origin" for column in columns)
    return _Row(measurement.stream, head, _entries(columns, phase), origin)


@lru_cache(maxsize=200)
def _entries(columns: tuple[Column, ...], phase: str) -> tuple[_Entry, ...]:
    """Return the fields of a line; a thousand devices share them."""
    entries = []
    for column in columns:
        if column.source is not None:
            key, _, inner = column.source.replace("{}", phase).partition(".")
            entries.append(_Entry(column.name, key, inner, _ENCODERS[column.type]))
    return tuple(entries)


def component_lines(device: str, key: str) -> ComponentLines:
    """Return what makes the lines of component `key`, such as `em:0`; to be kept, since it learns.

    It makes none of a component that the core does not know: nobody has looked at what that tells.
    """
    kind, number, _ = table_of(key)
    return ComponentLines(device, kind, str(number))


def record_lines(device: str, key: str, record: Record, origin: str) -> Sequence[Lines]:
    """Return the lines of a meter's record; `key` is the component that told it, such as `emdata:0`."""
    kind, _, channel = key.partition(":")
    lines = _records(device, f"record {kind.removesuffix('data')}", channel)
    return lines.of(record.values, origin, record.ts * 1000)


_records = lru_cache(maxsize=2_000)(ComponentLines)


def event_line(device: str, event: Event, ts: float) -> bytes | None:
    """Return the line of an event, such as a press of a button."""
    component, _, channel = event.component.partition(":")
    tags = {"device": device, "component": component, "channel": channel or "0"}
    return line("event", tags, {"event": event.event}, ts)
