import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shelly_exporter.cluster import DEFAULT_TIMING, Cluster
from shelly_exporter.cluster.rendezvous import owner
from shelly_exporter.settings import Cluster as ClusterSettings
from tests.exporter.cluster_member import FAST
from tests.exporter.cluster_stage import DEVICES, PREFIX, TAKEN_OVER_S, Member, group, shared, watched
from tests.stack import REPOSITORY
from tests.stack.processes import Process, wait_until
from tests.stack.redis_server import RedisServer


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path / "redis") as server:
        yield server


async def test_alone_there_is_nothing_to_share() -> None:
    cluster = Cluster(ClusterSettings(), "one")
    assert cluster.alone
    assert cluster.holds(DEVICES[0])
    await cluster.remember(DEVICES[0], {"address": "10.0.0.7"})
    assert await cluster.recall() == {DEVICES[0]: {"address": "10.0.0.7"}}
    await cluster.save_rollups(DEVICES[0], {"version": 1})
    assert await cluster.load_rollups(DEVICES[0]) is None
    await cluster.forget(DEVICES[0])
    assert await cluster.recall() == {}
    assert (cluster.connected, cluster.reason) == (False, None)
    assert cluster.held == set()
    assert cluster.members == {"one"}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await cluster.run()


async def test_three_members_share_and_a_fourth_gets_its_part(redis: RedisServer) -> None:
    async with group(redis.url, "one", "two", "three") as members, watched(redis, members):
        assert all(len(member.holds) > 3 for member in members)
        assert all(member.cluster.connected and member.cluster.reason is None for member in members)
        fourth = Member(redis.url, "four")
        members.append(fourth)
        try:
            await shared(members)
            assert {member.cluster.members for member in members} == {frozenset({"one", "two", "three", "four"})}
            assert fourth.cluster.held == fourth.holds
        finally:
            await fourth.stop()
        assert fourth.holds == fourth.told == set()
        # Who leaves orderly is not waited for.
        members.remove(fourth)
        assert await shared(members) < FAST.lease_s


def test_takeover_is_promised_within_15_seconds() -> None:
    assert DEFAULT_TIMING.lease_s + DEFAULT_TIMING.renew_s + DEFAULT_TIMING.timeout_s <= 15
    # One renewal may fail, and be tried twice, before a lease is over.
    assert 2 * (DEFAULT_TIMING.renew_s + DEFAULT_TIMING.timeout_s) <= DEFAULT_TIMING.lease_s


async def test_a_crashed_member_is_taken_over_from(redis: RedisServer) -> None:
    async with group(redis.url, "one", "two", "three") as members, watched(redis, members[:2]):
        await members[2].crash()
        assert await shared(members[:2]) < TAKEN_OVER_S
        assert members[0].cluster.members == {"one", "two"}


async def test_a_killed_process_is_taken_over_from(redis: RedisServer, tmp_path: Path) -> None:
    argv = (sys.executable, "-m", "tests.exporter.cluster_member", redis.url, "two")
    path = {"PYTHONPATH": f"{REPOSITORY / 'addon'}:{REPOSITORY / 'custom_components' / 'shelly_pro'}"}
    async with (
        group(redis.url, "one") as members,
        Process("a member", argv, log=tmp_path / "two.log", cwd=REPOSITORY, env=path) as other,
        Redis.from_url(redis.url, decode_responses=True) as client,
    ):
        theirs = [f"{PREFIX}:lease:{device}" for device in DEVICES if owner(device, ("one", "two")) == "two"]

        async def settled() -> bool:
            return all(str(token).startswith("two:") for token in await client.mget(theirs))

        await other.wait_until(settled, 15, "the other process has its devices")
        assert len(members[0].holds) == len(DEVICES) - len(theirs)
        await other.kill()
        assert await shared(members) < TAKEN_OVER_S


async def test_a_member_that_slept_does_not_hold_what_others_took(redis: RedisServer) -> None:
    async with group(redis.url, "one", "two") as members:
        slept = members[1].cluster
        had = members[1].holds
        now = slept._clock()
        # Its event loop hangs: for its clock it is later, but nothing of it ran.
        slept._clock = lambda: now + 100 * FAST.lease_s
        assert members[1].holds == set()
        assert slept.reason is None
        slept._clock = lambda: now
        assert members[1].holds == had


