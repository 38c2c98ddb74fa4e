"""What Grafana warns of, and whom it tells: `control`, which tells Home Assistant."""

from collections.abc import Mapping
from typing import Any

from shelly_app.setup import Setup

RECEIVER = "Home Assistant"
"""What the rules call whom they tell."""


def rules(setup: Setup) -> Mapping[str, Any]:
    """Return the file with the rules; with alerts switched off, the one that removes them, else Grafana keeps them."""
    from shelly_boards import alerts  # noqa: PLC0415  # late: most of the app does without the boards

    options = setup.options.alerts
    thresholds = alerts.Thresholds(
        offline_minutes=options.offline_minutes,
        voltage_min=options.voltage_min,
        voltage_max=options.voltage_max,
        breaker_a=options.breaker_a,
    )
    document: Mapping[str, Any] = alerts.rules(thresholds)
    if options.enabled:
        return document
    uids = [rule["uid"] for group in document["groups"] for rule in group["rules"]]
    return {"apiVersion": 1, "deleteRules": [{"orgId": 1, "uid": uid} for uid in uids]}


def contact_points(setup: Setup) -> Mapping[str, Any]:
    """Return the file that names `control`; nothing in `settings` is expanded by Grafana, so the token stands there.

    It stays when alerts are switched off: Grafana would remove it before the rules that use it, and refuse to start.
    There are no `policies` in it: they would replace those of the person.
    """
    return {
        "apiVersion": 1,
        "contactPoints": [
            {
                "orgId": 1,
                "name": RECEIVER,
                "receivers": [
                    {
                        "uid": "shelly-home-assistant",
                        "type": "webhook",
                        "disableResolveMessage": False,
                        "settings": {
                            "url": f"http://127.0.0.1:{setup.layout.ports.control}/alerts",
                            "httpMethod": "POST",
                            "authorization_scheme": "Bearer",
                            "authorization_credentials": setup.secrets.alert_token,
                        },
                    }
                ],
            }
        ],
    }
