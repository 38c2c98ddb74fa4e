"""The two data sources of the boards, by the ids that the app gives them in Grafana."""

from enum import StrEnum
from typing import Any

READINGS_UID = "shelly-influxdb"
"""The data source for the bucket of readings. Alert rules and saved links refer to it: it never changes."""
ROLLUPS_UID = "shelly-rollups"
"""The data source for the bucket of hourly and daily energy."""


class Source(StrEnum):
    """Where a query goes: the name of the variable that holds the data source."""

    READINGS = "datasource"
    ROLLUPS = "rollups"

    @property
    def reference(self) -> dict[str, Any]:
        """What a panel, a query or a variable says of its data source."""
        return {"type": "influxdb", "uid": f"${{{self}}}"}
