"""All files that Grafana reads, and how it is started."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from shelly_app.files import File, Files
from shelly_app.options import DatabaseMode
from shelly_app.setup import Setup

from . import alerting, boards, datasources, ini

_HOME = "/usr/share/grafana"
"""Where the program is installed."""


def enabled(setup: Setup) -> bool:
    """Tell whether Grafana runs: it is wanted, and there is something to show."""
    return setup.options.boards.enabled and setup.options.database.mode is not DatabaseMode.OFF


def command(setup: Setup) -> tuple[str, ...]:
    """Return how Grafana is started; it stays in the foreground."""
    return ("grafana", "server", "--homepath", _HOME, "--config", str(_ini(setup)))


def files(setup: Setup) -> Files:
    """Return all that Grafana reads; nothing when it does not run.

    With our own InfluxDB one file is missing: `places.grafana / "token"`, for Grafana's system user to read. InfluxDB
    makes the token at the very first start, so part `database` writes the file; Grafana does not start without it.
    """
    if not enabled(setup):
        return {}
    places, owner = setup.layout.places, setup.layout.accounts.grafana
    shown = boards.rendered(setup)
    texts = {
        _ini(setup): ini.text(setup, boards.home(setup, shown)),
        **{ini.secret(setup, name): f"{value}\n" for name, value in ini.secrets(setup).items()},
        **{places.grafana / "provisioning" / name: _yaml(document) for name, document in _provisioned(setup).items()},
        **{boards.folder(setup) / name: text for name, text in shown.items()},
    }
    return {path: File(text=text, owner=owner) for path, text in texts.items()}


def _provisioned(setup: Setup) -> Mapping[str, Mapping[str, Any]]:
    return {
        "datasources/shelly.yaml": datasources.document(setup),
        "dashboards/shelly.yaml": boards.provider(setup),
        "alerting/rules.yaml": alerting.rules(setup),
        "alerting/contact-points.yaml": alerting.contact_points(setup),
        # Without it Grafana complains at each start that the folder is missing.
        "plugins/none.yaml": {"apiVersion": 1, "apps": []},
    }


def _ini(setup: Setup) -> Path:
    return setup.layout.places.grafana / "grafana.ini"


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
