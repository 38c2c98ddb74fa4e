"""Values of variables as text: the formats of `@grafana/scenes` that can stand in InfluxQL."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from tests.stack.grafana_queries import UnsupportedError

type Value = str | Sequence[str]
"""One value, or several of a variable that takes several."""

_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")


def escape_regex(text: str) -> str:
    """Return a text so that a regular expression finds exactly it; a slash would end the expression."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def formatted(value: Value, form: str) -> str:
    """Return a value in a format such as `regex` or `date:iso`."""
    name, _, argument = form.partition(":")
    if name == "date":
        return _date(value, argument)
    if name not in _FORMATS:
        raise UnsupportedError(f"the format {form!r}: use one of {', '.join(_FORMATS)}, date")
    return _FORMATS[name](value)


def glob(value: Value) -> str:
    """Return a value as where no format is given outside a query."""
    if isinstance(value, str):
        return value
    return value[0] if len(value) == 1 else f"{{{','.join(value)}}}"


def _regex(value: Value) -> str:
    if isinstance(value, str):
        return escape_regex(value)
    escaped = [escape_regex(one) for one in value]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _joined(separator: str) -> Callable[[Value], str]:
    return lambda value: value if isinstance(value, str) else separator.join(value)


def _quoted(quote: str) -> Callable[[Value], str]:
    def form(value: Value) -> str:
        values = (value,) if isinstance(value, str) else value
        return ",".join(quote + one.replace(quote, f"\\{quote}") + quote for one in values)

    return form


def _json(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _date(value: Value, argument: str) -> str:
    if not isinstance(value, str) or not value.isdigit():
        raise UnsupportedError(f"{value!r} as a date: only $__from and $__to are times")
    match argument:
        case "" | "iso":
            moment = datetime.fromtimestamp(int(value) / 1000, UTC)
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case "seconds":
            return str(round(int(value) / 1000))
        case "ms":
            return value
    raise UnsupportedError(f"the format date:{argument}: use iso, seconds or ms")


_FORMATS: Mapping[str, Callable[[Value], str]] = {
    "raw": _joined(","),
    "regex": _regex,
    "pipe": _joined("|"),
    "csv": _joined(","),
    "join": _joined(","),
    "glob": glob,
    "json": _json,
    "singlequote": _quoted("'"),
    "doublequote": _quoted('"'),
}
