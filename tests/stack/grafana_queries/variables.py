"""What the variables of a board are when it is opened; those with a query are asked for."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.stack.grafana_queries import UnsupportedError
from tests.stack.grafana_queries.data_source import TYPE, DataSource
from tests.stack.grafana_queries.formats import Value
from tests.stack.grafana_queries.frames import found_values
from tests.stack.grafana_queries.interpolation import Known, interpolated, statement
from tests.stack.grafana_queries.interval import SECOND_MS

ALL = "$__all"
_SORTED = {
    1: (str, False),
    2: (str, True),
    3: (None, False),
    4: (None, True),
    5: (str.lower, False),
    6: (str.lower, True),
}
"""How the numbers of `sort` compare, and whether downwards; None: by the first number in it."""

type Sources = Mapping[str, DataSource]
type Choices = Mapping[str, Value]
"""What somebody has chosen, by variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    text: str
    value: str


async def resolved(variables: Sequence[Mapping[str, Any]], known: Known, sources: Sources, choices: Choices) -> Known:
    """Return what is known once all variables have their value, one after the other as they stand on the board."""
    for variable in variables:
        name = variable["name"]
        options = await _options(variable, known, sources)
        chosen = choices.get(name, _current(variable, options))
        known = _with(known, variable, options, chosen)
    return known


def _with(known: Known, variable: Mapping[str, Any], options: Sequence[_Option], chosen: Value) -> Known:
    name, texts = variable["name"], {option.value: option.text for option in options}
    value, raw = chosen, known.raw
    if chosen == ALL or (not isinstance(chosen, str) and ALL in chosen):
        value = variable.get("allValue") or tuple(texts)
        raw = known.raw | {name} if isinstance(value, str) else raw
        text = "All"
    else:
        text = " + ".join(texts.get(one, one) for one in ((chosen,) if isinstance(chosen, str) else chosen))
    return replace(known, values={**known.values, name: value}, texts={**known.texts, name: text}, raw=raw)


async def _options(variable: Mapping[str, Any], known: Known, sources: Sources) -> list[_Option]:
    """Return what can be chosen; of a constant and a text box that is one."""
    match variable["type"]:
        case "query":
            return await _found(variable, known, sources)
        case "datasource":
            return _sources(variable, sources)
        case "constant" | "textbox":
            return [_Option(text=variable["query"], value=variable["query"])]
        case "custom" | "interval":
            return _listed(variable["query"])
    raise UnsupportedError(f"the variable {variable['name']} of type {variable['type']}")


def _current(variable: Mapping[str, Any], options: Sequence[_Option]) -> Value:
    """Return what is chosen when nobody has chosen: what the board says if it is there, else all, else the first."""
    stored, there = variable.get("current", {}).get("value"), {option.value for option in options}
    if variable["type"] == "constant":
        return str(variable["query"])
    if variable["type"] == "textbox":
        return stored if isinstance(stored, str) and stored else str(variable["query"])
    several = bool(variable.get("multi"))
    wanted = stored if isinstance(stored, list) else [] if stored is None else [stored]
    if ALL in wanted and variable.get("includeAll"):
        return ALL
    if valid := [value for value in wanted if value in there]:
        return valid if several else valid[0]
    if variable.get("includeAll"):
        return ALL
    first = next((option.value for option in options), "")
    return [first] if several and first else [] if several else first


def _sources(variable: Mapping[str, Any], sources: Sources) -> list[_Option]:
    if variable["query"] != TYPE:
        raise UnsupportedError(f"data sources of type {variable['query']}")
    pattern = _pattern(variable.get("regex", ""))
    return [
        _Option(text=source.name, value=source.uid)
        for source in sources.values()
        if pattern is None or pattern.search(source.name)
    ]


async def _found(variable: Mapping[str, Any], known: Known, sources: Sources) -> list[_Option]:
    written = variable["query"]
    query = written if isinstance(written, str) else written["query"]
    source = sources[interpolated(variable["datasource"]["uid"], known)]
    asked = statement(interpolated(query, known, strict=True), known.time, SECOND_MS)
    values = found_values(await source.ask(asked), asked)
    pattern = _pattern(interpolated(variable.get("regex", ""), known))
    options = {
        option.value: option
        for value in values
        for option in ([_Option(text=value, value=value)] if pattern is None else _matched(pattern, value))
    }
    return _sorted(list(options.values()), variable.get("sort", 0))


def _matched(pattern: re.Pattern[str], value: str) -> list[_Option]:
    match = pattern.search(value)
    if match is None:
        return []
    named = match.groupdict()
    if named.get("value") or named.get("text"):
        meant = named.get("value") or named["text"]
        return [_Option(text=named.get("text") or meant, value=meant)]
    meant = match[1] if match.groups() else value
    return [_Option(text=meant, value=meant)]


def _pattern(written: str) -> re.Pattern[str] | None:
    """Return a regular expression written as `/…/`, or plainly; Python's are alike enough for what boards use."""
    if not written:
        return None
    match = re.fullmatch(r"/(.*)/([gimsuy]*)", written)
    body, flags = (f"^{written}$", "") if match is None else (match[1], match[2])
    if "g" in flags:
        raise UnsupportedError(f"the pattern {written} with the flag g")
    python = re.sub(r"\(\?<(?![=!])", "(?P<", body)
    return re.compile(python, re.IGNORECASE if "i" in flags else 0)


def _sorted(options: list[_Option], number: int) -> list[_Option]:
    if number == 0:
        return options
    if number not in _SORTED:
        raise UnsupportedError(f"sort {number} of a variable")
    key, downwards = _SORTED[number]
    return sorted(options, key=lambda option: (_first_number if key is None else key)(option.text), reverse=downwards)


def _first_number(text: str) -> int:
    match = re.search(r"\d+", text)
    return -1 if match is None else int(match[0])


def _listed(written: str) -> list[_Option]:
    """Return the options of a list such as `1, 2, phase A : a`."""
    entries = next(csv.reader([written], skipinitialspace=True, escapechar="\\"), [])
    parts = (entry.strip().partition(" : ") for entry in entries)
    return [_Option(text=text, value=value if separator else text) for text, separator, value in parts]
