"""Grafana's alerts in Home Assistant: shown once, taken away, and none lost while it restarts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from shelly_app.control import persistence
from shelly_app.control.alerts import AlertError, Alerts, parse
from shelly_app.supervisor import Supervisor
from tests.app.grafana_webhook import STARTED, alert, payload
from tests.stack.fake_supervisor import FakeSupervisor
from tests.stack.processes import wait_until

ID = "shelly_pro_c6eadffa33fcdf37"
CREATED = {"notification_id": ID, "title": "Cellar is offline", "message": "Nothing was heard for 5 minutes."}
EVENT = {
    "alert": "Device offline",
    "state": "firing",
    "title": "Cellar is offline",
    "message": "Nothing was heard for 5 minutes.",
    "started": STARTED,
    "ended": None,
    "labels": {"alertname": "Device offline", "device": "shellypro3em-3ce90e6ff1a0", "grafana_folder": "Shelly"},
    "values": {"B": 7.0, "C": 1},
    "fingerprint": "c6eadffa33fcdf37",
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again soon."""
    monkeypatch.setattr(persistence, "_LONGEST_S", 0.05)


@pytest.fixture
async def fake() -> AsyncIterator[FakeSupervisor]:
    """A Supervisor."""
    async with FakeSupervisor() as server:
        yield server


@pytest.fixture
async def alerts(fake: FakeSupervisor) -> AsyncIterator[Alerts]:
    """What is tested, delivering."""
    async with aiohttp.ClientSession() as session:
        taken = Alerts(Supervisor(session, fake.state.token, fake.url))
        delivering = asyncio.create_task(taken.deliver())
        yield taken
        delivering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await delivering


def take(alerts: Alerts, *told: dict[str, Any]) -> None:
    alerts.take(parse(payload(*told)))


async def delivered(alerts: Alerts) -> None:
    await wait_until(lambda: not alerts._pending, 5, "all is delivered")


async def test_firing(fake: FakeSupervisor, alerts: Alerts) -> None:
    take(alerts, alert())
    await delivered(alerts)
    assert fake.state.notifications == {ID: CREATED}
    assert fake.state.events == [("shelly_pro_alert", EVENT)]


async def test_resolved(fake: FakeSupervisor, alerts: Alerts) -> None:
    take(alerts, alert())
    await delivered(alerts)
    take(alerts, alert(firing=False))
    await delivered(alerts)
    assert fake.state.notifications == {}
    name, event = fake.state.events[1]
    assert name == "shelly_pro_alert"
    assert event == EVENT | {"state": "resolved", "ended": "2026-11-23T10:01:03.157076+01:00"}


async def test_each_has_a_notification_of_its_own(fake: FakeSupervisor, alerts: Alerts) -> None:
    take(alerts, alert("a"), alert("b"))
    await delivered(alerts)
    take(alerts, alert("a", firing=False), alert("b"))
    await delivered(alerts)
    assert set(fake.state.notifications) == {"shelly_pro_b"}


async def test_a_reminder_is_a_notification_but_no_event(fake: FakeSupervisor, alerts: Alerts) -> None:
    take(alerts, alert())
    await delivered(alerts)
    fake.state.notifications.clear()
    take(alerts, alert())
    await delivered(alerts)
    assert fake.state.notifications == {ID: CREATED}
    assert len(fake.state.events) == 1


async def test_firing_anew_is_an_event(fake: FakeSupervisor, alerts: Alerts) -> None:
    for told in (alert(), alert(startsAt="2026-11-24T00:00:00+01:00")):
        take(alerts, told)
        await delivered(alerts)
    assert [event["started"] for _, event in fake.state.events] == [STARTED, "2026-11-24T00:00:00+01:00"]


