"""The gateway behind Supervisor: who gets in, as whom, and what Grafana hears of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from yarl import URL

from shelly_app.gateway import files
from shelly_app.options import Boards, Options, Role
from tests.app.gateway_stage import ENTRY, USER, Upstream, browser, gateway, served, setup_of, with_options


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.3"])
@pytest.mark.parametrize("headers", [{}, USER], ids=["nobody", "somebody"])
async def test_only_supervisor_gets_in(tmp_path: Path, source: str, headers: dict[str, str]) -> None:
    async with gateway(setup_of(tmp_path)) as stage, browser(stage.nginx.url, source) as session:
        async with session.get("/", headers=headers) as response:
            assert response.status == 403
        assert stage.control.asked == []


async def test_nobody_gets_in_without_an_id(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path)) as stage:
        for headers in ({}, {"X-Remote-User-Name": "anna"}, {"X-Remote-User-Id": ""}, {"X-WEBAUTH-USER": "admin"}):
            async with stage.session.get("/", headers=headers) as response:
                assert response.status == 401
        assert stage.control.asked == []


async def test_grafana_hears_who_it_is_and_what_control_says(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path), a1b2="Admin", c3="Editor") as stage:
        anna = (await stage.get())["headers"]
        carl = (await stage.get(**{"X-Remote-User-Id": "c3", "X-Remote-User-Name": "carl"}))["headers"]
        dora = (await stage.get(**{"X-Remote-User-Id": "d4", "X-Remote-User-Name": "dora"}))["headers"]
    assert (anna["x-webauth-user"], anna["x-webauth-name"], anna["x-webauth-role"]) == ("anna", "Anna B.", "Admin")
    assert (carl["x-webauth-user"], carl["x-webauth-role"]) == ("carl", "Editor")
    assert (dora["x-webauth-user"], dora["x-webauth-role"]) == ("dora", "Viewer")
    assert not [name for name in anna if name.startswith("x-remote-user")]


async def test_somebody_without_a_name_is_called_by_the_id(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path)) as stage:
        heard = (await stage.get(**{"X-Remote-User-Name": "", "X-Remote-User-Display-Name": ""}))["headers"]
    assert (heard["x-webauth-user"], heard["x-webauth-name"]) == ("a1b2", "a1b2")


async def test_names_may_have_any_letters(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path)) as stage:
        heard = (await stage.get(**{"X-Remote-User-Name": "jürgen", "X-Remote-User-Display-Name": "Jürgen 'ß' $1"}))[
            "headers"
        ]
    assert (heard["x-webauth-user"], heard["x-webauth-name"]) == ("jürgen", "Jürgen 'ß' $1")


async def test_claimed_identities_do_not_reach_grafana(tmp_path: Path) -> None:
    lies = {
        "X-WEBAUTH-USER": "root",
        "x-webauth-role": "Admin",
        "X-WebAuth-Name": "Root",
        "X-WEBAUTH-EMAIL": "root@localhost",
        "X-WEBAUTH-LOGIN": "root",
        "X-WEBAUTH-GROUPS": "admins",
        "X_WEBAUTH_USER": "root",
        "X-Role": "Admin",
        "Authorization": "Basic cm9vdDpyb290",
    }
    async with gateway(setup_of(tmp_path)) as stage:
        heard = (await stage.get(**lies))["headers"]
        asked = {name.lower() for name in stage.control.received}
    assert (heard["x-webauth-user"], heard["x-webauth-name"], heard["x-webauth-role"]) == ("anna", "Anna B.", "Viewer")
    assert not {"authorization", "x-webauth-email", "x-webauth-login", "x-webauth-groups", "x_webauth_user"} & set(
        heard
    )
    assert asked <= {"host", "connection", "x-remote-user-id"}


async def test_cookies_go_neither_way_and_the_origin_does_not_pass(tmp_path: Path) -> None:
    sent = {"Cookie": "grafana_session=old", "Origin": "https://home.example", "X-Forwarded-Host": "home.example:8123"}
    async with (
        gateway(setup_of(tmp_path)) as stage,
        stage.session.post("/api/ds/query", headers={**USER, **sent}, data="{}") as response,
    ):
        heard = await response.json()
        assert "Set-Cookie" not in response.headers
    assert not {"cookie", "origin"} & set(heard["headers"])
    assert heard["headers"]["host"] == "home.example:8123"
    assert (heard["method"], heard["body"]) == ("POST", "{}")


async def test_the_host_is_the_first_of_several(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path)) as stage:
        heard = (await stage.get(**{"X-Forwarded-Host": "home.example, inner.example:8123"}))["headers"]
    assert heard["host"] == "home.example"


async def test_the_host_is_the_one_asked_for_when_nothing_else_is_known(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path)) as stage:
        assert (await stage.get())["headers"]["host"] == f"127.0.0.1:{stage.nginx.port}"


@pytest.mark.parametrize("path", ["/d/shelly-live/live?kiosk&var-device=a%2Fb", "/api//x/%20y", "/healthz/"])
async def test_paths_pass_as_they_are(tmp_path: Path, path: str) -> None:
    async with (
        gateway(setup_of(tmp_path)) as stage,
        stage.session.get(URL(path, encoded=True), headers=USER) as response,
    ):
        assert (await response.json())["path"] == path


async def test_a_websocket_passes(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path)) as stage, stage.session.ws_connect("/ws", headers=USER) as socket:
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=5) == "anna says hello"


async def test_bodies_are_passed_on_while_they_come(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path)) as stage:

        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.wait_for(stage.upstream.seen.wait(), 5)
            yield b"last"

        async with stage.session.post("/upload", headers=USER, data=body()) as response:
            assert await response.text() == "5 and 4"
        async with stage.session.get("/download", headers=USER) as response:
            assert await response.content.readany() == b"first"
            stage.upstream.go_on.set()
            assert await response.content.read() == b"last"


@pytest.mark.parametrize(
    ("location", "ingress_path", "expected"),
    [
        (f"{ENTRY}/login", ENTRY, f"{ENTRY}/login"),
        ("/login", ENTRY, f"{ENTRY}/login"),
        ("/login", "/api/hassio_ingress/other-token", "/api/hassio_ingress/other-token/login"),
        ("/login", "", f"{ENTRY}/login"),
        ("/login", "//evil.example", f"{ENTRY}/login"),
        (f"http://localhost:3000{ENTRY}/goto/1", ENTRY, f"{ENTRY}/goto/1"),
        ("https://shelly:8099/d/x?a=b", ENTRY, f"{ENTRY}/d/x?a=b"),
        ("login", ENTRY, "login"),
    ],
)
async def test_redirections_stay_below_the_path_of_the_browser(
    tmp_path: Path, location: str, ingress_path: str, expected: str
) -> None:
    headers = {**USER, "X-Ingress-Path": ingress_path}
    async with gateway(setup_of(tmp_path)) as stage:
        moved = stage.session.get("/moved", params={"to": location}, headers=headers, allow_redirects=False)
        async with moved as response:
            assert (response.status, response.headers["Location"]) == (302, expected)


async def test_control_is_asked_once_in_a_while_for_each_user(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path), a1b2="Admin") as stage:
        roles = [
            (await stage.get(**{"X-Remote-User-Id": user}))["headers"]["x-webauth-role"] for user in 3 * ("a1b2", "c3")
        ]
        assert stage.control.asked == ["a1b2", "c3"]
    assert roles == 3 * ["Admin", "Viewer"]


@pytest.mark.parametrize("role", list(Role))
async def test_without_control_the_role_is_the_one_of_the_options(tmp_path: Path, role: Role) -> None:
    setup = with_options(setup_of(tmp_path), Options(boards=Boards(role=role)))
    async with gateway(setup, control=False) as stage:
        assert (await stage.get())["headers"]["x-webauth-role"] == role


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 418, 500, 503])
async def test_an_odd_answer_of_control_makes_nobody_an_administrator(tmp_path: Path, status: int) -> None:
    async with gateway(setup_of(tmp_path), a1b2="Admin" if status >= 300 else "root") as stage:
        stage.control.status = status
        assert (await stage.get())["headers"]["x-webauth-role"] == "Viewer"
        stage.control.status, stage.control.roles = 204, {"a1b2": "Admin"}
        assert (await stage.get())["headers"]["x-webauth-role"] == "Admin"  # it was not remembered


async def test_a_control_that_hangs_does_not_hold_up_for_long(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    waiting: list[asyncio.StreamWriter] = []
    hanging = await asyncio.start_server(
        lambda _, writer: waiting.append(writer), "127.0.0.1", setup.layout.ports.control
    )
    try:
        async with gateway(setup, control=False) as stage:
            begun = asyncio.get_running_loop().time()
            assert (await stage.get())["headers"]["x-webauth-role"] == "Viewer"
            assert asyncio.get_running_loop().time() - begun < 5
            assert len(waiting) == 1
    finally:
        hanging.close()
        for writer in waiting:
            writer.close()


@pytest.mark.parametrize(("language", "title"), [("de-AT,de;q=0.9", "Grafana startet"), ("fr", "Grafana is starting")])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_page_stands_in_for_a_grafana_that_is_not_there(
    tmp_path: Path, language: str, title: str, method: str
) -> None:
    headers = {**USER, "Accept-Language": language}
    async with gateway(setup_of(tmp_path), grafana=False) as stage:
        async with stage.session.request(method, "/d/shelly-live?x=1", headers=headers, data=b"") as response:
            page = await response.text()
            assert (response.status, response.content_type, response.charset) == (503, "text/html", "utf-8")
            assert (response.headers["Cache-Control"], response.headers["Retry-After"]) == ("no-store", "5")
        assert f"<h1>{title}</h1>" in page
        assert 'http-equiv="refresh"' in page
        async with browser(stage.nginx.url, "127.0.0.1") as stranger, stranger.get("/", headers=headers) as response:
            assert response.status == 403
        async with stage.session.get("/-/starting", headers=USER) as response:
            assert response.status == 404


async def test_grafana_is_found_when_it_comes(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    async with gateway(setup, grafana=False) as stage:
        async with stage.session.get("/", headers=USER) as response:
            assert response.status == 503
        async with served(Upstream().application, setup.layout.ports.grafana):
            assert (await stage.get())["path"] == "/"


@pytest.mark.parametrize("status", [404, 500, 502, 503, 504])
async def test_errors_of_grafana_pass_as_they_are(tmp_path: Path, status: int) -> None:
    async with gateway(setup_of(tmp_path)) as stage, stage.session.get(f"/error/{status}", headers=USER) as response:
        assert (response.status, await response.text()) == (status, "Grafana's own words")


async def test_without_boards_a_page_says_so(tmp_path: Path) -> None:
    setup = with_options(setup_of(tmp_path), Options(boards=Boards(enabled=False)))
    async with gateway(setup, grafana=False, control=False) as stage:
        async with stage.session.get("/any/where", headers=USER) as response:
            page = await response.text()
            assert response.status == 200
        assert "The boards are switched off" in page
        assert "refresh" not in page
        async with stage.session.get("/") as response:
            assert response.status == 401
        async with browser(stage.nginx.url, "127.0.0.1") as stranger, stranger.get("/", headers=USER) as response:
            assert response.status == 403


async def test_health_is_for_the_container_alone(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path), grafana=False, control=False) as stage:
        async with browser(stage.nginx.url, "127.0.0.1") as local, local.get("/healthz") as response:
            assert (response.status, await response.text()) == (200, "ok\n")
        async with stage.session.get("/healthz", headers=USER) as response:
            assert response.status == 403


async def test_it_says_nothing_about_requests_and_nothing_about_itself(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    async with gateway(setup) as stage:
        async with stage.session.get("/?secret=1", headers=USER) as response:
            assert response.headers["Server"] == "nginx"
        written = {path.name for path in setup.layout.places.nginx.iterdir()}
        log = stage.nginx.process.tail(100)
    assert "secret" not in log
    assert {"nginx.conf", "nginx.pid", "pages", "roles"} <= written


def test_a_header_name_cannot_be_smuggled_in(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    with pytest.raises(ValueError, match="cannot be written to the configuration of nginx"):
        files(replace(setup, home=replace(setup.home, ingress_entry='/x"; evil on; "')))
