"""What Home Assistant's recorder has written into its SQLite database, read without disturbing it.

With the stack's `commit_interval` of 1 what happened is there after a second at the latest, and all of it once Home
Assistant has stopped. Database: `HomeAssistant.database`. Schema: homeassistant/components/recorder/db_schema.py.
"""

import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMES = """
    SELECT states_meta.entity_id, states.last_updated_ts FROM states JOIN states_meta USING (metadata_id)
    WHERE states.last_updated_ts >= :begin AND states.last_updated_ts < :end
"""
STATES = """
    SELECT state, last_updated_ts FROM states JOIN states_meta USING (metadata_id)
    WHERE states_meta.entity_id = :id AND states.last_updated_ts >= :since ORDER BY states.state_id
"""
STATISTICS = """
    SELECT start_ts, state, sum, mean FROM {table} JOIN statistics_meta ON statistics_meta.id = {table}.metadata_id
    WHERE statistics_meta.statistic_id = :id AND start_ts >= :since ORDER BY start_ts
"""


class Term(StrEnum):
    """The tables of statistics, by name: rows of five minutes, kept for days, and rows of an hour, kept for ever."""

    SHORT = "statistics_short_term"
    LONG = "statistics"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedState:
    """A state of an entity; `value` None when the entity was removed. `updated` in Unix seconds."""

    value: str | None
    updated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRow:
    """One period from `start` (Unix seconds) on: counters have `state` and `sum`, measurements have `mean`."""

    start: float
    state: float | None
    sum: float | None
    mean: float | None


def recorded_states(database: Path, entity_id: str, since: float = 0.0) -> list[RecordedState]:
    """Return the entity's states since `since` in the order they were recorded, repetitions included."""
    rows = _query(database, STATES, {"id": entity_id, "since": since})
    return [RecordedState(value=value, updated=updated) for value, updated in rows]


def recorded_statistics(database: Path, statistic_id: str, term: Term, since: float = 0.0) -> list[StatisticsRow]:
    """Return the rows that start at `since` or later, in order of time; a sensor's statistic id is its entity id."""
    rows = _query(database, STATISTICS.format(table=term), {"id": statistic_id, "since": since})
    return [StatisticsRow(start=start, state=state, sum=total, mean=mean) for start, state, total, mean in rows]


def state_times(database: Path, span: tuple[float, float]) -> dict[str, list[float]]:
    """Return when each entity's state was written during `span`, by entity id; Unix seconds."""
    times: dict[str, list[float]] = defaultdict(list)
    begin, end = span
    for entity_id, updated in _query(database, TIMES, {"begin": begin, "end": end}):
        times[entity_id].append(updated)
    return times


def _query(database: Path, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()
