"""What is written down about services, what is remembered between their starts, and what is said about them."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from shelly_app.__main__ import USAGE, main
from shelly_app.places import Layout, Places
from shelly_app.services import restarts
from shelly_app.services.ended import ended
from shelly_app.services.health import problems
from shelly_app.services.ports import listening
from shelly_app.services.restarts import Restarts
from shelly_app.services.service import Folder, Service, load, text


def service(name: str = "broker", *, enabled: bool = True, ready: int | None = None) -> Service:
    return Service(name=name, enabled=enabled, argv=("true",), ready=ready)


def layout(folder: Path, *services: Service) -> Layout:
    """Return a layout below `folder` with these services written down."""
    places = Places(run=folder / "run")
    places.run.mkdir()
    places.services.write_text(text(services))
    return Layout(places=places)


def test_what_is_written_down_is_read_back(tmp_path: Path) -> None:
    full = Service(
        name="all",
        enabled=True,
        argv=("a", "b"),
        user="somebody",
        environment={"TZ": "Europe/Berlin"},
        keeps=("SUPERVISOR_TOKEN",),
        ready=1883,
        waits_for=(tmp_path / "token",),
        folders=(Folder(path=tmp_path / "data", mode=0o711),),
    )
    (tmp_path / "services.json").write_text(text([full, service()]))
    assert load(tmp_path / "services.json") == {"all": full, "broker": service()}


@pytest.mark.parametrize(("quick_ends", "pause"), [(0, 0), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (5000, 60)])
def test_each_quick_end_doubles_the_pause(quick_ends: int, pause: float) -> None:
    assert Restarts(quick_ends=quick_ends).pause_s == pause


@pytest.mark.parametrize(
    ("started", "quick_ends"),
    [(100.0, 3), (41.0, 3), (40.0, 0), (None, 0), (101.0, 0)],
    ids=["at once", "soon", "after a minute", "never started", "before the machine was started anew"],
)
def test_only_quick_ends_count(started: float | None, quick_ends: int) -> None:
    assert Restarts(started=started, quick_ends=2).after_end(100.0) == Restarts(started=started, quick_ends=quick_ends)


def test_the_others_wait_for_three_quick_ends() -> None:
    assert [Restarts(quick_ends=count).hopeless for count in (0, 2, 3, 4)] == [False, False, True, True]


def test_what_is_remembered(tmp_path: Path) -> None:
    known = Restarts(started=12.5, quick_ends=2)
    restarts.keep(tmp_path / "restarts", "broker", known)
    assert restarts.load(tmp_path / "restarts", "broker") == known
    assert restarts.load(tmp_path / "restarts", "another") == Restarts()
    assert known.after_start(20.0) == Restarts(started=20.0, quick_ends=2)


@pytest.mark.parametrize("content", ["", "[]", '{"other": 1}', "nonsense"])
def test_a_damaged_memory_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "broker").write_text(content)
    assert restarts.load(tmp_path, "broker") == Restarts()


@pytest.mark.parametrize(
    ("code", "number", "said", "quick_ends"),
    [
        (1, 0, "broker: ended with code 1 after 2 s; it starts again in 4 s\n", 3),
        (256, signal.SIGKILL, "broker: was ended by SIGKILL after 2 s; it starts again in 4 s\n", 3),
        (256, 63, "broker: was ended by signal 63 after 2 s; it starts again in 4 s\n", 3),
        (256, signal.SIGTERM, "broker: has ended\n", 2),
        (0, 0, "broker: has ended\n", 2),
    ],
)
def test_what_is_said_at_the_end(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    number: int,
    said: str,
    quick_ends: int,
) -> None:
    monkeypatch.setattr(restarts, "clock", lambda: 102.0)
    where = layout(tmp_path, service())
    restarts.keep(where.places.run / "restarts", "broker", Restarts(started=100.0, quick_ends=2))
    ended("broker", code, number, where)
    assert capsys.readouterr().err == said
    assert restarts.load(where.places.run / "restarts", "broker").quick_ends == quick_ends


def test_nothing_is_said_of_a_service_that_is_switched_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended("broker", 1, 0, layout(tmp_path, service(enabled=False)))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("services", [(), (service("another"),)])
def test_the_end_of_what_could_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], services: tuple[Service, ...]
) -> None:
    where = layout(tmp_path, *services)
    if not services:
        where.places.services.unlink()
    ended("broker", 1, 0, where)
    assert capsys.readouterr().err == "broker: ended with code 1; it starts again in 1 s\n"


def test_a_port_that_somebody_listens_on() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as server:
            server.bind((address, 0))
            port = server.getsockname()[1]
            assert not listening(port)
            server.listen()
            assert listening(port)
        assert not listening(port)


def test_a_machine_without_a_table(tmp_path: Path) -> None:
    assert not listening(1883, (tmp_path / "tcp6",))


@pytest.mark.parametrize(
    ("broker", "gateway", "wrong"),
    [
        (True, True, []),
        (False, True, ["mosquitto does not listen on port {broker}"]),
        (True, False, ["gateway does not listen on port {gateway}"]),
        (False, False, ["mosquitto does not listen on port {broker}", "gateway does not listen on port {gateway}"]),
    ],
)
def test_health(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broker: bool, gateway: bool, wrong: list[str]
) -> None:
    with socket.socket() as one, socket.socket() as two:
        ports = []
        for server, listens in ((one, broker), (two, gateway)):
            server.bind(("127.0.0.1", 0))
            ports.append(server.getsockname()[1])
            if listens:
                server.listen()
        where = layout(tmp_path, service("mosquitto", ready=ports[0]), service("gateway", ready=ports[1]))
        expected = [problem.format(broker=ports[0], gateway=ports[1]) for problem in wrong]
        assert problems(where) == expected
        assert main(["health"], where) == (1 if wrong else 0)
    assert capsys.readouterr().out.splitlines() == expected


def test_health_does_not_ask_for_what_is_switched_off(tmp_path: Path) -> None:
    where = layout(
        tmp_path, service("mosquitto", enabled=False, ready=1), service("gateway"), service("grafana", ready=1)
    )
    assert problems(where) == []


def test_health_before_anything_is_there(tmp_path: Path) -> None:
    assert problems(Layout(places=Places(run=tmp_path))) == ["The app is still being prepared"]


def test_commands_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == USAGE
    for wrong in ([], ["nonsense"], ["launch"]):
        assert main(wrong) == 2
        assert capsys.readouterr().err == USAGE


def test_the_end_is_told_by_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ended", "broker", "256", "9"], layout(tmp_path, service())) == 0
    assert capsys.readouterr().err == "broker: was ended by SIGKILL; it starts again in 1 s\n"


def test_preparing_is_what_the_program_does_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = layout(tmp_path)
    seen = []

    def prepare(environ: Mapping[str, str], given: Layout) -> int:
        seen.append((environ, given))
        return 2

    monkeypatch.setattr("shelly_app.prepare.main", prepare)
    assert main(["prepare"], where) == 2
    assert seen == [(os.environ, where)]


def test_control_runs_with_what_was_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, seen = layout(tmp_path), []

    async def run(settings: object, environ: Mapping[str, str]) -> None:
        await asyncio.sleep(0)
        seen.append((settings, environ))

    monkeypatch.setattr("shelly_app.control.daemon.run", run)
    monkeypatch.setattr("shelly_app.control.settings.load", lambda path: {where.places.control: "settings"}[path])
    assert main(["control"], where) == 0
    assert seen == [("settings", os.environ)]


def test_database_idles_once_all_is_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, done = layout(tmp_path), []

    def idle() -> None:
        done.append("idle")
        raise SystemExit

    monkeypatch.setattr("shelly_app.database.service.main", done.append)
    monkeypatch.setattr("shelly_app.services.launch.idle", idle)
    with pytest.raises(SystemExit):
        main(["database"], where)
    assert done == [where, "idle"]


def test_what_cannot_be_launched_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "another"], layout(tmp_path, service())) == 1
    assert capsys.readouterr().err == "another: there is no such service; there are: broker\n"


def test_the_file_has_no_values_of_variables_that_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISOR_TOKEN", "very-secret")
    written = text([Service(name="control", enabled=True, argv=("a",), keeps=("SUPERVISOR_TOKEN",))])
    assert json.loads(written)[0]["keeps"] == ["SUPERVISOR_TOKEN"]
    assert "very-secret" not in written
