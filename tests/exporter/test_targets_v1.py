"""The road to InfluxDB 1, against a real one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shelly_exporter.line_protocol import escape_tag, quote
from shelly_exporter.sender.isolation import Cause, deliver
from shelly_exporter.settings import Kind, Target
from shelly_exporter.targets import Denied, Missing, Refused, Unavailable
from shelly_exporter.targets.influxdb_v1 import InfluxV1
from tests.stack.influxdb import InfluxServer

NOW = int(time.time()) * 1000
NASTY = ["a b", "a,b=c", '"q"', "a\\b", "end\\", "ü€😀", "a=b, c", "'", "tab\tx", "#x", "x\ny", "\\,"]


@pytest.fixture
async def influx(tmp_path: Path) -> AsyncIterator[InfluxServer]:
    async with InfluxServer(tmp_path / "influxdb") as server:
        yield server


def settings_of(server: InfluxServer) -> Target:
    return Target(kind=Kind.INFLUXDB1, url=server.url)


@asynccontextmanager
async def target_of(settings: Target) -> AsyncIterator[InfluxV1]:
    async with aiohttp.ClientSession() as session:
        yield InfluxV1(settings, session)


@pytest.fixture
async def target(influx: InfluxServer) -> AsyncIterator[InfluxV1]:
    async with target_of(settings_of(influx)) as made:
        assert await made.prepare() == ()
        yield made


async def policies(influx: InfluxServer, database: str) -> dict[str, tuple[str, bool]]:
    rows = await influx.query("", f'SHOW RETENTION POLICIES ON "{database}"')
    return {row["name"]: (row["duration"], row["default"]) for row in rows}


async def test_databases_are_made_with_their_retention(influx: InfluxServer, target: InfluxV1) -> None:
    assert await policies(influx, "shelly") == {"autogen": ("1440h0m0s", True)}
    assert await policies(influx, "shelly_rollups") == {"autogen": ("0s", True)}
    assert await target.prepare() == ()


async def test_retention_is_lengthened_but_never_shortened(influx: InfluxServer, target: InfluxV1) -> None:
    async with target_of(replace(settings_of(influx), retention_days=90)) as longer:
        assert await longer.prepare() == ()
    assert await policies(influx, "shelly") == {"autogen": ("2160h0m0s", True)}
    async with target_of(replace(settings_of(influx), retention_days=30, rollup_retention_days=9)) as shorter:
        complaints = await shorter.prepare()
    assert 'ALTER RETENTION POLICY "autogen" ON "shelly" DURATION 30d' in complaints[0]
    assert 'ALTER RETENTION POLICY "autogen" ON "shelly_rollups" DURATION 9d' in complaints[1]
    assert await policies(influx, "shelly") == {"autogen": ("2160h0m0s", True)}
    async with target_of(replace(settings_of(influx), retention_days=0)) as for_ever:
        assert await for_ever.prepare() == ()
    assert await policies(influx, "shelly") == {"autogen": ("0s", True)}


async def test_the_default_policy_of_a_database_that_is_there_stays_the_default(influx: InfluxServer) -> None:
    await influx.query("", 'CREATE DATABASE "shelly" WITH DURATION 30d NAME "mine"')
    async with target_of(settings_of(influx)) as target:
        assert await target.prepare() == ()
    assert await policies(influx, "shelly") == {"mine": ("1440h0m0s", True)}


async def test_nothing_is_made_where_that_is_not_wanted(influx: InfluxServer) -> None:
    async with target_of(replace(settings_of(influx), create=False)) as target:
        assert await target.prepare() == ()
        with pytest.raises(Missing, match="database not found"):
            await target.write("shelly", b"em x=1 1")
    assert await influx.query("", "SHOW DATABASES") == []


@pytest.mark.parametrize("gzip", [True, False])
async def test_what_is_written_is_read_back(influx: InfluxServer, target: InfluxV1, gzip: bool) -> None:
    async with target_of(replace(settings_of(influx), gzip=gzip)) as writer:
        await writer.write("shelly", f'em,device=a x=1.5,n=2i,b=true,s="t" {NOW}\nem,device=a x=2 {NOW + 1}'.encode())
    found = await target.read_back("shelly", "em", ("device", "a"), NOW)
    assert found == {"time": NOW, "device": "a", "x": 1.5, "n": 2, "b": True, "s": "t"}
    assert await target.read_back("shelly", "em", ("device", "b"), NOW) is None
    assert await target.read_back("shelly", "nothing", ("device", "a"), NOW) is None


async def test_a_question_about_a_missing_database_is_refused(target: InfluxV1) -> None:
    with pytest.raises(Refused, match="database not found"):
        await target.read_back("nowhere", "em", ("device", "a"), NOW)


async def test_influxdb_reads_every_escape_as_it_was_meant(influx: InfluxServer, target: InfluxV1) -> None:
    lines = [
        f"em,t={escape_tag(text)} {escape_tag(text)}={quote(text)} {NOW + number}" for number, text in enumerate(NASTY)
    ]
    await target.write("shelly", "\n".join(lines).encode())
    rows = await influx.query("shelly", "SELECT * FROM em")
    assert len(rows) == len(NASTY)
    for row, text in zip(rows, NASTY, strict=True):
        name = text.replace("\\", "/").replace("\n", " ")
        assert row == {"time": row["time"], "t": name, name: text.replace("\n", " ")}


async def test_one_field_of_another_type(influx: InfluxServer, target: InfluxV1) -> None:
    await target.write("shelly", f"em,d=a x=1i,y=1.5 {NOW}".encode())
    lines = [b"em,d=a x=%d.5,y=%d.5 %d" % (number, number, NOW + number) for number in range(1, 200)]
    rejected = await deliver(lambda body: target.write("shelly", body), [*lines, b"em,d=b x=7i %d" % NOW])
    assert {one.cause for one in rejected} == {Cause.CONFLICT}
    assert [one.line for one in rejected] == [b"em,d=a x=%d.5 %d" % (number, NOW + number) for number in range(1, 200)]
    (counts,) = await influx.query("shelly", "SELECT count(x) AS x, count(y) AS y, sum(y) AS total FROM em")
    assert (counts["x"], counts["y"]) == (2, 200)
    assert counts["total"] == sum(number + 0.5 for number in range(1, 200)) + 1.5


async def test_types_that_differ_by_day_are_told_apart(influx: InfluxServer, target: InfluxV1) -> None:
    yesterday = NOW - 2 * 86_400_000
    await target.write("shelly", b"em,d=a x=1i %d\nem,d=a x=1.5 %d" % (yesterday, NOW))
    lines = [b"em,d=a x=2.5,y=1.5 %d" % (yesterday + 1), b"em,d=a x=2.5,y=1.5 %d" % (NOW + 1)]
    rejected = await deliver(lambda body: target.write("shelly", body), lines)
    assert [one.line for one in rejected] == [b"em,d=a x=2.5 %d" % (yesterday + 1)]
    rows = await influx.query("shelly", "SELECT x, y FROM em")
    assert [(row.get("x"), row.get("y")) for row in rows] == [
        (1, None),
        (None, 1.5),
        (1.5, None),
        (2.5, 1.5),
    ]


async def test_points_beyond_retention(influx: InfluxServer, target: InfluxV1) -> None:
    good = [b"em,d=a x=1 %d" % (NOW - number) for number in range(50)]
    old = [b"em,d=a x=1 %d" % (NOW - 70 * 86_400_000 + number) for number in range(50)]
    mixed = [line for pair in zip(good, old, strict=True) for line in pair]
    rejected = await deliver(lambda body: target.write("shelly", body), mixed)
    assert [one.line for one in rejected] == old
    assert {one.reason for one in rejected} == {"partial write: points beyond retention policy dropped=50"}
    assert len(await influx.query("shelly", "SELECT x FROM em")) == 50


async def test_unparsable_lines_in_the_middle(influx: InfluxServer, target: InfluxV1) -> None:
    bad = [b"em,d=a x= 1", b"it's 'all' wrong", b"em,d=a x=NaN 1", b"em,d=a x=1i 99999999999999999"]
    lines = [b"em,d=a x=1i %d" % NOW, *bad, b"em,d=a x=2i %d" % (NOW + 1)]
    rejected = await deliver(lambda body: target.write("shelly", body), lines)
    assert [(one.cause, one.line) for one in rejected] == [(Cause.UNPARSABLE, line) for line in bad]
    assert [row["x"] for row in await influx.query("shelly", "SELECT x FROM em")] == [1, 2]


async def test_everything_at_once(influx: InfluxServer, target: InfluxV1) -> None:
    await target.write("shelly", b"em x=1i,z=1i %d" % NOW)
    lines = [
        b"em x=1.5,z=1.5,y=1 %d" % (NOW + 1),
        b"em x=2i 1000",
        b"garbage",
        b"em x=3.5 %d" % (NOW + 2),
        b"em x=4i,z=4i,y=4 %d" % (NOW + 3),
    ]
    rejected = await deliver(lambda body: target.write("shelly", body), lines)
    assert sorted(one.line for one in rejected) == sorted(
        [
            b"em x=1.5 %d" % (NOW + 1),
            b"em z=1.5 %d" % (NOW + 1),
            b"em x=2i 1000",
            b"garbage",
            b"em x=3.5 %d" % (NOW + 2),
        ]
    )
    assert await influx.query("shelly", "SELECT x, y, z FROM em") == [
        {"time": NOW, "x": 1, "z": 1},
        {"time": NOW + 1, "y": 1},
        {"time": NOW + 3, "x": 4, "y": 4, "z": 4},
    ]


async def test_a_server_that_is_down_or_dies_in_the_middle(influx: InfluxServer, target: InfluxV1) -> None:
    body = b"\n".join(b"em x=%d %d" % (number, NOW + number) for number in range(1000))
    influx.suspend()
    writing = asyncio.create_task(target.write("shelly", body))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(writing), 0.2)
    await influx.kill()
    with pytest.raises(Unavailable, match="InfluxDB 1 at http://127"):
        await writing
    with pytest.raises(Unavailable, match="does not answer"):
        await target.write("shelly", body)
    await influx.start()
    await target.write("shelly", body)
    assert len(await influx.query("shelly", "SELECT x FROM em")) == 1000


async def test_a_wrong_password_is_named_and_not_told(tmp_path: Path) -> None:
    async with InfluxServer(tmp_path / "influxdb", auth=True) as influx:
        settings = replace(settings_of(influx), username="admin", password="geheim")
        async with target_of(settings) as target:
            for attempt in (target.prepare(), target.write("shelly", b"em x=1 1")):
                with pytest.raises(Denied, match=r"check influxdb\.username and influxdb\.password") as refusal:
                    await attempt
                assert "geheim" not in str(refusal.value)
        async with target_of(replace(settings, password=influx.admin_password)) as target:
            assert await target.prepare() == ()
            await target.write("shelly", b"em x=1 %d" % NOW)
        async with target_of(replace(settings, username=None, password=None)) as target:
            with pytest.raises(Denied):
                await target.write("shelly", b"em x=1 1")
        async with target_of(replace(settings, password=None)) as target:
            with pytest.raises(Denied):
                await target.write("shelly", b"em x=1 1")


async def test_a_user_without_rights_is_told_what_an_administrator_must_do(tmp_path: Path) -> None:
    async with InfluxServer(tmp_path / "influxdb", auth=True) as influx:
        await influx.query("", "CREATE USER joe WITH PASSWORD 'joe'")
        settings = replace(settings_of(influx), username="joe", password="joe")
        async with target_of(settings) as target:
            first, second = await target.prepare()
            assert 'CREATE DATABASE "shelly" WITH DURATION 60d NAME "autogen"' in first
            assert 'GRANT ALL ON "shelly" TO "joe"' in first
            assert 'CREATE DATABASE "shelly_rollups" WITH DURATION INF NAME "autogen"' in second
            await influx.query("", 'CREATE DATABASE "shelly" WITH DURATION 30d NAME "autogen"')
            await influx.query("", 'CREATE DATABASE "shelly_rollups"')
            with pytest.raises(Denied, match="check the rights"):
                await target.write("shelly", b"em x=1 %d" % NOW)
            await influx.query("", 'GRANT WRITE ON "shelly" TO "joe"')
            await influx.query("", 'GRANT ALL ON "shelly_rollups" TO "joe"')
            await target.write("shelly", b"em x=1 %d" % NOW)
            assert await target.prepare() == ()
            await influx.query("", 'GRANT ALL ON "shelly" TO "joe"')
            (longer,) = await target.prepare()
            assert 'administrator run `ALTER RETENTION POLICY "autogen" ON "shelly" DURATION 60d`' in longer


@pytest.mark.parametrize("status", [200, 302])
async def test_a_page_that_says_hello_to_everything_is_no_influxdb(status: int) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(status=status, text="Welcome", headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hello)
    async with (
        TestServer(app) as server,
        target_of(Target(kind=Kind.INFLUXDB1, url=str(server.make_url("")))) as target,
    ):
        with pytest.raises(Missing, match=r"check influxdb\.url and influxdb\.kind"):
            await target.write("shelly", b"em x=1 1")
        with pytest.raises(Unavailable):
            await target.prepare()
