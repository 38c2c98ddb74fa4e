"""From Grafana's alerts to notifications and events in Home Assistant, none lost while it restarts."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shelly_app.supervisor.client import Supervisor
from shelly_app.supervisor.errors import SupervisorError

from .persistence import persist

EVENT = "shelly_pro_alert"

_log = logging.getLogger(__name__)


class AlertError(Exception):
    """What was posted is not what Grafana's webhook contact point posts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert as Grafana tells it; `fingerprint` stays the same from firing to resolved."""

    fingerprint: str
    firing: bool
    name: str
    title: str
    message: str
    started: str
    ended: str | None
    labels: Mapping[str, str]
    values: Mapping[str, float]

    @property
    def notification(self) -> str:
        """The id of its notification."""
        return f"shelly_pro_{self.fingerprint}"

    def event(self) -> dict[str, Any]:
        """Return what automations get."""
        return {
            "alert": self.name,
            "state": "firing" if self.firing else "resolved",
            "title": self.title,
            "message": self.message,
            "started": self.started,
            "ended": self.ended,
            "labels": dict(self.labels),
            "values": dict(self.values),
            "fingerprint": self.fingerprint,
        }


def parse(payload: Any) -> tuple[Alert, ...]:
    """Return the alerts in the body of a webhook of Grafana; `AlertError` if it is none.

    https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
    """
    try:
        return tuple(map(_alert, payload["alerts"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise AlertError(f"no alert of Grafana: {error!r}") from error


def _alert(values: Mapping[str, Any]) -> Alert:
    labels, annotations = values["labels"], values["annotations"]
    firing = values["status"] == "firing"
    # Without data or with an error in it, `alertname` says that, and `rulename` which rule it is.
    name = labels["rulename"] if "rulename" in labels else labels["alertname"]
    title = annotations.get("summary", name)
    return Alert(
        fingerprint=str(values["fingerprint"]),
        firing=firing,
        name=name,
        title=title,
        message=annotations.get("description", title),
        started=str(values["startsAt"]),
        ended=None if firing else str(values["endsAt"]),
        labels=dict(labels),
        values={} if values.get("values") is None else dict(values["values"]),
    )


@dataclass(slots=True, kw_only=True)
class _Pending:
    """What Home Assistant has still to be told of an alert."""

    alert: Alert
    event: bool
    """Whether an event is fired too: not for a reminder."""


class Alerts:
    """Takes alerts at once and delivers the newest state of each as soon as Home Assistant takes it."""

    def __init__(self, supervisor: Supervisor | None) -> None:
        """Without a Supervisor alerts are only logged."""
        self._supervisor = supervisor
        self._firing: dict[str, Alert] = {}
        self._pending: dict[str, _Pending] = {}
        self._wanted = asyncio.Event()

    def take(self, alerts: tuple[Alert, ...]) -> None:
        """Take what Grafana tells: new ones, resolved ones, and reminders of those that are still firing."""
        for alert in alerts:
            known = self._firing.pop(alert.fingerprint, None)
            if alert.firing:
                self._firing[alert.fingerprint] = alert
            changed = not alert.firing or known is None or known.started != alert.started
            if changed:
                _log.log(
                    logging.WARNING if alert.firing else logging.INFO,
                    "Alert %s: %s",
                    "fires" if alert.firing else "is over",
                    alert.title,
                )
            waiting = self._pending.get(alert.fingerprint)
            self._pending[alert.fingerprint] = _Pending(
                alert=alert, event=changed or (waiting is not None and waiting.event)
            )
        self._wanted.set()

    def remind(self) -> None:
        """Show all that fire again: Home Assistant forgets its notifications when it restarts."""
        for fingerprint, alert in self._firing.items():
            self._pending.setdefault(fingerprint, _Pending(alert=alert, event=False))
        self._wanted.set()

    async def deliver(self) -> None:
        """Deliver what was taken, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await persist("Alerts", self._deliver_all)

    async def _deliver_all(self) -> None:
        """Deliver all; one that is refused does not hold up the others. Raises the last `SupervisorError`."""
        failure = None
        for fingerprint, pending in tuple(self._pending.items()):
            try:
                await self._deliver(pending)
            except SupervisorError as error:
                failure = error
                continue
            if self._pending[fingerprint] is pending:
                del self._pending[fingerprint]
        if failure is not None:
            raise failure

    async def _deliver(self, pending: _Pending) -> None:
        if self._supervisor is None:
            return
        alert = pending.alert
        notification = {"notification_id": alert.notification}
        if alert.firing:
            text = {"title": alert.title, "message": alert.message}
            await self._supervisor.call_service("persistent_notification", "create", notification | text)
        else:
            await self._supervisor.call_service("persistent_notification", "dismiss", notification)
        if pending.event:
            await self._supervisor.fire_event(EVENT, alert.event())
            pending.event = False
