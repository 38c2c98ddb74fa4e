"""The boards as they are shipped, with what a person has set."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .board import text
from .variables import BREAKER, EXPORT_PRICE, PRICE, TIME_ZONE


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardValues:
    """What boards take from the options of the app."""

    time_zone: str
    """A name such as `Europe/Berlin`."""
    breaker_a: float
    price_per_kwh: float
    export_price_per_kwh: float


def render(folder: Path, values: BoardValues) -> dict[str, str]:
    """Return the text of each board in `folder` by its file name, with the values set.

    `FileNotFoundError` if there is none.
    """
    shipped = sorted(folder.glob("*.json"))
    if not shipped:
        raise FileNotFoundError(f"there are no boards in {folder}: install the app again, or run scripts/boards")
    constants = {
        TIME_ZONE.name: values.time_zone,
        BREAKER.name: _number(values.breaker_a),
        PRICE.name: _number(values.price_per_kwh),
        EXPORT_PRICE.name: _number(values.export_price_per_kwh),
    }
    return {path.name: text(_rendered(json.loads(path.read_text()), constants)) for path in shipped}


def _number(value: float) -> str:
    # InfluxQL knows no exponents; and nobody sets more digits than these.
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _rendered(board: dict[str, Any], constants: dict[str, str]) -> dict[str, Any]:
    variables = [
        variable | {"current": {"text": value, "value": value}, "query": value}
        if (value := constants.get(variable["name"])) is not None
        else variable
        for variable in board["templating"]["list"]
    ]
    # The axes then show the same days as the bars, wherever the browser is.
    return board | {"templating": {"list": variables}, "timezone": constants[TIME_ZONE.name]}
