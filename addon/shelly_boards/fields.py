"""How values look: names, units, colours, and the words that stand for numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

type Steps = tuple[tuple[float | None, str], ...]
"""Colours from a value on, in ascending order; the first has no value."""

PLAIN: Steps = ((None, "green"),)
POWER: Steps = ((None, "green"), (0.0, "blue"))
"""Green while power is fed in."""
VOLTAGE: Steps = ((None, "red"), (207.0, "green"), (253.0, "red"))
"""230 V with the ten percent either way that EN 50160 allows."""
FREQUENCY: Steps = ((None, "red"), (49.5, "green"), (50.5, "red"))
SHARE: Steps = ((None, "red"), (90.0, "yellow"), (99.0, "green"))
FAULTS: Steps = ((None, "green"), (1.0, "red"))

ON_OFF = {"0": ("off", "#6e7079"), "1": ("on", "green")}
LEVELS = {"0": ("ok", "green"), "1": ("degraded", "yellow"), "2": ("down", "red")}
ROADS = {"mqtt": ("MQTT", "green"), "http": ("HTTP", "yellow"), "none": ("none", "red")}

ENERGY = "kwatth"
MONEY = "none"
"""Grafana has a unit for each currency, and nobody told us which one a price is in."""


class Colors(StrEnum):
    """What a colour depends on."""

    SERIES = "palette-classic"
    """Each series has its own."""
    STEPS = "thresholds"
    """The value, by the steps of the field."""
    SHADES = "continuous-YlRd"
    """The value, from the lowest that is shown to the highest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What is different about the columns or series of a name."""

    name: str
    properties: Mapping[str, Any]

    def json(self) -> dict[str, Any]:
        """Return it as Grafana knows it."""
        return {
            "matcher": {"id": "byName", "options": self.name},
            "properties": [{"id": name, "value": value} for name, value in sorted(self.properties.items())],
        }


def unit(name: str, unit_id: str, decimals: int | None = None, **properties: Any) -> Override:
    """Return an override that gives a column a unit."""
    rest = {} if decimals is None else {"decimals": decimals}
    return Override(name=name, properties={"unit": unit_id, **rest, **properties})


def dashed(name: str, color: str = "red") -> Override:
    """Return an override that draws a series as a line that marks a limit."""
    return Override(
        name=name,
        properties={
            "color": {"fixedColor": color, "mode": "fixed"},
            "custom.fillOpacity": 0,
            "custom.lineStyle": {"dash": [10, 10], "fill": "dash"},
            "custom.spanNulls": True,
        },
    )


def counted_red(name: str) -> Override:
    """Return an override that makes a number red from 1 on."""
    steps = [{"color": color, "value": value} for value, color in FAULTS]
    return Override(
        name=name,
        properties={"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps}},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """How the values of a panel look, unless an override says otherwise."""

    unit: str
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    steps: Steps = PLAIN
    colors: Colors = Colors.SERIES
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What stands for a value, and its colour."""
    no_value: str = "No readings in this time"
    """What is said instead of an empty panel."""

    def json(self, custom: Mapping[str, Any]) -> dict[str, Any]:
        """Return it as Grafana knows it, with what is `custom` to a kind of panel."""
        limits = {"decimals": self.decimals, "max": self.maximum, "min": self.minimum}
        return {
            "color": {"mode": str(self.colors)},
            "custom": dict(custom),
            "mappings": self._mappings(),
            "noValue": self.no_value,
            "thresholds": {
                "mode": "absolute",
                "steps": [{"color": color, "value": value} for value, color in self.steps],
            },
            "unit": self.unit,
        } | {name: value for name, value in limits.items() if value is not None}

    def _mappings(self) -> list[dict[str, Any]]:
        if not self.words:
            return []
        results = {
            value: {"color": color, "index": index, "text": text}
            for index, (value, (text, color)) in enumerate(self.words.items())
        }
        return [{"options": results, "type": "value"}]