async def test_redis_killed_and_back_empty(redis: RedisServer) -> None:
    async with group(redis.url, "one", "two", "three") as members:
        before = [member.holds for member in members]
        changes = [len(member.changes) for member in members]
        await redis.kill()
        await wait_until(lambda: not any(member.cluster.connected for member in members), 5, "all know of it")
        assert all("does not answer" in str(member.cluster.reason) for member in members)
        assert all(f"127.0.0.1:{redis.port}" in str(member.cluster.reason) for member in members)

        def lease_is_over() -> bool:
            assert [member.holds for member in members] == before, "nothing moves while Redis is away"
            return all(member.cluster._clock() > member.cluster._leased_until for member in members)

        await wait_until(lease_is_over, 5, "the leases are over", interval_s=0.01)
        # A device that was met meanwhile is held by the one it belongs to, who knows of it.
        for member in members:
            await member.cluster.remember("new", {"prefix": "new"})
        assert [member.cluster.holds("new") for member in members].count(True) == 1
        assert (await members[0].cluster.recall())["new"] == {"prefix": "new"}
        await members[0].cluster.save_rollups("new", {})
        assert await members[0].cluster.load_rollups("new") is None
        await redis.start()

        def back() -> bool:
            assert [member.holds for member in members] == before, "nothing moves when it is back"
            return all(member.cluster.connected for member in members)

        await wait_until(back, 5, "all are back", interval_s=0.01)
        async with watched(redis, members):
            await asyncio.sleep(2 * FAST.lease_s)
        assert [member.holds for member in members] == before
        assert {device for member in members for device, _ in member.changes[changes[0] :]} <= {"new", *DEVICES}
        assert await members[2].cluster.recall() == {device: {"prefix": device} for device in (*DEVICES, "new")}
        assert [dict(member.changes).get("new", False) for member in members].count(True) == 1


async def test_redis_back_empty_before_anybody_noticed(redis: RedisServer) -> None:
    async with group(redis.url, "one", "two") as members:
        before = [member.holds for member in members]
        changes = [list(member.changes) for member in members]
        await redis.kill()
        await redis.start()
        async with Redis.from_url(redis.url, decode_responses=True) as client:

            async def known_again() -> bool:
                assert [member.holds for member in members] == before
                return set(await client.hkeys(f"{PREFIX}:devices")) == set(DEVICES)

            await wait_until(known_again, 5, "Redis was told again", interval_s=0.01)
        await asyncio.sleep(2 * FAST.lease_s)
        assert [member.holds for member in members] == before
        assert [member.changes for member in members] == changes, "nobody had to stop or begin"


async def test_redis_hangs(redis: RedisServer) -> None:
    async with group(redis.url, "one", "two") as members:
        before = [member.holds for member in members]
        redis.suspend()
        try:
            await wait_until(lambda: not any(member.cluster.connected for member in members), 5, "all know of it")
            assert [member.holds for member in members] == before
        finally:
            redis.resume()
        await wait_until(lambda: all(member.cluster.connected for member in members), 5, "all are back")
        assert [member.holds for member in members] == before


async def test_a_member_that_died_while_redis_was_away_is_taken_over_from(redis: RedisServer) -> None:
    async with group(redis.url, "one", "two", "three") as members:
        await redis.kill()
        await members[2].crash()
        await redis.start()
        await shared(members[:2], 2 * TAKEN_OVER_S)


async def test_without_redis_from_the_start_each_holds_all(redis: RedisServer) -> None:
    await redis.kill()
    async with group(redis.url, "one", "two", known=False) as members:
        assert not members[0].cluster.holds(DEVICES[0]), "it was not asked yet"
        for member in members:
            for device in DEVICES:
                await member.cluster.remember(device, {"of": device})
        await wait_until(lambda: all(member.told == set(DEVICES) for member in members), 5, "each holds all")
        await redis.start()
        await shared(members, 2 * TAKEN_OVER_S)


async def test_the_registry_is_shared(redis: RedisServer) -> None:
    async with group(redis.url, "one", "two", known=False) as (one, two):
        await one.cluster.remember("meter", {"address": "10.0.0.7", "info": {"gen": 2}})
        assert await two.cluster.recall() == {"meter": {"address": "10.0.0.7", "info": {"gen": 2}}}
        await two.cluster.remember("meter", {"address": "10.0.0.8"})
        await two.cluster.remember("meter", {"address": "10.0.0.8"})
        assert await one.cluster.recall() == {"meter": {"address": "10.0.0.8"}}
        holds = [one.cluster.holds, two.cluster.holds]
        await wait_until(lambda: any(hold("meter") for hold in holds), 5, "somebody holds it")
        await one.cluster.forget("meter")
        await wait_until(lambda: not any(hold("meter") for hold in holds), 5, "nobody holds it")
        assert await two.cluster.recall() == {}


