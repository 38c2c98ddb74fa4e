"""When Grafana warns, as the file that it reads its alert rules from."""

from typing import Any

from .devices import exporter_errors, gap, offline
from .electricity import over_current, over_voltage, under_voltage
from .rule import RECEIVER
from .thresholds import Thresholds

__all__ = ["RECEIVER", "Thresholds", "rules"]

FOLDER = "Shelly"
_EVERY = "1m"


def rules(thresholds: Thresholds) -> dict[str, Any]:
    """Return the document with all rules; written as YAML or JSON, Grafana reads it from `provisioning/alerting`."""
    groups = {
        "Devices": (offline(thresholds), gap()),
        "Electricity": (over_voltage(thresholds), under_voltage(thresholds), over_current(thresholds)),
        "Exporter": (exporter_errors(),),
    }
    return {
        "apiVersion": 1,
        "groups": [
            {
                "folder": FOLDER,
                "interval": _EVERY,
                "name": name,
                "orgId": 1,
                "rules": [rule.json() for rule in members],
            }
            for name, members in groups.items()
        ],
    }
