"""InfluxQL as text, and the rows of its answers: what InfluxDB 1, 2 and 3 have in common for asking."""

from typing import Any

type Row = dict[str, Any]


def identifier(name: str) -> str:
    """Return a database, measurement or tag as a statement spells it."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """Return a value as a statement spells it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def point_query(measurement: str, tag: tuple[str, str], ts_ms: int) -> str:
    """Return the statement that selects one point."""
    name, value = tag
    where = f"{identifier(name)} = {literal(value)} AND time = {ts_ms}ms"
    return f"SELECT * FROM {identifier(measurement)} WHERE {where}"  # noqa: S608  # names are quoted above


def error_of(answer: Any) -> str | None:
    """Return what was wrong with a statement that was answered with 200; None: nothing."""
    return next((str(result["error"]) for result in answer["results"] if "error" in result), None)


def rows_of(answer: Any) -> list[Row]:
    """Return the rows of all series, each by its columns; columns without a value are left out."""
    return [
        {column: value for column, value in zip(series["columns"], values, strict=True) if value is not None}
        for result in answer["results"]
        for series in result.get("series", ())
        for values in series.get("values", ())
    ]
