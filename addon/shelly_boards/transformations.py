"""What Grafana does with answers before it shows them."""

from collections.abc import Mapping
from typing import Any

type Transformation = dict[str, Any]


def _transformation(name: str, **options: Any) -> Transformation:
    return {"id": name, "options": options}


SHORT_NAMES = _transformation(
    "renameByRegex", regex="/^shelly([a-z0-9]+)-[0-9a-f]{8}([0-9a-f]{4})/", renamePattern="$1-$2"
)
"""`shellypro3em-0cb815fcaf3c a` is shown as `pro3em-af3c a`: there is room for it on a phone."""
MERGED = _transformation("merge")
"""The rows of several tables in one."""


def sorted_by(*columns: str, descending: bool = False) -> tuple[Transformation, ...]:
    """Sort rows by the first column and, where that is the same, by the next: the last is sorted first."""
    return tuple(
        _transformation("sortBy", fields={}, sort=[{"desc": descending, "field": column}])
        for column in reversed(columns)
    )


def arranged(*order: str, hidden: tuple[str, ...] = (), names: Mapping[str, str] | None = None) -> Transformation:
    """Show columns in an `order` with other `names`, and leave some out."""
    return _transformation(
        "organize",
        excludeByName=dict.fromkeys(hidden, True),
        indexByName={name: index for index, name in enumerate(order)},
        renameByName={} if names is None else dict(names),
    )


def summed_rows() -> Transformation:
    """Make a row of each series, with its name as `Field` and its sum as `Total`."""
    return _transformation("reduce", includeTimeField=False, mode="seriesToRows", reducers=["sum"])


def newest_by(column: str) -> Transformation:
    """Keep one row for each value of a column, with the newest of the times as `Time (max)`."""
    return _transformation(
        "groupBy",
        fields={
            column: {"aggregations": [], "operation": "groupby"},
            "Time": {"aggregations": ["max"], "operation": "aggregate"},
        },
    )


def number(column: str) -> Transformation:
    """Take the text of a column for numbers."""
    return _transformation(
        "convertFieldType", conversions=[{"destinationType": "number", "targetField": column}], fields={}
    )


def matrix(*, row: str, column: str, value: str) -> Transformation:
    r"""Make a row of each value of one column and a column of each value of another; the first is `row\column`."""
    return _transformation("groupingToMatrix", columnField=column, rowField=row, valueField=value)
