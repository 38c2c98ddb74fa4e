"""Who is an administrator in Grafana, also while Home Assistant is away."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from shelly_app.control.roles import Roles
from shelly_app.supervisor import Supervisor
from tests.stack.fake_supervisor import FakeSupervisor, person


class Clock:
    """Time, as the test wants it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def fake() -> AsyncIterator[FakeSupervisor]:
    """A Supervisor with an owner, an administrator and a user."""
    async with FakeSupervisor() as server:
        server.state.people = [
            person("owner", owner=True),
            person("anna", administrator=True),
            person("ben"),
        ]
        yield server


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
async def roles(fake: FakeSupervisor, clock: Clock) -> AsyncIterator[Roles]:
    """What is tested."""
    async with aiohttp.ClientSession() as session:
        yield Roles("Viewer", Supervisor(session, fake.state.token, fake.url), clock)


async def everybody(roles: Roles) -> list[str]:
    return [await roles.role(user) for user in ("owner", "anna", "ben", "nobody")]


def asked(fake: FakeSupervisor) -> int:
    return fake.state.calls.count("config/auth/list")


async def test_administrators_and_others(fake: FakeSupervisor, roles: Roles) -> None:
    assert await everybody(roles) == ["Admin", "Admin", "Viewer", "Viewer"]


async def test_what_is_known_is_not_asked(fake: FakeSupervisor, roles: Roles, clock: Clock) -> None:
    await roles.refresh()
    clock.now += 3600
    for user in ("anna", "ben"):
        await roles.role(user)
    assert asked(fake) == 1


async def test_a_new_user_is_asked_for_at_once(fake: FakeSupervisor, roles: Roles, clock: Clock) -> None:
    await roles.refresh()
    fake.state.people.append(person("new", administrator=True))
    clock.now += 10
    assert await roles.role("new") == "Admin"


async def test_nobody_is_asked_for_all_the_time(fake: FakeSupervisor, roles: Roles, clock: Clock) -> None:
    await asyncio.gather(*(roles.role("nobody") for _ in range(10)))
    assert asked(fake) == 1
    clock.now += 10
    await roles.role("nobody")
    assert asked(fake) == 2


async def test_rights_that_are_taken_away_are_gone_after_a_refresh(fake: FakeSupervisor, roles: Roles) -> None:
    await roles.refresh()
    fake.state.people[1] = person("anna")
    assert await roles.role("anna") == "Admin"
    await roles.refresh()
    assert await roles.role("anna") == "Viewer"


async def test_while_nobody_answers_the_last_answer_counts(fake: FakeSupervisor, roles: Roles, clock: Clock) -> None:
    await roles.refresh()
    fake.state.core = False
    assert await roles.refresh() is False
    assert await roles.refresh() is False
    clock.now += 10
    assert await everybody(roles) == ["Admin", "Admin", "Viewer", "Viewer"]
    fake.state.core = True
    assert await roles.refresh() is True
    assert await roles.refresh() is False


async def test_without_an_answer_ever_nobody_is_an_administrator(fake: FakeSupervisor, roles: Roles) -> None:
    await fake.stop()
    assert await everybody(roles) == ["Viewer"] * 4


async def test_who_waits_for_a_page_does_not_wait_for_ever(
    fake: FakeSupervisor, roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("shelly_app.control.roles._PATIENCE_S", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(roles._supervisor, "people", hang)
        assert await asyncio.wait_for(roles.role("anna"), 5) == "Viewer"
    await roles.refresh()
    assert await roles.role("anna") == "Admin"


async def test_without_a_supervisor() -> None:
    roles = Roles("Editor", None)
    assert await roles.role("anna") == "Editor"
    assert await roles.refresh() is False
