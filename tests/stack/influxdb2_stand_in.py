"""A stand-in for InfluxDB 2.9, which cannot be had here: what the app asks of it, answered as the real one does.

As a program it takes the place of `influxd`: it reads the file at INFLUXD_CONFIG_PATH, or options, and knows
`recovery auth create-operator`. The shapes are those of docs.influxdata.com/influxdb/v2/api and of its source.
"""

import argparse
import asyncio
import gzip
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from aiohttp import web

from tests.stack.influxdb2_state import Document, Locked, State, allows
from tests.stack.processes import free_port

OPTIONS = frozenset(
    [
        "bolt-path",
        "engine-path",
        "sqlite-path",
        "http-bind-address",
        "log-level",
        "reporting-disabled",
        "ui-disabled",
        "pprof-disabled",
        "metrics-disabled",
        "no-tasks",
        "storage-cache-max-memory-size",
        "storage-cache-snapshot-memory-size",
        "query-concurrency",
        "query-memory-bytes",
        "query-max-memory-bytes",
        "query-queue-size",
    ]
)
"""What a file may set; the real one knows more, and takes no notice of what it does not know."""
LEVELS = frozenset({"debug", "info", "error"})
_OPEN = {"/ping", "/health", "/api/v2/setup"}
_SHORTEST_PASSWORD = 8
type _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class InfluxDB2:
    """One InfluxDB on loopback. What it keeps is in `folder`, and survives `stop` and `start`."""

    def __init__(self, folder: Path, port: int | None = None, *, engine: Path | None = None) -> None:
        self.bolt = folder / "influxd.bolt"
        self.engine = folder / "engine" if engine is None else engine
        self.port = free_port() if port is None else port
        self.calls: list[str] = []
        """Method and path of everything that was asked, but `/health`."""
        self.failure: tuple[int, str] | None = None
        """What everything is answered with instead: a status and a message."""
        self._state: State | None = None
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

    @property
    def state(self) -> State:
        """What it keeps, while it runs."""
        assert self._state is not None
        return self._state

    async def start(self) -> None:
        """Listen; `Locked` if another process has its files."""
        self._state = State.open(self.bolt, self.engine)
        app = web.Application(middlewares=[self._guard], client_max_size=50_000_000)
        app.add_routes(
            [
                web.get("/ping", self._ping),
                web.get("/health", self._health),
                web.get("/api/v2/setup", self._get_setup),
                web.post("/api/v2/setup", self._post_setup),
                web.get("/api/v2/orgs", self._get_organisations),
                web.post("/api/v2/orgs", self._post_organisation),
                web.get("/api/v2/buckets", self._get_buckets),
                web.post("/api/v2/buckets", self._post_bucket),
                web.patch("/api/v2/buckets/{id}", self._patch_bucket),
                web.get("/api/v2/authorizations", self._get_authorizations),
                web.post("/api/v2/authorizations", self._post_authorization),
                web.delete("/api/v2/authorizations/{id}", self._delete_authorization),
                web.get("/api/v2/dbrps", self._get_mappings),
                web.post("/api/v2/dbrps", self._post_mapping),
                web.post("/api/v2/write", self._write),
                web.get("/query", self._query),
                web.post("/query", self._query),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """End; clients see their connections close."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._state is not None:
            self._state.close()
            self._state = None

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path != "/health":
            self.calls.append(f"{request.method} {request.path}")
        if self.failure is not None:
            return _refusal(self.failure[0], "internal error", self.failure[1])
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        found = self.state.authorization(token) if kind in {"Token", "Bearer"} else None
        if found is None and request.path not in _OPEN:
            return _refusal(401, "unauthorized", "unauthorized access")
        request["permissions"] = [] if found is None else found["permissions"]
        request["user"] = None if found is None else found["userID"]
        return await handler(request)

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Build": "OSS", "X-Influxdb-Version": "v2.9.1"})

    async def _health(self, _: web.Request) -> web.Response:
        message = "ready for queries and writes"
        return web.json_response({"name": "influxdb", "message": message, "status": "pass", "version": "v2.9.1"})

    async def _get_setup(self, _: web.Request) -> web.Response:
        return web.json_response({"allowed": not self.state.documents["users"]})

    async def _post_setup(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        if self.state.documents["users"]:
            return _refusal(422, "conflict", "onboarding has already been completed")
        if len(wanted["password"]) < _SHORTEST_PASSWORD:
            return _refusal(400, "invalid", "passwords must be at least 8 characters long")
        user = self.state.add("users", name=wanted["username"], status="active")
        organisation = self.state.add("orgs", name=wanted["org"])
        bucket = self._add_bucket(organisation["id"], wanted["bucket"], wanted.get("retentionPeriodSeconds", 0))
        made, token = self.state.authorize(
            f"{user['name']}'s Token", organisation["id"], user["id"], None, wanted.get("token")
        )
        answer = {"user": user, "org": organisation, "bucket": _bucket(bucket), "auth": _shown(made, token)}
        return web.json_response(answer, status=201)

    async def _get_organisations(self, request: web.Request) -> web.Response:
        name = request.query.get("org")
        found = [
            one
            for one in self.state.all("orgs", **({} if name is None else {"name": name}))
            if allows(request["permissions"], "read", "orgs", one["id"], one["id"])
        ]
        if name is not None and not found:
            return _refusal(404, "not found", f'organization name "{name}" not found')
        return web.json_response({"orgs": found})

    async def _post_organisation(self, request: web.Request) -> web.Response:
        if not allows(request["permissions"], "write", "orgs", None, ""):
            return _refusal(401, "unauthorized", "write:orgs is unauthorized")
        return web.json_response(self.state.add("orgs", name=(await request.json())["name"]), status=201)

    async def _get_buckets(self, request: web.Request) -> web.Response:
        wanted = {key: request.query[key] for key in ("orgID", "name") if key in request.query}
        found = [
            _bucket(one)
            for one in self.state.all("buckets", **wanted)
            if allows(request["permissions"], "read", "buckets", one["id"], one["orgID"])
        ]
        return web.json_response({"buckets": found})

    async def _post_bucket(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        organisation = wanted["orgID"]
        if not allows(request["permissions"], "write", "buckets", None, organisation):
            return _refusal(401, "unauthorized", f"write:orgs/{organisation}/buckets is unauthorized")
        if self.state.find("buckets", orgID=organisation, name=wanted["name"]):
            return _refusal(422, "conflict", f"bucket with name {wanted['name']} already exists")
        rules = wanted["retentionRules"]
        made = self._add_bucket(organisation, wanted["name"], rules[0]["everySeconds"] if rules else 0)
        return web.json_response(_bucket(made), status=201)

    async def _patch_bucket(self, request: web.Request) -> web.Response:
        bucket = self.state.find("buckets", id=request.match_info["id"])
        if bucket is None:
            return _refusal(404, "not found", "bucket not found")
        if not allows(request["permissions"], "write", "buckets", bucket["id"], bucket["orgID"]):
            return _refusal(401, "unauthorized", f"write:orgs/{bucket['orgID']}/buckets/{bucket['id']} is unauthorized")
        if rules := (await request.json()).get("retentionRules"):  # none at all changes nothing
            bucket["retention_s"] = rules[0]["everySeconds"]
            self.state.save()
        return web.json_response(_bucket(bucket))

    async def _get_authorizations(self, request: web.Request) -> web.Response:
        found = [
            _shown(one, "")
            for one in self.state.all("authorizations", orgID=request.query["orgID"])
            if allows(request["permissions"], "read", "authorizations", one["id"], one["orgID"])
        ]
        return web.json_response({"authorizations": found})

    async def _post_authorization(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        if not allows(request["permissions"], "write", "authorizations", None, wanted["orgID"]):
            return _refusal(401, "unauthorized", f"write:orgs/{wanted['orgID']}/authorizations is unauthorized")
        if not wanted["permissions"]:
            return _refusal(400, "invalid", "authorization must include permissions")
        description = wanted.get("description", "")
        made, token = self.state.authorize(description, wanted["orgID"], request["user"], wanted["permissions"])
        return web.json_response(_shown(made, token), status=201)

    async def _delete_authorization(self, request: web.Request) -> web.Response:
        found = self.state.find("authorizations", id=request.match_info["id"])
        if found is None:
            return _refusal(404, "not found", "authorization not found")
        if not allows(request["permissions"], "write", "authorizations", found["id"], found["orgID"]):
            return _refusal(401, "unauthorized", "write:authorizations is unauthorized")
        self.state.documents["authorizations"].remove(found)
        self.state.save()
        return web.Response(status=204)

    async def _get_mappings(self, request: web.Request) -> web.Response:
        """Answer with the mappings, and a virtual one for each bucket: the default one if there is no other."""
        if "orgID" not in request.query and "org" not in request.query:
            return _refusal(400, "invalid", "must provide org or orgID")
        found = [*self.state.all("dbrps"), *self._virtual_mappings()]
        name = request.query.get("db")
        shown = [
            one
            for one in found
            if name in {None, one["database"]}
            and allows(request["permissions"], "read", "buckets", one["bucketID"], one["orgID"])
        ]
        return web.json_response({"content": shown})

    def _virtual_mappings(self) -> list[Document]:
        return [
            {
                "id": bucket["id"],
                "database": bucket["name"],
                "retention_policy": "autogen",
                "default": self.state.find("dbrps", bucketID=bucket["id"]) is None,
                "orgID": bucket["orgID"],
                "bucketID": bucket["id"],
                "virtual": True,
            }
            for bucket in self.state.all("buckets")
        ]

    async def _post_mapping(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        if not allows(request["permissions"], "write", "buckets", wanted["bucketID"], wanted["orgID"]):
            return _refusal(401, "unauthorized", "write:buckets is unauthorized")
        same = {key: wanted[key] for key in ("orgID", "database", "retention_policy")}
        if self.state.find("dbrps", **same):
            return _refusal(422, "conflict", "another DBRP mapping with same orgID, db, and rp exists")
        return web.json_response(self.state.add("dbrps", **wanted, virtual=False), status=201)

    async def _write(self, request: web.Request) -> web.Response:
        organisation = self.state.find("orgs", name=request.query["org"])
        if organisation is None:
            return _refusal(404, "not found", f'organization name "{request.query["org"]}" not found')
        bucket = self.state.find("buckets", orgID=organisation["id"], name=request.query["bucket"])
        if bucket is None:
            return _refusal(404, "not found", f'bucket "{request.query["bucket"]}" not found')
        if not allows(request["permissions"], "write", "buckets", bucket["id"], organisation["id"]):
            return _refusal(403, "forbidden", "insufficient permissions for write")
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        if not body.strip():
            return _refusal(400, "invalid", "writing requires points")
        self.state.append(bucket["id"], body.decode())
        return web.Response(status=204)

    async def _query(self, request: web.Request) -> web.Response:
        """Answer with the number of lines of each measurement, whatever is asked of a database that may be read."""
        name = str({**request.query, **await request.post()}.get("db"))
        mappings = [*self.state.all("dbrps", default=True), *self._virtual_mappings()]
        found = next((one for one in mappings if one["database"] == name and one["default"]), None)
        if found is None or not allows(request["permissions"], "read", "buckets", found["bucketID"], found["orgID"]):
            return web.json_response({"results": [{"statement_id": 0, "error": f"database not found: {name}"}]})
        names = [re.split(r"(?<!\\)[, ]", line)[0] for line in self.state.lines(found["bucketID"])]
        series = [{"name": name, "columns": ["lines"], "values": [[names.count(name)]]} for name in sorted(set(names))]
        return web.json_response({"results": [{"statement_id": 0, **({"series": series} if series else {})}]})

    def _add_bucket(self, organisation: str, name: str, retention_s: int) -> Document:
        return self.state.add("buckets", orgID=organisation, name=name, retention_s=retention_s)


def _bucket(bucket: Document) -> Document:
    every = bucket["retention_s"]
    rule = {"type": "expire", "everySeconds": every, "shardGroupDurationSeconds": 86400 if every else 604800}
    return {
        "id": bucket["id"],
        "orgID": bucket["orgID"],
        "type": "user",
        "name": bucket["name"],
        "retentionRules": [rule],
    }


def _shown(authorization: Document, token: str) -> Document:
    return {**{key: value for key, value in authorization.items() if key != "hash"}, "token": token}


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run as `influxd`, or make an operator token as its `recovery` does."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:3] == ["recovery", "auth", "create-operator"]:
        return _recover(given[3:])
    parser = argparse.ArgumentParser()
    for name, kind in (("--port", int), ("--bolt-path", Path), ("--engine-path", Path)):
        parser.add_argument(name, type=kind)
    options = parser.parse_args(given)
    if path := os.environ.get("INFLUXD_CONFIG_PATH"):
        document: dict[str, Any] = yaml.safe_load(Path(path).read_text())
        if wrong := [*(document.keys() - OPTIONS), *({document["log-level"]} - LEVELS)]:
            sys.stderr.write(f"Error: unknown: {', '.join(wrong)}\n")
            return 1
        options.port = int(document["http-bind-address"].rpartition(":")[2])
        options.bolt_path, options.engine_path = Path(document["bolt-path"]), Path(document["engine-path"])
    server = InfluxDB2(options.bolt_path.parent, options.port, engine=options.engine_path)
    server.bolt = options.bolt_path
    return asyncio.run(_serve(server))


async def _serve(server: InfluxDB2) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await server.start()
    except (Locked, OSError) as error:
        sys.stderr.write(f"Error: {error!r}\n")
        return 1
    await stop.wait()
    await server.stop()
    return 0


def _recover(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--org", required=True)
    parser.add_argument("--username", required=True)
    parser.add_argument("--bolt-path", type=Path, required=True)
    options = parser.parse_args(argv)
    sys.stderr.write("2026-11-23T10:00:00.000000Z\tinfo\tResources opened\t{}\n")
    try:
        state = State.open(options.bolt_path, options.bolt_path.parent / "engine")
    except Locked:
        sys.stderr.write("Error: unable to open boltdb file: timeout\n")
        return 1
    user, organisation = state.find("users", name=options.username), state.find("orgs", name=options.org)
    if user is None or organisation is None:
        what = f'user "{options.username}"' if user is None else f'org "{options.org}"'
        sys.stderr.write(f"Error: could not find {what}: not found\n")
        return 1
    made, token = state.authorize(f"{user['name']}'s Recovery Token", organisation["id"], user["id"], None)
    # Columns as wide as their widest cell, filled with tabs, as the real one writes them.
    sys.stdout.write("ID\t\t\tUser Name\tUser ID\t\t\tDescription\t\t\tToken\t\tPermissions\n")
    for one in state.all("authorizations"):
        shown = token if one is made else "REDACTED"
        cells = (one["id"], f"{user['name']}\t", one["userID"], one["description"], shown, "[read:buckets]")
        sys.stdout.write("\t".join(cells) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
