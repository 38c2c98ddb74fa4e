"""Variables in a text, in the three ways to write them, as `sceneInterpolator` of `@grafana/scenes` puts them in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.stack.grafana_queries import UnsupportedError
from tests.stack.grafana_queries.formats import Value, formatted, glob
from tests.stack.grafana_queries.interval import interval_text
from tests.stack.grafana_queries.time_range import TimeRange

_VARIABLE = re.compile(
    r"\$(?P<plain>\w+)"
    r"|\[\[(?P<bracketed>\w+?)(?::(?P<bracketed_format>\w+))?\]\]"
    r"|\$\{(?P<braced>\w+)(?P<path>(?:\.[^:^{}\[\]]+|\[[^\]]*\])*)(?::(?P<format>[^}]+))?\}"
)
_LEFT_OVER = re.compile(r"\$\w+|\$\{[^}]*\}|\[\[\w+(?::\w+)?\]\]")
"""In a regular expression `$` means the end: there is no name after it."""
_RENDERED_LATER = frozenset({"__interval", "__interval_ms"})
"""The plug-in puts these back as they were, for the server to fill in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What variables mean: `values` of the board, and what is only known for one panel, which goes before."""

    values: Mapping[str, Value]
    time: TimeRange
    time_zone: str
    texts: Mapping[str, str] = field(default_factory=dict)
    """What people read for a variable, if that is not its value, such as `All`."""
    raw: frozenset[str] = frozenset()
    """Variables whose value goes in as it is: where a board says itself what `All` means."""

    def get(self, name: str) -> Value | None:
        """Return the value of a variable; None if there is no such."""
        macros = {
            "__from": str(self.time.from_ms),
            "__to": str(self.time.to_ms),
            "__timezone": self.time_zone,
        }
        return self.values.get(name, macros.get(name))


def interpolated(text: str, known: Known, *, strict: bool = False) -> str:
    """Return a text with the variables put in; what is not known stays as it is written.

    `strict`, for a query: refuses a variable that is written without a format. The plug-in chooses one by where it
    stands, and has not always chosen the same.
    """

    def put_in(match: re.Match[str]) -> str:
        name = match["plain"] or match["bracketed"] or match["braced"]
        value = known.get(name)
        if name in _RENDERED_LATER and match["path"] in {None, ""}:
            return f"${name}"
        if value is None:
            return match[0]
        if match["path"]:
            raise UnsupportedError(f"{match[0]}: a field of a variable")
        return _text(name, value, match["bracketed_format"] or match["format"])

    def _text(name: str, value: Value, form: str | None) -> str:
        if form == "text":
            return known.texts.get(name, value if isinstance(value, str) else " + ".join(value))
        if name in known.raw and isinstance(value, str):
            return interpolated(value, known)
        if form is not None:
            return formatted(value, form)
        if strict and not name.startswith("__"):
            raise UnsupportedError(f"${name} in a query without a format: write ${{{name}:regex}} or ${{{name}:raw}}")
        return glob(value)

    return _VARIABLE.sub(put_in, text)


def statement(query: str, time: TimeRange, interval: int) -> str:
    """Return what goes to InfluxDB: the server's part, which is all that an alert rule gets. `interval` in ms."""
    text = interval_text(interval)
    for written, meant in (
        ("$timeFilter", time.condition),
        ("$interval", text),
        ("$__interval_ms", str(interval)),
        ("$__interval", text),
    ):
        query = query.replace(written, meant)
    return query


def left_over(query: str) -> tuple[str, ...]:
    """Return what in a statement still looks like a variable."""
    return tuple(match[0] for match in _LEFT_OVER.finditer(query))
