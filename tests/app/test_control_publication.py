"""What Supervisor is told, call by call."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from shelly_app.control.publication import Publication
from shelly_app.control.settings import Settings
from shelly_app.supervisor import Supervisor, SupervisorError
from tests.app.control_stage import OFFER, control_settings, listener
from tests.stack.fake_supervisor import FOREIGN, SLUG, FakeSupervisor
from tests.stack.processes import free_port, wait_until

OURS = {"host": "a0d7b954-shelly-pro", "port": 1883, "ssl": False, "protocol": "3.1.1"}
COLD_START = [
    "GET /addons/self/info",
    "GET /services/mqtt",
    "POST /services/mqtt",
    "POST /discovery",
    "POST /discovery",
]


@pytest.fixture
async def fake() -> AsyncIterator[FakeSupervisor]:
    """A Supervisor."""
    async with FakeSupervisor() as server:
        yield server


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings with a broker that answers."""
    chosen = control_settings(tmp_path)
    async with listener(chosen.mqtt_port):
        yield chosen


@pytest.fixture
async def supervisor(fake: FakeSupervisor) -> AsyncIterator[Supervisor]:
    """The client."""
    async with aiohttp.ClientSession() as session:
        yield Supervisor(session, fake.state.token, fake.url)


@pytest.fixture
def publication(settings: Settings, supervisor: Supervisor) -> Publication:
    """What is tested."""
    return Publication(settings, supervisor)


async def test_cold_start(fake: FakeSupervisor, settings: Settings, publication: Publication) -> None:
    await publication.publish()
    assert fake.state.calls == COLD_START
    ours = OURS | {"port": settings.mqtt_port}
    assert fake.state.mqtt == ours | {"username": "addons", "password": "password of apps", "addon": SLUG}
    assert fake.state.discovered == {
        "mqtt": ours | {"username": "homeassistant", "password": "password of Home Assistant"},
        "shelly_pro": OFFER,
    }


async def test_nothing_is_told_before_the_broker_answers(
    fake: FakeSupervisor, settings: Settings, supervisor: Supervisor
) -> None:
    late = replace(settings, mqtt_port=free_port())
    publishing = asyncio.create_task(Publication(late, supervisor).publish())
    done, _ = await asyncio.wait({publishing}, timeout=0.5)
    assert not done
    assert fake.state.calls == []
    async with listener(late.mqtt_port):
        await asyncio.wait_for(publishing, 5)
    assert fake.state.calls == COLD_START


async def test_restart_after_a_crash(fake: FakeSupervisor, publication: Publication) -> None:
    await publication.publish()
    fake.state.calls.clear()
    await publication.publish()
    assert fake.state.calls == [*COLD_START[:2], *COLD_START[3:]]
    assert fake.state.mqtt is not None


async def test_restart_after_a_crash_with_another_password(fake: FakeSupervisor, publication: Publication) -> None:
    fake.state.mqtt = OURS | {"username": "addons", "password": "an old one", "addon": SLUG}
    await publication.publish()
    assert fake.state.calls == [*COLD_START[:2], "DELETE /services/mqtt", *COLD_START[2:]]
    assert fake.state.mqtt["password"] == "password of apps"


async def test_the_broker_of_another_app_stays_registered(
    fake: FakeSupervisor, publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    fake.register_foreign()
    await publication.publish()
    await publication.withdraw()
    assert fake.state.calls == [*COLD_START[:2], "POST /discovery", *COLD_START[:2]]
    assert fake.state.mqtt is not None
    assert fake.state.mqtt["addon"] == FOREIGN
    assert set(fake.state.discovered) == {"shelly_pro"}
    assert caplog.messages == ["Home Assistant uses the broker of the app core_mosquitto: ours is not registered"]


async def test_another_app_is_quicker(
    fake: FakeSupervisor, settings: Settings, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody() -> None:
        fake.register_foreign()

    publication = Publication(settings, supervisor)
    with monkeypatch.context() as patch:
        patch.setattr(supervisor, "mqtt_service", nobody)
        with pytest.raises(SupervisorError, match="at the same time"):
            await publication.publish()
    await publication.publish()
    assert fake.state.mqtt is not None
    assert fake.state.mqtt["addon"] == FOREIGN


async def test_a_refused_registration_is_an_error(
    fake: FakeSupervisor, settings: Settings, supervisor: Supervisor
) -> None:
    wrong = replace(settings, hostname=None)  # type: ignore[arg-type]
    with pytest.raises(SupervisorError, match="answered 400 to POST /services/mqtt"):
        await Publication(wrong, supervisor).publish()


async def test_without_a_broker_of_ours(fake: FakeSupervisor, settings: Settings, supervisor: Supervisor) -> None:
    fake.register_foreign()
    publication = Publication(replace(settings, broker=False), supervisor)
    await publication.publish()
    await publication.withdraw()
    assert fake.state.calls == ["POST /discovery"]
    assert fake.state.pushed == ["shelly_pro"]


async def test_orderly_stop(fake: FakeSupervisor, publication: Publication) -> None:
    await publication.publish()
    fake.state.calls.clear()
    await publication.withdraw()
    assert fake.state.calls == ["GET /addons/self/info", "GET /services/mqtt", "DELETE /services/mqtt"]
    assert fake.state.mqtt is None


async def test_stop_when_nothing_is_registered(fake: FakeSupervisor, publication: Publication) -> None:
    await publication.withdraw()
    assert fake.state.calls == ["GET /addons/self/info", "GET /services/mqtt"]


async def test_the_same_is_discovered_once(fake: FakeSupervisor, publication: Publication) -> None:
    await publication.publish()
    await publication.publish()
    assert fake.state.pushed == ["mqtt", "shelly_pro"]


async def test_the_sidebar_is_the_persons_after_the_first_start(fake: FakeSupervisor, publication: Publication) -> None:
    await publication.show_in_sidebar()
    assert fake.state.options == {"ingress_panel": True}
    fake.state.options["ingress_panel"] = False
    await publication.show_in_sidebar()
    assert fake.state.options == {"ingress_panel": False}
    assert fake.state.calls == ["POST /addons/self/options"]


async def test_the_sidebar_is_tried_again_if_nobody_answered(fake: FakeSupervisor, publication: Publication) -> None:
    await fake.stop()
    with pytest.raises(SupervisorError):
        await publication.show_in_sidebar()
    await fake.start()
    await publication.show_in_sidebar()
    await wait_until(lambda: fake.state.options == {"ingress_panel": True}, 1, "the entry is there")
