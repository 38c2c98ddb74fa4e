"""The calls to Supervisor: what they send, what they understand, and what they say when it goes wrong."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from shelly_app.supervisor import Registered, Supervisor, SupervisorError
from shelly_app.supervisor.answers import Host, Own, Person
from tests.stack.fake_supervisor import FOREIGN, SLUG, FakeSupervisor, person
from tests.stack.processes import free_port

BROKER: dict[str, Any] = {"host": "shelly", "port": 1883, "username": "addons", "password": "hunter2"}
type Call = Callable[[Supervisor], Awaitable[Any]]


@pytest.fixture
async def fake() -> AsyncIterator[FakeSupervisor]:
    """A Supervisor."""
    async with FakeSupervisor() as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session for clients."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def supervisor(fake: FakeSupervisor, session: aiohttp.ClientSession) -> Supervisor:
    """The client."""
    found = Supervisor.of(fake.environ, session)
    assert found is not None
    return found


@pytest.mark.parametrize("environ", [{}, {"SUPERVISOR_TOKEN": ""}])
async def test_without_a_token_there_is_no_supervisor(environ: dict[str, str], session: aiohttp.ClientSession) -> None:
    assert Supervisor.of(environ, session) is None


async def test_what_it_tells(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    assert await supervisor.info() == Host(time_zone="Europe/Berlin", hostname="homeassistant")
    assert await supervisor.own_info() == Own(
        slug=SLUG, hostname="a0d7b954-shelly-pro", ingress_entry="/api/hassio_ingress/abc"
    )
    assert await supervisor.addresses() == ("192.168.1.5",)
    assert await supervisor.core_urls() == ("http://192.168.1.5:8123",)


async def test_what_it_does_not_know_has_a_default(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    fake.state.info = {"timezone": None, "hostname": ""}
    assert await supervisor.info() == Host(time_zone="UTC", hostname="homeassistant")


async def test_the_registered_broker(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    assert await supervisor.mqtt_service() is None
    fake.register_foreign()
    registered = await supervisor.mqtt_service()
    assert registered == Registered(
        host="core-mosquitto", port=1883, username="addons", password="of the other", ssl=False, owner=FOREIGN
    )
    assert "of the other" not in repr(registered)


async def test_a_broker_without_login_is_understood(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    fake.state.mqtt = {"host": "there", "port": 8883, "ssl": True, "protocol": "3.1", "addon": "other"}
    assert await supervisor.mqtt_service() == Registered(
        host="there", port=8883, username=None, password=None, ssl=True, owner="other"
    )


async def test_registering_and_withdrawing(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    await supervisor.register_mqtt(**BROKER)
    assert fake.state.mqtt == BROKER | {"ssl": False, "protocol": "3.1.1", "addon": SLUG}
    with pytest.raises(SupervisorError, match=r"^Supervisor answered 409 to POST /services/mqtt: ") as caught:
        await supervisor.register_mqtt(**BROKER)
    assert caught.value.status == 409
    await supervisor.withdraw_mqtt()
    assert fake.state.mqtt is None
    with pytest.raises(SupervisorError, match=r"answered 400 to DELETE /services/mqtt \(Can't remove not exists"):
        await supervisor.withdraw_mqtt()


async def test_discovery(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    for _ in range(2):
        await supervisor.discover_mqtt(**BROKER)
    await supervisor.discover("shelly_pro", {"host": "shelly"})
    assert fake.state.discovered == {
        "mqtt": BROKER | {"ssl": False, "protocol": "3.1.1"},
        "shelly_pro": {"host": "shelly"},
    }
    assert fake.state.pushed == ["mqtt", "shelly_pro"]
    with pytest.raises(SupervisorError, match=r"answered 403 to POST /discovery: its token is old or it lacks"):
        await supervisor.discover("other", {})


async def test_logins_of_home_assistant(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    fake.state.logins = {"anna": "hunter2"}
    assert await supervisor.check_login("anna", "hunter2")
    assert not await supervisor.check_login("anna", "hunter3")
    assert not await supervisor.check_login("nobody", "hunter2")
    fake.state.core = False
    with pytest.raises(SupervisorError, match=r"answered 400 to POST /auth: "):
        await supervisor.check_login("anna", "hunter2")


async def test_people(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    fake.state.people = [
        person("owner", owner=True),
        person("anna", administrator=True),
        person("ben"),
    ]
    assert await supervisor.people() == (
        Person(id="owner", administrator=True),
        Person(id="anna", administrator=True),
        Person(id="ben", administrator=False),
    )


async def test_services_events_and_options(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    await supervisor.call_service("persistent_notification", "create", {"notification_id": "a", "message": "b"})
    await supervisor.fire_event("shelly_pro_alert", {"state": "firing"})
    await supervisor.set_own_options({"ingress_panel": True})
    assert fake.state.notifications == {"a": {"notification_id": "a", "message": "b"}}
    assert fake.state.events == [("shelly_pro_alert", {"state": "firing"})]
    assert fake.state.options == {"ingress_panel": True}


CALLS: dict[str, Call] = {
    "GET /info": lambda s: s.info(),
    "GET /addons/self/info": lambda s: s.own_info(),
    "GET /services/mqtt": lambda s: s.mqtt_service(),
    "POST /services/mqtt": lambda s: s.register_mqtt(**BROKER),
    "DELETE /services/mqtt": lambda s: s.withdraw_mqtt(),
    "POST /discovery": lambda s: s.discover_mqtt(**BROKER),
    "POST /addons/self/options": lambda s: s.set_own_options({"ingress_panel": True}),
    "POST /auth": lambda s: s.check_login("anna", "hunter2"),
    "GET /core/api/config": lambda s: s.core_urls(),
    "config/auth/list": lambda s: s.people(),
    "network": lambda s: s.addresses(),
    "POST /core/api/services/a/b": lambda s: s.call_service("a", "b", {"secret": "hunter2"}),
    "POST /core/api/events/a": lambda s: s.fire_event("a", {"secret": "hunter2"}),
}
OF_CORE = [asked for asked in CALLS if "/core/" in asked or "/" not in asked or asked.startswith("config/")]


@pytest.mark.parametrize("asked", CALLS)
async def test_nobody_there(asked: str, session: aiohttp.ClientSession) -> None:
    supervisor = Supervisor(session, "hunter2", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SupervisorError) as caught:
        await CALLS[asked](supervisor)
    assert str(caught.value).startswith(f"Supervisor did not answer {asked} (ClientConnectorError): is it starting")
    assert caught.value.status is None


@pytest.mark.parametrize("asked", [asked for asked in CALLS if asked != "POST /auth"])
async def test_a_wrong_token_is_said_and_not_shown(
    asked: str, fake: FakeSupervisor, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(SupervisorError) as caught:
        await CALLS[asked](Supervisor(session, "hunter2", fake.url))
    assert caught.value.status == (401 if asked in OF_CORE else 403)
    assert "restart the app" in str(caught.value)
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize("asked", OF_CORE)
async def test_home_assistant_is_not_up(asked: str, fake: FakeSupervisor, supervisor: Supervisor) -> None:
    fake.state.core = False
    with pytest.raises(SupervisorError) as caught:
        await CALLS[asked](supervisor)
    assert str(caught.value) == (
        f"Supervisor answered 502 to {asked}: Home Assistant is not up yet: it will be asked again"
    )


async def test_supervisor_that_is_not_ready_is_not_taken_for_no_broker(session: aiohttp.ClientSession) -> None:
    async with answering({"result": "error", "message": "System is not ready with state: setup"}, 400) as url:
        with pytest.raises(SupervisorError, match="not ready"):
            await Supervisor(session, "token", url).mqtt_service()


@pytest.mark.parametrize("answer", [None, [], {}, {"data": None}, {"data": {"host": "a"}}])
@pytest.mark.parametrize("asked", ["GET /addons/self/info", "GET /services/mqtt"])
async def test_odd_answers(asked: str, answer: Any, session: aiohttp.ClientSession) -> None:
    async with answering(answer, 200) as url:
        with pytest.raises(SupervisorError, match=f"answer to {asked} is not understood .*: update this app$"):
            await CALLS[asked](Supervisor(session, "token", url))


async def test_a_complaint_about_what_was_sent_is_not_quoted(session: aiohttp.ClientSession) -> None:
    async with answering({"result": "error", "message": "expected int. Got 'hunter2'"}, 400) as url:
        with pytest.raises(SupervisorError) as caught:
            await Supervisor(session, "token", url).register_mqtt(**BROKER)
    assert str(caught.value).endswith("the reason is under Settings, System, Logs, Supervisor")
    assert "hunter2" not in str(caught.value)


async def test_a_page_instead_of_a_document(session: aiohttp.ClientSession) -> None:
    async with answering("<html>", 500) as url:
        with pytest.raises(SupervisorError, match=r"^Supervisor answered 500 to GET /info: "):
            await Supervisor(session, "token", url).info()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ([], "did not answer network .it ended the connection"),
        ([[]], "answer to network is not understood .list."),
        ([{"type": "auth_required"}, {"type": "auth_invalid"}], "answered 401 to network"),
        ([{"type": "auth_required"}, {"type": "auth_ok"}], "did not answer network .it ended the connection"),
        (
            [{"type": "auth_required"}, {"type": "auth_ok"}, {"success": False, "error": {"code": "unauthorized"}}],
            "answer to network is not understood .*unauthorized",
        ),
        (
            [{"type": "auth_required"}, {"type": "auth_ok"}, {"success": True, "result": {"adapters": 1}}],
            "answer to network is not understood",
        ),
    ],
)
async def test_odd_conversations(said: list[Any], text: str, session: aiohttp.ClientSession) -> None:
    async def talk(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in said:
            await socket.send_json(message)
        await socket.close()
        return socket

    async with serving(talk) as url:
        with pytest.raises(SupervisorError, match=text):
            await Supervisor(session, "token", url).addresses()


def answering(document: Any, status: int) -> contextlib.AbstractAsyncContextManager[str]:
    """Serve one answer to everything."""

    async def answer(_: web.Request) -> web.StreamResponse:
        if isinstance(document, str):
            return web.Response(text=document, status=status, content_type="text/html")
        return web.json_response(document, status=status)

    return serving(answer)


@contextlib.asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve `handler` for everything; yield the URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
