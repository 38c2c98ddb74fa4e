"""The road of the v2 API over influxdb-client: to a real engine behind a proxy, and to a fake InfluxDB 3."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shelly_exporter.sender.isolation import Cause, deliver
from shelly_exporter.settings import Kind, Target
from shelly_exporter.targets import Denied, Missing, Refused, Unavailable
from shelly_exporter.targets.influxdb_v2 import InfluxV2
from tests.stack.influxdb import InfluxServer
from tests.stack.processes import free_port
from tests.stack.v2_proxy import ORGANISATION, V2Proxy

NOW = int(time.time()) * 1000


@pytest.fixture
async def influx(tmp_path: Path) -> AsyncIterator[InfluxServer]:
    async with InfluxServer(tmp_path / "influxdb") as server:
        yield server


@pytest.fixture
async def proxy(influx: InfluxServer) -> AsyncIterator[V2Proxy]:
    async with V2Proxy(influx) as server:
        yield server


def settings_of(proxy: V2Proxy) -> Target:
    return Target(kind=Kind.INFLUXDB2, url=proxy.url, organisation=ORGANISATION, token=proxy.token)


@asynccontextmanager
async def target_of(settings: Target) -> AsyncIterator[InfluxV2]:
    target = InfluxV2(settings)
    try:
        yield target
    finally:
        await target.close()


@pytest.fixture
async def target(proxy: V2Proxy) -> AsyncIterator[InfluxV2]:
    async with target_of(settings_of(proxy)) as made:
        assert await made.prepare() == ()
        yield made


async def test_buckets_and_their_mappings_are_made(proxy: V2Proxy, target: InfluxV2) -> None:
    assert {name: bucket.retention_s for name, bucket in proxy.buckets.items()} == {
        "shelly": 60 * 86400,
        "shelly_rollups": 0,
    }
    assert [(one["database"], one["retention_policy"], one["default"]) for one in proxy.mappings] == [
        ("shelly", "default", True),
        ("shelly_rollups", "default", True),
    ]
    assert [one["bucketID"] for one in proxy.mappings] == [bucket.id for bucket in proxy.buckets.values()]
    assert await target.prepare() == ()
    assert len(proxy.mappings) == 2


async def test_retention_is_lengthened_but_never_shortened(proxy: V2Proxy, target: InfluxV2) -> None:
    async with target_of(replace(settings_of(proxy), retention_days=90)) as longer:
        assert await longer.prepare() == ()
    assert proxy.buckets["shelly"].retention_s == 90 * 86400
    async with target_of(replace(settings_of(proxy), retention_days=30, rollup_retention_days=9)) as shorter:
        first, second = await shorter.prepare()
    assert f"influx bucket update --id {proxy.buckets['shelly'].id} --retention 720h" in first
    assert "--retention 216h" in second
    assert proxy.buckets["shelly"].retention_s == 90 * 86400
    proxy.may_manage = False
    async with target_of(replace(settings_of(proxy), retention_days=0)) as blind:
        assert "may not see or create" in (await blind.prepare())[0]


async def test_a_retention_that_may_not_be_changed_is_left_to_a_person(proxy: V2Proxy, target: InfluxV2) -> None:
    proxy.may_patch = False
    async with target_of(replace(settings_of(proxy), retention_days=90)) as longer:
        (complaint,) = await longer.prepare()
    assert "may not lengthen the retention" in complaint
    assert "--retention 2160h" in complaint


async def test_a_token_that_may_only_write_says_what_to_do_by_hand(proxy: V2Proxy) -> None:
    bucket = await proxy.add_bucket("shelly", 60 * 86400)
    proxy.may_manage = False
    async with target_of(settings_of(proxy)) as target:
        first, second = await target.prepare()
        assert "influx bucket create --name shelly --retention 1440h --org home" in first
        assert "influx bucket create --name shelly_rollups --retention 0h --org home" in second
        await target.write("shelly", b"em x=1 %d" % NOW)
        with pytest.raises(Missing, match="shelly_rollups"):
            await target.write("shelly_rollups", b"energy_1h x=1 %d" % NOW)
        proxy.may_see = True
        complaints = await target.prepare()
        assert f"influx v1 dbrp create --db shelly --rp default --default --bucket-id {bucket.id}" in complaints[0]


async def test_a_mapping_to_another_bucket_is_left_to_a_person(proxy: V2Proxy) -> None:
    proxy.mappings.append(
        {"id": "5", "orgID": "1", "bucketID": "9", "database": "shelly", "retention_policy": "x", "default": True}
    )
    async with target_of(settings_of(proxy)) as target:
        (complaint,) = await target.prepare()
    assert "delete mapping 5 and run `influx v1 dbrp create --db shelly" in complaint


async def test_nothing_is_made_where_that_is_not_wanted(proxy: V2Proxy) -> None:
    async with target_of(replace(settings_of(proxy), create=False)) as target:
        assert await target.prepare() == ()
        with pytest.raises(Missing, match='bucket "shelly" not found'):
            await target.write("shelly", b"em x=1 1")
    assert proxy.buckets == {}


@pytest.mark.parametrize("gzip", [True, False])
async def test_what_is_written_is_read_back(proxy: V2Proxy, target: InfluxV2, gzip: bool) -> None:
    async with target_of(replace(settings_of(proxy), gzip=gzip)) as writer:
        await writer.write("shelly", f'em,device=a x=1.5,n=2i,b=true,s="ü" {NOW}\nem,device=a x=2 {NOW + 1}'.encode())
    assert proxy.encodings == ["gzip" if gzip else "identity"]
    found = await target.read_back("shelly", "em", ("device", "a"), NOW)
    assert found == {"time": NOW, "device": "a", "x": 1.5, "n": 2, "b": True, "s": "ü"}
    assert await target.read_back("shelly", "em", ("device", "b"), NOW) is None


async def test_questions_that_cannot_be_answered(proxy: V2Proxy, influx: InfluxServer, target: InfluxV2) -> None:
    with pytest.raises(Missing, match="no dbrp mapping"):
        await target.read_back("nowhere", "em", ("device", "a"), NOW)
    await influx.query("", 'DROP DATABASE "shelly"')
    with pytest.raises(Refused, match="database not found"):
        await target.read_back("shelly", "em", ("device", "a"), NOW)


async def test_bad_lines_are_isolated(influx: InfluxServer, target: InfluxV2) -> None:
    await target.write("shelly", b"em x=1i %d" % NOW)
    lines = [
        b"em x=1.5,y=1 %d" % (NOW + 1),
        b"em x=2i 1000",
        b"garbage",
        b"em x=4i,y=4 %d" % (NOW + 3),
    ]
    rejected = await deliver(lambda body: target.write("shelly", body), lines)
    assert {one.line: one.cause for one in rejected} == {
        b"garbage": Cause.UNPARSABLE,
        b"em x=1.5 %d" % (NOW + 1): Cause.CONFLICT,
        b"em x=2i 1000": Cause.RETENTION,
    }
    assert await influx.query("shelly", "SELECT x, y FROM em") == [
        {"time": NOW, "x": 1},
        {"time": NOW + 1, "y": 1},
        {"time": NOW + 3, "x": 4, "y": 4},
    ]


async def test_a_wrong_token_is_named_and_not_told(proxy: V2Proxy) -> None:
    async with target_of(replace(settings_of(proxy), token="geheim")) as target:
        for attempt in (target.prepare(), target.write("shelly", b"em x=1 1")):
            with pytest.raises(Denied, match=r"check influxdb\.token") as refusal:
                await attempt
            assert "geheim" not in str(refusal.value) + str(refusal.value.__cause__)


@pytest.mark.parametrize("organisation", [None, "", "nobody's"])
async def test_a_wrong_organisation_is_named(proxy: V2Proxy, organisation: str | None) -> None:
    async with target_of(replace(settings_of(proxy), organisation=organisation)) as target:
        for attempt in (target.prepare(), target.write("shelly", b"em x=1 1")):
            with pytest.raises(Missing, match=r"influxdb\.organisation|organization name"):
                await attempt


async def test_influxdb_1_does_not_speak_this(influx: InfluxServer) -> None:
    async with target_of(Target(kind=Kind.INFLUXDB2, url=influx.url, organisation="x", token="y")) as target:
        with pytest.raises(Missing, match=r"check influxdb\.url and influxdb\.kind"):
            await target.write("shelly", b"em x=1 1")


async def test_a_server_that_is_down_or_dies_in_the_middle(
    influx: InfluxServer, proxy: V2Proxy, target: InfluxV2
) -> None:
    body = b"\n".join(b"em x=%d %d" % (number, NOW + number) for number in range(1000))
    influx.suspend()
    writing = asyncio.create_task(target.write("shelly", body))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(writing), 0.2)
    await influx.kill()
    with pytest.raises(Unavailable, match="cannot take points now"):
        await writing
    await influx.start()
    await proxy.stop()
    with pytest.raises(Unavailable, match="does not answer"):
        await target.write("shelly", body)
    await proxy.start()
    await target.write("shelly", body)
    assert len(await influx.query("shelly", "SELECT x FROM em")) == 1000


async def test_no_encryption_where_it_is_expected(proxy: V2Proxy) -> None:
    async with target_of(replace(settings_of(proxy), url=proxy.url.replace("http:", "https:"))) as target:
        with pytest.raises(Unavailable, match="does not answer"):
            await target.write("shelly", b"em x=1 1")


async def test_nobody_listens() -> None:
    settings = Target(kind=Kind.INFLUXDB3, url=f"http://127.0.0.1:{free_port()}", token="geheim")
    async with target_of(settings) as target:
        for attempt in (target.prepare(), target.write("shelly", b"em x=1 1")):
            with pytest.raises(Unavailable, match="InfluxDB 3 at http://127") as refusal:
                await attempt
            assert "geheim" not in str(refusal.value)


class FakeInflux3:
    """Answers `status` to whatever is asked, and keeps what that was."""

    def __init__(self, status: int, text: str = "") -> None:
        self.status = status
        self.text = text
        self.asked: list[tuple[str, str | None, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.content_type == "application/json" and request.can_read_body else None
        self.asked.append((request.path, request.headers.get("Authorization"), body))
        return web.Response(status=self.status, text=self.text, headers={"Location": "/x", "Retry-After": "7"})

    @asynccontextmanager
    async def target(self, **settings: Any) -> AsyncIterator[InfluxV2]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        async with TestServer(app) as server:
            wanted = {"kind": Kind.INFLUXDB3, "url": str(server.make_url("")), "token": "t"} | settings
            async with target_of(Target(**wanted)) as target:
                yield target


async def test_influxdb_3_makes_databases_with_their_retention() -> None:
    fake = FakeInflux3(200)
    async with fake.target() as target:
        assert await target.prepare() == ()
    assert fake.asked == [
        ("/api/v3/configure/database", "Token t", {"db": "shelly", "retention_period": "60d"}),
        ("/api/v3/configure/database", "Token t", {"db": "shelly_rollups"}),
    ]


@pytest.mark.parametrize("missing", ['bucket "shelly"', "organization"])
async def test_buckets_that_are_not_found_may_be_an_error(missing: str) -> None:
    body = json.dumps({"code": "not found", "message": f"{missing} not found"})
    async with FakeInflux3(404, body).target(kind=Kind.INFLUXDB2, organisation="home") as target:
        if missing == "organization":
            assert "may not see or create" in (await target.prepare())[0]
        else:
            with pytest.raises(Missing, match=r"cannot find organization.*check influxdb\.organisation"):
                await target.prepare()


async def test_databases_of_influxdb_3_that_are_there_are_left_alone() -> None:
    async with FakeInflux3(409, '{"error":"exists"}').target() as target:
        assert await target.prepare() == ()


async def test_influxdb_3_may_refuse_to_make_databases() -> None:
    async with FakeInflux3(403, '{"error":"no"}').target() as target:
        first, second = await target.prepare()
    assert "influxdb3 create database shelly --retention-period 60d" in first
    assert "`influxdb3 create database shelly_rollups`" in second


async def test_a_login_without_a_token_goes_as_influxdb_1_8_wants_it() -> None:
    fake = FakeInflux3(204)
    async with fake.target(kind=Kind.INFLUXDB2, organisation="-", token=None, username="joe", password="pw") as target:
        await target.write("shelly", b"em x=1 1")
    async with fake.target(kind=Kind.VICTORIAMETRICS, username="joe") as target:
        assert await target.prepare() == ()
        await target.write("shelly", b"em x=1 1")
    assert [login for _, login, _ in fake.asked] == ["Token joe:pw", "Basic am9lOg=="]


@pytest.mark.parametrize("status", [200, 302, 303])
async def test_a_page_that_says_hello_to_everything_is_no_influxdb(status: int) -> None:
    async with FakeInflux3(status, "Welcome").target() as target:
        with pytest.raises(Missing, match=r"check influxdb\.url and influxdb\.kind"):
            await target.write("shelly", b"em x=1 1")


async def test_a_store_that_is_busy_says_how_long() -> None:
    async with FakeInflux3(429, '{"error":"busy"}').target() as target:
        with pytest.raises(Unavailable, match="busy") as busy:
            await target.write("shelly", b"em x=1 1")
    assert busy.value.retry_after_s == 7
