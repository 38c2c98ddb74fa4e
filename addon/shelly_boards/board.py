"""A board: panels in rows, with variables and links to the other boards."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .panel import WIDE, Panel
from .variables import Variable

SCHEMA_VERSION = 42
"""Of Grafana 12.4. Newer ones take it over; files in a newer format are refused."""
TAG = "shelly"
"""All boards have it: it is how they find each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board in Grafana's classic format, the only one that is read from files."""

    uid: str
    """Part of every link to it: it never changes."""
    title: str
    description: str
    time_from: str
    refresh: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]
    """From top left to bottom right."""

    def json(self) -> dict[str, Any]:
        """Return it as Grafana knows it."""
        return {
            "annotations": {"list": []},
            "description": self.description,
            "editable": True,
            "graphTooltip": 1,
            "links": [_LINKS],
            "panels": list(_placed(self.panels)),
            "refresh": self.refresh,
            "schemaVersion": SCHEMA_VERSION,
            "tags": [TAG],
            "templating": {"list": [variable.json() for variable in self.variables]},
            "time": {"from": self.time_from, "to": "now"},
            "timepicker": {"refresh_intervals": ["5s", "10s", "30s", "1m", "5m", "15m", "1h"]},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
        }


def text(board: dict[str, Any]) -> str:
    """Return the text of a board's file: always the same for the same board."""
    return json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


_LINKS = {
    "asDropdown": False,
    "icon": "external link",
    "includeVars": False,
    "keepTime": False,
    "tags": [TAG],
    "targetBlank": False,
    "title": "Boards",
    "tooltip": "The other boards of your Shelly devices",
    "type": "dashboards",
}


def _placed(panels: tuple[Panel, ...]) -> Iterator[dict[str, Any]]:
    """Place panels side by side while there is room, and below the highest of them when there is none."""
    x = y = below = 0
    for panel in panels:
        if x + panel.width > WIDE:
            x, y = 0, below
        yield panel.json(x, y)
        x += panel.width
        below = max(below, y + panel.height)
