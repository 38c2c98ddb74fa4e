"""What InfluxDB answers as Grafana shows it: series with a name and labels, or one table (`influxql/converter.go`)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

type Answered = Sequence[Mapping[str, Any]]
"""The series of one statement: `name`, `tags`, `columns`, `values`."""

_ALIAS = re.compile(r"\[\[([@/\w-]+)(\.[@/\w-]+)*\]\]*|\$([@\w-]+?)*")
TIME, VALUE = "Time", "Value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Columns of equal length by name. A series has `labels` and a `name`, a table has `tags` among its columns."""

    columns: Mapping[str, Sequence[Any]]
    labels: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    tags: tuple[str, ...] = ()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its rows, each by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]

    @property
    def points(self) -> dict[int, Any]:
        """Of a series: the values that there are, by time in milliseconds."""
        pairs = zip(self.columns[TIME], self.columns[VALUE], strict=True)
        return {time: value for time, value in pairs if value is not None}

    @property
    def empty(self) -> bool:
        """Whether there is no value but times and tags."""
        values = (column for name, column in self.columns.items() if name not in {TIME, *self.tags})
        return not any(value is not None for column in values for value in column)


def series_frames(answered: Answered, alias: str) -> list[Frame]:
    """Return a frame for each column of each series."""
    return [
        Frame(
            columns={TIME: [row[0] for row in series["values"]], VALUE: [row[place] for row in series["values"]]},
            labels=series.get("tags", {}),
            name=_name(series, column, alias),
        )
        for series in answered
        for place, column in enumerate(series["columns"])
        if place > 0 and column != "time"
    ]


def table_frames(answered: Answered) -> list[Frame]:
    """Return one frame with time, the tags, and the columns of the first series."""
    if not answered:
        return []
    tags, columns = list(answered[0].get("tags", {})), list(answered[0]["columns"])
    names = [TIME if column == "time" else column for column in columns]
    rows = [
        [row[0], *(series["tags"][tag] for tag in tags), *row[1:]] for series in answered for row in series["values"]
    ]
    header = [names[0], *tags, *names[1:]]
    return [Frame(columns={name: [row[place] for row in rows] for place, name in enumerate(header)}, tags=tuple(tags))]


def found_values(answered: Answered, query: str) -> Iterator[str]:
    """Return what a variable can be, of the answer to its query: the values of a tag, else the first column."""
    for series in answered:
        place = 1 if "show tag values" in query.lower() or series["columns"][0] == "time" else 0
        for row in series["values"]:
            if row[place] is not None:
                yield str(row[place])


def _name(series: Mapping[str, Any], column: str, alias: str) -> str:
    tags = series.get("tags", {})
    if not alias:
        labels = ", ".join(f"{tag}: {value}" for tag, value in sorted(tags.items()))
        return f"{series['name']}.{column} {{ {labels} }}" if labels else f"{series['name']}.{column}"

    def put_in(match: re.Match[str]) -> str:
        written = match[0].replace("[[", "").replace("]]", "").replace("$", "")
        parts = series["name"].split(".")
        if written.isdigit() and int(written) < len(parts):
            return str(parts[int(written)])
        known = {"m": series["name"], "measurement": series["name"], "col": column}
        known |= {f"tag_{tag}": value for tag, value in tags.items()}
        return str(known.get(written, match[0]))

    return _ALIAS.sub(put_in, alias)
