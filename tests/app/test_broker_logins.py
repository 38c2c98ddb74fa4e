"""Who may log in as a user of Home Assistant: the server that Mosquitto's plug-in asks."""

import asyncio
import logging
import socket as socketlib
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from shelly_app.broker import logins
from shelly_app.broker.logins import LoginServer
from tests.stack.processes import wait_until


class HomeAssistant:
    """Knows passwords, and what it was asked."""

    def __init__(self, **passwords: str) -> None:
        self.passwords = passwords
        self.asked: list[tuple[str, str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.error: Exception | None = None
        self.answering = asyncio.Event()
        self.answering.set()

    async def check(self, name: str, password: str) -> bool:
        self.asked.append((name, password))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.answering.wait()
        finally:
            self.at_once -= 1
        if self.error is not None:
            raise self.error
        return self.passwords.get(name) == password


@pytest.fixture
def home() -> HomeAssistant:
    return HomeAssistant(anna="hunter2", bob="hunter3")


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "logins.sock"


def question(*parts: str) -> bytes:
    return b"".join(len(part.encode()).to_bytes(2) + part.encode() for part in parts)


async def answer(socket: Path, content: bytes, *, complete: bool = True) -> bytes:
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(content)
    if complete:
        writer.write_eof()
    async with asyncio.timeout(10):
        told = await reader.read()
    writer.close()
    return told


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def may(socket: Path, name: str, password: str) -> str:
    return (await answer(socket, question(name, password))).decode()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass for the server, but not for its time limits."""
    passed = 0.0

    class Loop:
        @staticmethod
        def time() -> float:
            return passed

    class Asyncio:
        def __getattr__(self, name: str) -> object:
            return Loop if name == "get_running_loop" else getattr(asyncio, name)

        @staticmethod
        def get_running_loop() -> type[Loop]:
            return Loop

    def pass_on(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr(logins, "asyncio", Asyncio())
    return pass_on


async def test_home_assistant_decides(home: HomeAssistant, socket: Path) -> None:
    async with LoginServer(socket, ("anna", "bob"), home.check):
        assert await may(socket, "anna", "hunter2") == "A"
        assert await may(socket, "anna", "hunter3") == "D"
        assert await may(socket, "bob", "hunter3") == "A"
        assert await may(socket, "anna", "") == "D"


async def test_nobody_is_asked_about_others(home: HomeAssistant, socket: Path) -> None:
    home.passwords["carl"] = "hunter4"
    async with LoginServer(socket, ("anna",), home.check):
        assert await may(socket, "carl", "hunter4") == "?"
        assert await may(socket, "", "") == "?"
        assert await may(socket, "Anna", "hunter2") == "?"
    assert home.asked == []


async def test_passwords_of_any_length_and_spelling(home: HomeAssistant, socket: Path) -> None:
    home.passwords["anna"] = "ü\0" * 20_000
    async with LoginServer(socket, ("anna",), home.check):
        assert await may(socket, "anna", "ü\0" * 20_000) == "A"
        assert await may(socket, "anna", "ü\0" * 19_999) == "D"


async def test_who_was_let_in_is_asked_about_after_five_minutes(
    home: HomeAssistant, socket: Path, clock: Callable[[float], None]
) -> None:
    async with LoginServer(socket, ("anna",), home.check):
        assert await may(socket, "anna", "hunter2") == "A"
        home.passwords["anna"] = "another"
        clock(299)
        assert await may(socket, "anna", "hunter2") == "A"
        assert len(home.asked) == 1
        clock(2)
        assert await may(socket, "anna", "hunter2") == "D"


async def test_who_was_not_let_in_is_asked_about_after_ten_seconds(
    home: HomeAssistant, socket: Path, clock: Callable[[float], None]
) -> None:
    async with LoginServer(socket, ("anna", "bob"), home.check) as server:
        assert await may(socket, "anna", "another") == "D"
        home.passwords["anna"] = "another"
        clock(9)
        assert await may(socket, "anna", "another") == "D"
        assert await may(socket, "bob", "another") == "D"
        assert home.asked == [("anna", "another"), ("bob", "another")]
        clock(2)
        assert await may(socket, "anna", "another") == "A"
        assert len(server._known) == 2
        clock(300)
        assert await may(socket, "bob", "x") == "D"
        assert len(server._known) == 1


async def test_what_is_remembered_holds_no_password(home: HomeAssistant, socket: Path) -> None:
    async with LoginServer(socket, ("anna",), home.check) as server:
        await may(socket, "anna", "hunter2")
        assert b"hunter2" not in b"".join(server._known)
    async with LoginServer(socket, ("anna",), home.check) as other:
        await may(socket, "anna", "hunter2")
    assert set(server._known) != set(other._known)


async def test_one_question_at_a_time_for_each_name(home: HomeAssistant, socket: Path) -> None:
    home.answering.clear()
    async with LoginServer(socket, ("anna", "bob"), home.check):
        asking = [
            asyncio.create_task(may(socket, name, password))
            for name, password in (("anna", "hunter2"), ("anna", "hunter2"), ("anna", "x"), ("bob", "hunter3"))
        ]
        await wait_until(lambda: home.at_once == 2, 5, "both are asked about")
        home.answering.set()
        assert await asyncio.gather(*asking) == ["A", "A", "D", "A"]
    assert home.most_at_once == 2
    assert sorted(home.asked) == [("anna", "hunter2"), ("anna", "x"), ("bob", "hunter3")]


async def test_home_assistant_does_not_answer(
    home: HomeAssistant, socket: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logins, "_TIMEOUT_S", 0.1)
    home.answering.clear()
    async with LoginServer(socket, ("anna",), home.check):
        assert await may(socket, "anna", "hunter2") == "?"
        home.answering.set()
        assert await may(socket, "anna", "hunter2") == "A"
    assert "could not be checked with Home Assistant: TimeoutError" in caplog.text


async def test_an_error_is_no_answer_and_says_no_password(
    home: HomeAssistant, socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    home.error = ValueError("hunter2 is wrong")
    async with LoginServer(socket, ("anna",), home.check):
        assert await may(socket, "anna", "hunter2") == "?"
        home.error = None
        assert await may(socket, "anna", "hunter2") == "A"
    assert "could not be checked with Home Assistant: ValueError" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\4ann", question("anna"), b"\0\1\xff\0\1x"])
async def test_nonsense_is_no_question(home: HomeAssistant, socket: Path, content: bytes) -> None:
    async with LoginServer(socket, ("anna",), home.check):
        assert await answer(socket, content) == b"?"
        assert await may(socket, "anna", "hunter2") == "A"
    assert len(home.asked) == 1


async def test_who_asks_nothing_is_not_waited_for(
    home: HomeAssistant, socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "_TIMEOUT_S", 0.1)
    async with LoginServer(socket, ("anna",), home.check):
        assert await answer(socket, b"\0\4an", complete=False) == b"?"


async def test_the_socket_is_for_mosquitto_too_and_one_that_was_left_behind_is_no_harm(
    home: HomeAssistant, socket: Path
) -> None:
    with socketlib.socket(socketlib.AF_UNIX) as left_behind:
        left_behind.bind(str(socket))
    async with LoginServer(socket, ("anna",), home.check):
        assert await may(socket, "anna", "hunter2") == "A"
        assert mode(socket) == 0o666


async def test_it_ends_while_somebody_asks(home: HomeAssistant, socket: Path) -> None:
    home.answering.clear()
    async with LoginServer(socket, ("anna",), home.check):
        asking = asyncio.create_task(may(socket, "anna", "hunter2"))
        await wait_until(lambda: home.at_once == 1, 5, "somebody asks")
    async with asyncio.timeout(5):
        await asyncio.gather(asking, return_exceptions=True)
