"""InfluxDB 2's API in front of an InfluxDB 1.6.7: as far as influxdb-client asks, with the answers of the real one."""

import itertools
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aiohttp import web

from tests.stack.processes import free_port

if TYPE_CHECKING:
    from tests.stack.influxdb import InfluxServer

ORGANISATION = "home"
ORGANISATION_ID = "0123456789abcdef"


@dataclass(kw_only=True)
class Bucket:
    """A bucket, which is a database behind; `retention_s` 0: for ever."""

    id: str
    name: str
    retention_s: int

    def document(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        rules = [{"type": "expire", "everySeconds": self.retention_s}] if self.retention_s else []
        return {"id": self.id, "orgID": ORGANISATION_ID, "name": self.name, "rp": "0", "retentionRules": rules}


class V2Proxy:
    """Takes `token` for the organisation `ORGANISATION`; buckets and mappings are gone when it is stopped.

    With `may_manage` false the token may write and ask, but not see or create buckets.
    """

    def __init__(self, influx: InfluxServer, port: int | None = None, *, may_manage: bool = True) -> None:
        self._influx = influx
        self.port = free_port() if port is None else port
        self.token = secrets.token_urlsafe()
        self.may_manage = may_manage
        self.may_see: bool | None = None
        """Whether buckets are shown; None: as `may_manage`."""
        self.may_patch = True
        self.buckets: dict[str, Bucket] = {}
        self.mappings: list[dict[str, Any]] = []
        self.encodings: list[str] = []
        """The Content-Encoding of every write."""
        self._ids = (f"{number:016x}" for number in itertools.count(1))
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen."""
        app = web.Application(middlewares=[self._guard], client_max_size=50_000_000)
        app.add_routes(
            [
                web.get("/ping", self._ping),
                web.get("/health", self._health),
                web.get("/query", self._query),
                web.post("/api/v2/write", self._write),
                web.get("/api/v2/orgs", self._get_organisations),
                web.get("/api/v2/buckets", self._get_buckets),
                web.post("/api/v2/buckets", self._post_bucket),
                web.patch("/api/v2/buckets/{id}", self._patch_bucket),
                web.get("/api/v2/dbrps", self._get_mappings),
                web.post("/api/v2/dbrps", self._post_mapping),
            ]
        )
        self._session = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """End; clients see their connections close."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path not in {"/ping", "/health"} and request.headers.get("Authorization") != f"Token {self.token}":
            return _refusal(401, "unauthorized", "unauthorized access")
        if not self.may_manage and request.path in {"/api/v2/buckets", "/api/v2/dbrps"} and request.method != "GET":
            return _refusal(403, "forbidden", "insufficient permissions for write")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Build": "OSS", "X-Influxdb-Version": "v2.8.0"})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"name": "influxdb", "message": "ready for queries and writes", "status": "pass"})

    async def _write(self, request: web.Request) -> web.Response:
        query = request.query
        if query.get("org") not in {ORGANISATION, ORGANISATION_ID}:
            return _refusal(404, "not found", f'organization name "{query.get("org")}" not found')
        if query["bucket"] not in self.buckets:
            return _refusal(404, "not found", f'bucket "{query["bucket"]}" not found')
        encoding = request.headers.get("Content-Encoding", "identity")
        self.encodings.append(encoding)
        status, answer = await self._ask(
            "/write", {"db": query["bucket"], "precision": query["precision"]}, await request.read()
        )
        if status == 204:
            return web.Response(status=204)
        if status >= 500:
            return _refusal(status, "internal error", answer)
        if status == 404:
            self.buckets.pop(query["bucket"])
            return _refusal(404, "not found", f'bucket "{query["bucket"]}" not found')
        message: str = json.loads(answer)["error"]
        if message.startswith("partial write: unable to parse"):
            return _refusal(400, "invalid", message.removeprefix("partial write: "))
        return _refusal(422, "unprocessable entity", f"failure writing points to database: {message}")

    async def _query(self, request: web.Request) -> web.Response:
        database = request.query["db"]
        if not any(mapping["database"] == database and mapping["default"] for mapping in self.mappings):
            return _refusal(404, "not found", f"no dbrp mapping found for database {database}")
        status, answer = await self._ask("/query", dict(request.query), b"")
        return web.Response(status=status, text=answer, content_type="application/json")

    async def _get_organisations(self, request: web.Request) -> web.Response:
        if request.query.get("org") != ORGANISATION:
            return _refusal(404, "not found", f'organization name "{request.query.get("org")}" not found')
        return web.json_response({"orgs": [{"id": ORGANISATION_ID, "name": ORGANISATION}]})

    async def _get_buckets(self, request: web.Request) -> web.Response:
        may_see = self.may_manage if self.may_see is None else self.may_see
        shown = [bucket for bucket in self.buckets.values() if may_see and bucket.name == request.query["name"]]
        return web.json_response({"buckets": [bucket.document() for bucket in shown]})

    async def _post_bucket(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        if wanted["orgID"] != ORGANISATION_ID:
            return _refusal(404, "not found", "organization not found")
        rules = wanted["retentionRules"]
        bucket = await self.add_bucket(wanted["name"], rules[0]["everySeconds"] if rules else 0)
        return web.json_response(bucket.document(), status=201)

    async def add_bucket(self, name: str, retention_s: int = 0) -> Bucket:
        """Create a bucket."""
        bucket = self.buckets[name] = Bucket(id=next(self._ids), name=name, retention_s=retention_s)
        duration = f"{retention_s}s" if retention_s else "INF"
        await self._influx.query("", f'CREATE DATABASE "{name}" WITH DURATION {duration} NAME "autogen"')
        return bucket

    async def _patch_bucket(self, request: web.Request) -> web.Response:
        bucket = next((one for one in self.buckets.values() if one.id == request.match_info["id"]), None)
        if bucket is None:
            return _refusal(404, "not found", "bucket not found")
        if not self.may_patch:
            return _refusal(403, "forbidden", "insufficient permissions for write")
        if rules := (await request.json())["retentionRules"]:  # without, the bucket stays as it is
            bucket.retention_s = rules[0]["everySeconds"]
        duration = f"{bucket.retention_s}s" if bucket.retention_s else "INF"
        await self._influx.query("", f'ALTER RETENTION POLICY "autogen" ON "{bucket.name}" DURATION {duration}')
        return web.json_response(bucket.document())

    async def _get_mappings(self, request: web.Request) -> web.Response:
        database = request.query.get("db")
        return web.json_response({"content": [one for one in self.mappings if one["database"] == database]})

    async def _post_mapping(self, request: web.Request) -> web.Response:
        mapping = await request.json() | {"id": next(self._ids)}
        self.mappings.append(mapping)
        return web.json_response(mapping, status=201)

    async def _ask(self, path: str, params: dict[str, str], body: bytes) -> tuple[int, str]:
        """Return status and text of InfluxDB's answer; 503 while it is down."""
        assert self._session is not None
        headers = {"Accept-Encoding": "identity"}
        try:
            async with self._session.post(
                f"{self._influx.url}{path}", params=params, data=body, headers=headers
            ) as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError as err:
            return 503, str(err)


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)
