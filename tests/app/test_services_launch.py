"""How a service is started: who it becomes, what it is given, what it waits for, and how s6 hears that it is ready."""

import os
import pwd
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Never, NoReturn

import pytest

from shelly_app.places import Layout, Places
from shelly_app.services import launch as module
from shelly_app.services import restarts
from shelly_app.services.launch import LaunchError, become, launch
from shelly_app.services.restarts import Restarts
from shelly_app.services.service import Folder, Service, load, text
from tests.stack import REPOSITORY
from tests.stack.processes import Process, free_port, wait_until

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = pwd.getpwnam("nobody")


class ReplacedError(Exception):
    """Raised where the process would have become another program."""

    def __init__(self, argv: tuple[str, ...], environment: Mapping[str, str] | None = None) -> None:
        super().__init__(argv)
        self.argv = argv
        self.environment = environment


class LeftError(Exception):
    """Raised where the process would have ended."""


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A layout, and a folder to start in as s6 does; nothing is really executed."""

    def execute(_: str, argv: tuple[str, ...], environment: Mapping[str, str] | None = None) -> NoReturn:
        raise ReplacedError(argv, environment)

    monkeypatch.setattr(os, "execvpe", execute)
    monkeypatch.setattr(os, "execvp", execute)
    monkeypatch.setattr(os, "umask", lambda _: 0)
    monkeypatch.chdir(tmp_path)
    places = Places(run=tmp_path / "run")
    places.run.mkdir()
    return Layout(places=places)


def plan(where: Layout, *services: Service) -> None:
    where.places.services.write_text(text(services))


def started(where: Layout, name: str = "one", environ: Mapping[str, str] | None = None) -> ReplacedError:
    """Launch it and return what it became."""
    with pytest.raises(ReplacedError) as replaced:
        launch(name, where, environ or {})
    return replaced.value


def one(**values: object) -> Service:
    return replace(Service(name="one", enabled=True, argv=("program", "--flag")), **values)  # type: ignore[arg-type]


@contextmanager
def notification() -> Iterator[tuple[int, int]]:
    """Yield both ends of what s6 listens at, and leave it to the test to close the second."""
    reader, writer = os.pipe()
    Path("notification-fd").write_text(f"{writer}\n")
    try:
        yield reader, writer
    finally:
        os.close(reader)


def test_it_gets_only_what_is_planned(where: Layout) -> None:
    plan(where, one(environment={"TZ": "UTC", "HOME": "/"}, keeps=("SUPERVISOR_TOKEN", "NOT_THERE")))
    environ = {"PATH": "/bin", "SUPERVISOR_TOKEN": "t", "APP_PASSWORD": "p", "HOME": "/root"}
    replaced = started(where, environ=environ)
    assert replaced.argv == ("program", "--flag")
    assert replaced.environment == {"PATH": "/bin", "TZ": "UTC", "HOME": "/", "SUPERVISOR_TOKEN": "t"}


def test_its_start_is_remembered(where: Layout) -> None:
    plan(where, one())
    before = restarts.clock()
    started(where)
    remembered = restarts.load(where.places.run / "restarts", "one").started
    assert remembered is not None
    assert before <= remembered <= restarts.clock()


def test_a_service_that_is_switched_off_idles(where: Layout) -> None:
    plan(where, one(enabled=False, argv=(), waits_for=(Path("/not/there"),)))
    with notification() as (reader, writer):
        assert started(where).argv == ("sleep", "infinity")
        assert os.read(reader, 10) == b"\n"
        os.close(writer)


def test_it_has_its_folders_to_itself(where: Layout, tmp_path: Path) -> None:
    open_before = tmp_path / "before"
    open_before.mkdir(mode=0o777)
    plan(where, one(folders=(Folder(path=tmp_path / "a" / "b"), Folder(path=open_before, mode=0o711))))
    started(where)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a" / "b", open_before)] == [0o700, 0o711]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755


@ROOT
def test_a_restored_folder_is_handed_over_with_all_in_it(where: Layout, tmp_path: Path) -> None:
    folder, other = tmp_path / "data", tmp_path / "other"
    (folder / "engine").mkdir(parents=True)
    (folder / "engine" / "file").touch()
    other.touch()
    (folder / "link").symlink_to(other)
    module._make_folders((Folder(path=folder),), "nobody")
    owners = {path.name: path.lstat().st_uid for path in (folder, *folder.rglob("*"))}
    assert owners == dict.fromkeys(("data", "engine", "file", "link"), NOBODY.pw_uid)
    assert other.stat().st_uid == 0, "what a link points to stays as it is"
    (folder / "engine" / "new").touch()
    module._make_folders((Folder(path=folder),), "nobody")
    assert (folder / "engine" / "new").stat().st_uid == 0, "a folder that is right is not searched at each start"


def test_the_folder_of_a_user_that_is_not_there_is_left_alone(tmp_path: Path) -> None:
    module._make_folders((Folder(path=tmp_path / "data"),), "nobody-of-this-name")
    assert (tmp_path / "data").stat().st_uid == os.geteuid()


def test_it_waits_for_its_files_and_says_so_each_minute(
    where: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token, now = tmp_path / "token", 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now > 130:
            token.touch()

    monkeypatch.setattr(restarts, "clock", lambda: now)
    monkeypatch.setattr(time, "sleep", sleep)
    plan(where, one(waits_for=(tmp_path, token)))
    started(where)
    assert 130 < now < 131
    assert capsys.readouterr().err == f"one: waits for {token}, which the service `database` makes\n" * 3


@pytest.mark.parametrize(("quick_ends", "pause", "told"), [(0, 0.0, b""), (2, 2.0, b""), (3, 4.0, b"\n")])
def test_after_quick_ends_it_pauses_and_after_three_the_others_start_without_it(
    where: Layout, monkeypatch: pytest.MonkeyPatch, quick_ends: int, pause: float, told: bytes
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(module, "_notify_when_ready", lambda *_: None)
    restarts.keep(where.places.run / "restarts", "one", Restarts(quick_ends=quick_ends))
    plan(where, one())
    with notification() as (reader, writer):
        started(where)
        os.close(writer)
        assert os.read(reader, 10) == told
    assert pauses == [pause]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # threads that other tests have left behind
def test_s6_is_told_when_the_port_is_open(where: Layout) -> None:
    plan(where, one(ready=free_port()))
    with notification() as (reader, writer), socket.socket() as server:
        started(where)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(writer)
        os.set_blocking(reader, False)
        with pytest.raises(BlockingIOError):
            os.read(reader, 10)
        os.set_blocking(reader, True)
        port = load(where.places.services)["one"].ready
        server.bind(("127.0.0.1", port))
        server.listen()
        assert os.read(reader, 10) == b"\n"
        assert os.read(reader, 10) == b"", "whoever told it has ended"


@pytest.fixture
def leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(_: int) -> Never:
        raise LeftError

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.mark.parametrize(
    ("opens", "port", "told"), [(True, 1883, b"\n"), (False, 1883, b""), (True, None, b"\n")], ids=str
)
def test_nobody_watches_a_service_that_is_gone(
    leaving: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: bool, port: int | None, told: bytes
) -> None:
    watched, looks = tmp_path / "4711", []
    watched.mkdir()

    def listening(asked: int) -> bool:
        assert asked == port
        looks.append(asked)
        if len(looks) == 3 and not opens:
            watched.rmdir()
        return len(looks) > 3

    monkeypatch.setattr(module, "listening", listening)
    reader, writer = os.pipe()
    with pytest.raises(LeftError):
        module._watch(watched, port, writer)
    os.close(writer)
    assert os.read(reader, 10) == told
    os.close(reader)


def test_both_that_watch_come_from_the_service(leaving: None, monkeypatch: pytest.MonkeyPatch, where: Layout) -> None:
    seen = []
    monkeypatch.setattr(os, "fork", lambda: 0)
    monkeypatch.setattr(module, "_watch", lambda *given: seen.append(given))
    with pytest.raises(LeftError):
        module._notify_when_ready(one(ready=1883), 3)
    assert seen == [(Path("/proc", str(os.getpid())), 1883, 3)]


def test_the_one_in_between_leaves_at_once(leaving: None, monkeypatch: pytest.MonkeyPatch) -> None:
    forks = iter([0, 4711])
    monkeypatch.setattr(os, "fork", lambda: next(forks))
    monkeypatch.setattr(module, "_watch", lambda *_: pytest.fail("that is for the other one"))
    with pytest.raises(LeftError):
        module._notify_when_ready(one(ready=1883), 3)


def test_s6_does_not_want_to_be_told() -> None:
    module._notify(None)


def test_s6_has_stopped_listening() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    module._notify(writer)
    os.close(writer)


def test_nobody_in_particular_stays_who_they_are() -> None:
    become(None)
    become(pwd.getpwuid(os.geteuid()).pw_name)


def test_rights_are_given_up_in_the_right_order(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[object, ...]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("initgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda *values, name=name: given.append((name, *values)))
    become("nobody")
    assert given == [("initgroups", "nobody", NOBODY.pw_gid), ("setgid", NOBODY.pw_gid), ("setuid", NOBODY.pw_uid)]


def test_mistakes_are_told_with_their_remedy(where: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LaunchError, match=r"services.json is missing: run `shelly-app prepare` first"):
        launch("one", where, {})
    plan(where, one(user="nobody-of-this-name"))
    with pytest.raises(LaunchError, match="there is no system user nobody-of-this-name: install the app again"):
        launch("one", where, {})

    def missing(*_: object) -> Never:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "execvpe", missing)
    plan(where, one())
    with pytest.raises(LaunchError, match=r"program cannot be run \(No such file or directory\): install the app"):
        launch("one", where, {})


@ROOT
async def test_a_real_start(tmp_path: Path) -> None:
    """All of it at once: it becomes somebody else, with an environment of its own, and s6 hears when it answers."""
    places = Places(run=tmp_path / "run")
    places.run.mkdir()
    port, told, log = free_port(), tmp_path / "told", tmp_path / "log"
    shows = "umask; id -u; id -G; env; exec sleep 1000"
    plan(
        Layout(places=places),
        one(argv=("/bin/sh", "-c", shows), user="nobody", environment={"TZ": "Europe/Berlin"}, ready=port),
    )
    (tmp_path / "notification-fd").write_text("3\n")
    code = (
        "import os; from pathlib import Path; from shelly_app.places import Layout, Places\n"
        "from shelly_app.services.launch import launch\n"
        f"launch('one', Layout(places=Places(run=Path({str(places.run)!r}))), os.environ)"
    )
    shell = f'exec 3>"{told}"; exec "{sys.executable}" -c "$CODE"'
    env = {"CODE": code, "PYTHONPATH": str(REPOSITORY / "addon"), "SECRET": "very-secret"}
    argv = ("/bin/sh", "-c", shell)
    async with Process("launch", argv, log=log, env=env, cwd=tmp_path) as process:
        await process.wait_until(lambda: "TZ=Europe/Berlin" in log.read_text(), 20, "the service runs")
        assert told.read_text() == ""
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))
            server.listen()
            await wait_until(lambda: told.read_text() == "\n", 10, "s6 is told")
        assert process.running
    lines = log.read_text().splitlines()
    assert lines[:3] == ["0077", str(NOBODY.pw_uid), str(NOBODY.pw_gid)]
    assert {line.split("=")[0] for line in lines[3:]} <= {"TZ", "PATH", "PWD", "OLDPWD", "_", "SHLVL"}