async def test_while_home_assistant_restarts_it_is_tried_again(
    fake: FakeSupervisor, alerts: Alerts, caplog: pytest.LogCaptureFixture
) -> None:
    fake.state.core = False
    take(alerts, alert())
    await wait_until(lambda: len(fake.state.calls) > 3, 5, "it was tried again")
    # A reminder in between does not take the event away.
    take(alerts, alert())
    fake.state.core = True
    await delivered(alerts)
    assert fake.state.notifications == {ID: CREATED}
    assert fake.state.events == [("shelly_pro_alert", EVENT)]
    warnings = [record.message for record in caplog.records if record.name == "shelly_app.control.persistence"]
    assert len(warnings) == 1
    assert "Home Assistant is not up yet" in warnings[0]


async def test_only_the_newest_state_is_delivered(fake: FakeSupervisor, alerts: Alerts) -> None:
    fake.state.core = False
    take(alerts, alert())
    await wait_until(lambda: len(fake.state.calls) > 0, 5, "it was tried")
    take(alerts, alert(firing=False))
    fake.state.core = True
    await delivered(alerts)
    assert fake.state.notifications == {}
    assert [event["state"] for _, event in fake.state.events] == ["resolved"]


async def test_what_changes_while_it_is_delivered_is_delivered_too(
    fake: FakeSupervisor, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alerts._supervisor is not None
    fire = alerts._supervisor.fire_event

    async def fire_and_resolve(name: str, data: dict[str, Any]) -> None:
        await fire(name, data)
        if data["state"] == "firing":
            take(alerts, alert(firing=False))

    monkeypatch.setattr(alerts._supervisor, "fire_event", fire_and_resolve)
    take(alerts, alert())
    await wait_until(lambda: len(fake.state.events) == 2, 5, "both were told")
    await delivered(alerts)
    assert [event["state"] for _, event in fake.state.events] == ["firing", "resolved"]
    assert fake.state.notifications == {}


async def test_one_that_is_refused_does_not_hold_up_others(
    fake: FakeSupervisor, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alerts._supervisor is not None
    call = alerts._supervisor.call_service

    async def refuse(domain: str, service: str, data: dict[str, Any]) -> None:
        await call(domain, "no such" if data["notification_id"] == "shelly_pro_bad" else service, data)

    monkeypatch.setattr(alerts._supervisor, "call_service", refuse)
    take(alerts, alert("bad"), alert("good"))
    await wait_until(lambda: "shelly_pro_good" in fake.state.notifications, 5, "the other is delivered")
    assert set(alerts._pending) == {"bad"}


async def test_home_assistant_forgets_and_is_reminded(fake: FakeSupervisor, alerts: Alerts) -> None:
    take(alerts, alert("a"), alert("b"))
    take(alerts, alert("b", firing=False))
    await delivered(alerts)
    told = len(fake.state.events)
    fake.state.notifications.clear()
    alerts.remind()
    await delivered(alerts)
    assert set(fake.state.notifications) == {"shelly_pro_a"}
    assert len(fake.state.events) == told


async def test_without_a_supervisor_there_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    alerts = Alerts(None)
    delivering = asyncio.create_task(alerts.deliver())
    take(alerts, alert())
    take(alerts, alert())
    take(alerts, alert(firing=False))
    await delivered(alerts)
    delivering.cancel()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "Alert fires: Cellar is offline"),
        ("INFO", "Alert is over: Cellar is offline"),
    ]


def test_without_texts_the_name_of_the_rule_is_shown() -> None:
    labels = {"alertname": "DatasourceNoData", "rulename": "Gap in the data"}
    (parsed,) = parse(payload(alert(labels=labels, annotations={}, values=None)))
    assert (parsed.name, parsed.title, parsed.message) == ("Gap in the data",) * 3
    assert parsed.values == {}


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"alerts": None}, {"alerts": [None]}, {"alerts": [{}]}, {"alerts": [alert(labels={})]}, "alerts"],
)
def test_what_is_no_alert_is_refused(document: Any) -> None:
    with pytest.raises(AlertError):
        parse(document)