async def test_rollups_go_with_the_device(redis: RedisServer) -> None:
    """The next holder finds what the last saved on being told, however long that took."""
    order: list[str] = []

    async def hand_over(device: str) -> None:
        assert not one.cluster.holds(device)
        await asyncio.sleep(0.01)
        await one.cluster.save_rollups(device, {"series": [device]})
        order.append(device)

    one = Member(redis.url, "one", hand_over=hand_over)
    try:
        for device in DEVICES:
            await one.cluster.remember(device, {})
        await shared([one])
        async with group(redis.url, "two", known=False) as (two,), watched(redis, [one, two]):
            await shared([one, two])
            assert set(order) == two.holds != set()
            for device in order:
                assert await two.cluster.load_rollups(device) == {"series": [device]}
            assert await two.cluster.load_rollups("unknown") is None
    finally:
        await one.stop()


async def test_a_hand_over_that_never_ends_is_not_waited_for(redis: RedisServer) -> None:
    async def for_ever(_device: str) -> None:
        await asyncio.Event().wait()

    one = Member(redis.url, "one", hand_over=for_ever)
    try:
        for device in DEVICES:
            await one.cluster.remember(device, {})
        await shared([one])
        async with group(redis.url, "two", known=False) as (two,):
            await shared([one, two])
    finally:
        await one.stop()


async def test_facts_that_change_while_they_are_saved_are_saved_again(redis: RedisServer) -> None:
    async with group(redis.url, "one", known=False) as (one,):
        await wait_until(lambda: one.cluster.connected, 5, "Redis answers")
        await asyncio.gather(*(one.cluster.remember("meter", {"number": number}) for number in range(20)))
        assert await one.cluster.recall() == {"meter": {"number": 19}}
        assert one.cluster._unsaved == set()


@pytest.mark.parametrize("damage", ["?", "[1]", "", "[" * 100_000])
async def test_what_others_left_in_redis_may_make_no_sense(redis: RedisServer, damage: str) -> None:
    async with group(redis.url, "one") as (one,), Redis.from_url(redis.url) as client:
        await client.hset(f"{PREFIX}:devices", DEVICES[0], damage)
        await client.hset(f"{PREFIX}:rollups", DEVICES[0], damage)
        assert set(await one.cluster.recall()) == set(DEVICES[1:])
        assert await one.cluster.load_rollups(DEVICES[0]) is None


async def test_a_wrong_password_is_said(tmp_path: Path) -> None:
    async with RedisServer(tmp_path / "redis", password="right") as server:
        member = Member(server.url.replace("right", "guessed"), "one")
        try:
            await wait_until(lambda: member.cluster.reason is not None, 5, "it is refused")
            assert "check user and password in cluster.redis_url" in str(member.cluster.reason)
            assert "guessed" not in str(member.cluster.reason)
        finally:
            await member.stop()
        async with group(server.url, "two") as (two,):
            assert two.holds == set(DEVICES)


async def test_rights_that_are_missing_are_said(redis: RedisServer) -> None:
    async with Redis.from_url(redis.url) as client:
        await client.hset(f"{PREFIX}:members", "not", "a sorted set")
        member = Member(redis.url, "one")
        try:
            await wait_until(lambda: member.cluster.reason is not None, 5, "it is refused")
            assert "refuses what is asked" in str(member.cluster.reason)
            assert not member.cluster.connected
        finally:
            await member.stop()


async def test_two_of_one_name_do_not_hold_the_same(redis: RedisServer) -> None:
    async with group(redis.url, "one") as members:
        twin = Member(redis.url, "one")
        members.append(twin)
        try:
            async with watched(redis, members):
                await wait_until(lambda: twin.cluster.connected, 5, "Redis answers")
                assert twin.holds == set()
                await members[0].stop()
                await wait_until(lambda: twin.holds == set(DEVICES), 5, "it takes over")
        finally:
            await twin.stop()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://127.0.0.1:port", "127.0.0.1"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(Exception, match=r"^cluster\.redis_url is no URL of a Redis: "):
        Cluster(ClusterSettings(redis_url=url), "one")


def test_the_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "shelly_exporter.cluster.store", raising=False)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(Exception, match=r"`pip install shelly-pro\[cluster\]`"):
        Cluster(ClusterSettings(redis_url="redis://127.0.0.1"), "one")
    assert Cluster(ClusterSettings(), "one").alone
