"""What Grafana's webhook contact point posts, in the shape of its documentation."""

from typing import Any

STARTED = "2026-11-23T09:51:03.157076+01:00"
NEVER = "0001-01-01T00:00:00Z"


def alert(fingerprint: str = "c6eadffa33fcdf37", *, firing: bool = True, **others: Any) -> dict[str, Any]:
    """Return one alert."""
    return {
        "status": "firing" if firing else "resolved",
        "labels": {"alertname": "Device offline", "device": "shellypro3em-3ce90e6ff1a0", "grafana_folder": "Shelly"},
        "annotations": {"summary": "Cellar is offline", "description": "Nothing was heard for 5 minutes."},
        "startsAt": STARTED,
        "endsAt": NEVER if firing else "2026-11-23T10:01:03.157076+01:00",
        "generatorURL": "http://localhost/alerting/grafana/abc/view",
        "fingerprint": fingerprint,
        "silenceURL": "http://localhost/alerting/silence/new",
        "dashboardURL": "",
        "panelURL": "",
        "values": {"B": 7.0, "C": 1},
        "valueString": "[ var='B' labels={} value=7 ]",
    } | others


def payload(*alerts: dict[str, Any]) -> dict[str, Any]:
    """Return what is posted."""
    return {
        "receiver": "Home Assistant",
        "status": "firing",
        "orgId": 1,
        "alerts": list(alerts),
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://localhost/",
        "version": "1",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "title": "[FIRING:1]",
        "state": "alerting",
        "message": "**Firing**",
    }
