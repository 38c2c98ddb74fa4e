"""All queries of a board, run as Grafana runs them when somebody opens it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from tests.stack.grafana_queries import UnsupportedError
from tests.stack.grafana_queries.data_source import DataSource, QueryError
from tests.stack.grafana_queries.frames import Frame, series_frames, table_frames
from tests.stack.grafana_queries.interpolation import Known, interpolated, left_over, statement
from tests.stack.grafana_queries.interval import interval_ms
from tests.stack.grafana_queries.time_range import TimeRange, time_range
from tests.stack.grafana_queries.variables import Choices, Sources, resolved

COLUMNS = 24
"""How wide the grid of a board is."""
SCREEN_PX = 1800
_GRAFANA = "-- Grafana --"
_WITHOUT_QUERY = frozenset({"-- Dashboard --", "__expr__", _GRAFANA})
_NAMED_TIMES = frozenset({"now/d", "now/w", "now/M", "now/y"})
"""What `describeTextRange` knows besides `now-…`: today so far, and so on."""

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """Who looks at a board: when (Unix seconds), where, and what was chosen; `begin` and `end` None: the board's."""

    now: float
    zone: ZoneInfo
    begin: str | None = None
    end: str | None = None
    screen_px: int = SCREEN_PX
    choices: Choices = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One query of a panel and its answer; `refused` is what InfluxDB has against it."""

    panel: Json
    ref_id: str
    source: str
    statement: str
    time: TimeRange
    frames: Sequence[Frame] = ()
    refused: str | None = None

    @property
    def place(self) -> str:
        """Where it is, to be told to people."""
        return f"{self.panel['id']} {self.panel.get('title', '')!r} {self.ref_id}"

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong with it but missing data."""
        names = (name for frame in self.frames for name in left_over(frame.name))
        refused = () if self.refused is None else (self.refused,)
        unresolved = (f"{name} means nothing" for name in (*left_over(self.statement), *names))
        return tuple(f"{self.place}: {problem}" for problem in (*refused, *dict.fromkeys(unresolved)))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return all(frame.empty for frame in self.frames)


async def shown(board: Json, sources: Sources, viewing: Viewing) -> list[Shown]:
    """Return every query of every panel with its answer; a repeated panel's for each value."""
    _refuse_annotations(board)
    begin, end = viewing.begin or board["time"]["from"], viewing.end or board["time"]["to"]
    viewing = replace(viewing, zone=_zone(board, viewing.zone))
    time = time_range(begin, end, viewing.now, viewing.zone)
    known = Known(values={}, time=time, time_zone=viewing.zone.key)
    known = await resolved(board.get("templating", {}).get("list", []), known, sources, viewing.choices)
    return [
        await _answered(panel, target, scoped, sources, viewing)
        for panel in panels(board)
        for scoped in _scopes(panel, known)
        for target in panel.get("targets", [])
        if (target.get("datasource") or panel["datasource"])["uid"] not in _WITHOUT_QUERY
    ]


def panels(board: Json) -> Iterator[Json]:
    """Yield the panels of a board, those of closed rows too."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def _scopes(panel: Json, known: Known) -> Iterator[Known]:
    """Yield what is known for each copy of a panel that is repeated, else once."""
    name = panel.get("repeat")
    values = known.values[name] if name else ()
    if not name or isinstance(values, str):
        yield known
        return
    for value in values:
        yield replace(known, values={**known.values, name: value}, raw=known.raw - {name})


async def _answered(panel: Json, target: Json, known: Known, sources: Sources, viewing: Viewing) -> Shown:
    uid = interpolated((target.get("datasource") or panel["datasource"])["uid"], known)
    source = sources.get(uid)
    if source is None:
        raise UnsupportedError(f"panel {panel['id']}: the data source {uid!r} is not provisioned")
    if not target.get("rawQuery"):
        raise UnsupportedError(f"panel {panel['id']}: a query of the editor's; write rawQuery: true")
    known = replace(known, time=_panel_time(panel, known.time, viewing))
    text = _statement(panel, target["query"], known, source, viewing)
    answer = Shown(panel=panel, ref_id=target["refId"], source=uid, statement=text, time=known.time)
    try:
        answered = await source.ask(text, interpolated(target.get("policy", "default"), known))
    except QueryError as error:
        return replace(answer, refused=str(error))
    if target.get("resultFormat", "time_series") == "time_series":
        return replace(answer, frames=series_frames(answered, interpolated(target.get("alias", ""), known)))
    return replace(answer, frames=table_frames(answered))


def _statement(panel: Json, query: str, known: Known, source: DataSource, viewing: Viewing) -> str:
    width = round(viewing.screen_px * panel["gridPos"]["w"] / COLUMNS)
    least = interpolated(panel.get("interval") or "", known) or source.least_interval
    interval = interval_ms(known.time.duration_ms, panel.get("maxDataPoints") or width, least)
    return statement(interpolated(query, known, strict=True), known.time, interval)


def _panel_time(panel: Json, time: TimeRange, viewing: Viewing) -> TimeRange:
    """Return the time that a panel of its own shows, such as `timeFrom: 24h` or `now/d`, and how far it is shifted."""
    if begin := panel.get("timeFrom"):
        written = begin if begin.startswith("now") else f"now-{begin}"
        if written not in _NAMED_TIMES and not re.match(r"now-\d", written):
            raise UnsupportedError(f"panel {panel['id']}: timeFrom {begin!r}, which Grafana does not take")
        time = time_range(written, "now", viewing.now, viewing.zone)
    if shift := panel.get("timeShift"):
        return TimeRange(
            from_ms=time_range(f"now-{shift}", "now", time.from_ms / 1000, viewing.zone).from_ms,
            to_ms=time_range(f"now-{shift}", "now", time.to_ms / 1000, viewing.zone).from_ms,
        )
    return time


def _zone(board: Json, browser: ZoneInfo) -> ZoneInfo:
    match board.get("timezone", ""):
        case "" | "browser":
            return browser
        case "utc":
            return ZoneInfo("UTC")
        case name:
            return ZoneInfo(name)


def _refuse_annotations(board: Json) -> None:
    for annotation in board.get("annotations", {}).get("list", []):
        if annotation["datasource"]["uid"] != _GRAFANA:
            raise UnsupportedError(f"the annotation {annotation['name']!r} has a query")
