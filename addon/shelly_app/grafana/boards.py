"""The boards, with what the person has set filled in, and the file that tells Grafana where they are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shelly_app.setup import Setup

FOLDER = "Shelly"
"""The folder in Grafana that boards and alerts are in."""
HOME = "shelly-live"
"""The board that is shown first."""


def folder(setup: Setup) -> Path:
    """Return the folder that Grafana reads the boards from."""
    return setup.layout.places.grafana / "boards"


def rendered(setup: Setup) -> Mapping[str, str]:
    """Return the boards, by the names of their files."""
    from shelly_boards import BoardValues, render  # noqa: PLC0415  # late: most of the app does without the boards

    options = setup.options
    values = BoardValues(
        time_zone=setup.time_zone,
        breaker_a=options.alerts.breaker_a,
        price_per_kwh=options.boards.price_per_kwh,
        export_price_per_kwh=options.boards.export_price_per_kwh,
    )
    return render(setup.layout.places.boards, values)


def home(setup: Setup, boards: Mapping[str, str]) -> Path | None:
    """Return the file of the board that is shown first; `None` when there is no such board."""
    names = (name for name, text in boards.items() if json.loads(text)["uid"] == HOME)
    return next((folder(setup) / name for name in names), None)


def provider(setup: Setup) -> Mapping[str, Any]:
    """Return the file that tells Grafana where the boards are: to be looked at; who wants to change one, copies it."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "shelly",
                "orgId": 1,
                "folder": FOLDER,
                "folderUid": "shelly",
                "type": "file",
                "disableDeletion": False,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 60,
                "options": {"path": str(folder(setup)), "foldersFromFilesStructure": False},
            }
        ],
    }
