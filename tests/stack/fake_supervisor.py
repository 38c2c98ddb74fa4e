"""A stand-in for Supervisor: the calls an app may make, with the answers and refusals of the real one (2026.08).

As a program it keeps what it knows in a file, for tests to prepare and to read.
"""

import argparse
import asyncio
import contextlib
import json
import secrets
import signal
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from tests.stack.processes import free_port

SLUG = "a0d7b954_shelly_pro"
FOREIGN = "core_mosquitto"
_BROKER_KEYS = {"host": str, "port": int, "username": str, "password": str, "ssl": bool, "protocol": str}
_OPTION_KEYS = {"ingress_panel", "watchdog", "boot", "auto_update", "network", "options"}
type _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(kw_only=True)
class Person:
    """A user of Home Assistant."""

    id: str
    group_ids: list[str] = field(default_factory=lambda: ["system-users"])
    is_owner: bool = False


@dataclass(kw_only=True)
class State:
    """All it knows; what is behind `calls` is what the app has done."""

    token: str = field(default_factory=lambda: secrets.token_hex(28))
    info: dict[str, Any] = field(default_factory=lambda: {"timezone": "Europe/Berlin", "hostname": "homeassistant"})
    own: dict[str, Any] = field(
        default_factory=lambda: {
            "slug": SLUG,
            "hostname": SLUG.replace("_", "-"),
            "ingress_entry": "/api/hassio_ingress/abc",
        }
    )
    discoverable: list[str] = field(default_factory=lambda: ["mqtt", "shelly_pro"])
    """What the app's `config.yaml` lists under `discovery`."""
    mqtt: dict[str, Any] | None = None
    """The broker that is registered, with `addon`, its owner."""
    logins: dict[str, str] = field(default_factory=dict)
    """Passwords of users of Home Assistant by name."""
    people: list[dict[str, Any]] = field(default_factory=list)
    core: bool = True
    """Whether Home Assistant is up."""
    core_config: dict[str, Any] = field(
        default_factory=lambda: {"internal_url": "http://192.168.1.5:8123", "external_url": None}
    )
    adapters: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"name": "eth0", "enabled": True, "ipv4": [{"address": "192.168.1.5", "network_prefix": 24}]},
            {"name": "eth1", "enabled": False, "ipv4": [{"address": "10.0.0.5", "network_prefix": 24}]},
        ]
    )
    calls: list[str] = field(default_factory=list)
    """Each call, such as `POST /services/mqtt`, in order."""
    bodies: list[Any] = field(default_factory=list)
    """What was sent with each of them."""
    options: dict[str, Any] = field(default_factory=dict)
    discovered: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What was discovered, by service."""
    pushed: list[str] = field(default_factory=list)
    """The services Home Assistant was told of: not twice the same."""
    notifications: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


class FakeSupervisor:
    """Serves on 127.0.0.1; may be stopped and started again on the same port."""

    def __init__(self, port: int | None = None, state: State | None = None, file: Path | None = None) -> None:
        """With `file` the state is written there after each call."""
        self.port = free_port() if port is None else port
        self.state = State() if state is None else state
        self._file = file
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
    def environ(self) -> dict[str, str]:
        """What the app finds in its environment."""
        return {"SUPERVISOR_TOKEN": self.state.token, "SUPERVISOR_URL": self.url}

    async def start(self) -> None:
        """Listen."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/info", self._get_info),
                web.get("/addons/self/info", self._get_own),
                web.post("/addons/self/options", self._post_options),
                web.get("/services/mqtt", self._get_mqtt),
                web.post("/services/mqtt", self._post_mqtt),
                web.delete("/services/mqtt", self._delete_mqtt),
                web.post("/discovery", self._post_discovery),
                web.post("/auth", self._post_auth),
                web.get("/core/api/config", self._get_config),
                web.post("/core/api/services/persistent_notification/{service}", self._post_notification),
                web.post("/core/api/events/{event}", self._post_event),
                web.get("/core/websocket", self._websocket),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self._save()

    async def stop(self) -> None:
        """End; clients find nobody."""
        if self._runner is not None:
            await self._runner.cleanup()

    def register_foreign(self, owner: str = FOREIGN) -> None:
        """Let another app have registered its broker."""
        self.state.mqtt = {
            "host": owner.replace("_", "-"),
            "port": 1883,
            "username": "addons",
            "password": "of the other",
            "ssl": False,
            "protocol": "3.1.1",
            "addon": owner,
        }

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let the app call what it may without `hassio_api`, and note it."""
        of_core = request.path.startswith("/core/")
        if request.path != "/core/websocket":
            given = request.headers.get("Authorization", "").split(" ")[-1]
            if not of_core:
                given = request.headers.get("X-Supervisor-Token", given)
            if given != self.state.token:
                return web.Response(status=401 if of_core or not given else 403, text="refused")
        body = await request.json() if request.can_read_body else None
        self.state.calls.append(f"{request.method} {request.path}")
        self.state.bodies.append(body)
        request["body"] = body
        try:
            if of_core and not self.state.core:
                return web.Response(status=502, text="502: Bad Gateway")
            return await handler(request)
        except web.HTTPNotFound:
            return web.Response(status=403, text="403: Forbidden")  # what is not on its list is refused, not unknown
        finally:
            self._save()

    async def _get_info(self, _: web.Request) -> web.Response:
        return _done(self.state.info)

    async def _get_own(self, _: web.Request) -> web.Response:
        return _done(self.state.own)

    async def _post_options(self, request: web.Request) -> web.Response:
        if unknown := set(request["body"]) - _OPTION_KEYS:
            return _refused(400, f"extra keys not allowed: {unknown}")
        self.state.options |= request["body"]
        return _done()

    async def _get_mqtt(self, _: web.Request) -> web.Response:
        return _refused(400, "Service not enabled") if self.state.mqtt is None else _done(self.state.mqtt)

    async def _post_mqtt(self, request: web.Request) -> web.Response:
        if (wrong := _wrong(request["body"])) is not None:
            return _refused(400, wrong)
        if self.state.mqtt is not None:
            return _refused(409, f"There is already a MQTT service in use from {self.state.mqtt['addon']}")
        self.state.mqtt = {"ssl": False, "protocol": "3.1.1"} | request["body"] | {"addon": self.state.own["slug"]}
        return _done()

    async def _delete_mqtt(self, _: web.Request) -> web.Response:
        if self.state.mqtt is None:
            return _refused(400, "Can't remove not exists services")
        self.state.mqtt = None
        return _done()

    async def _post_discovery(self, request: web.Request) -> web.Response:
        service, config = request["body"]["service"], request["body"]["config"]
        if service not in self.state.discoverable:
            return _refused(403, "Apps must list services they provide via discovery in their config!")
        if self.state.discovered.get(service) != config:
            self.state.discovered[service] = config
            self.state.pushed.append(service)
        return _done({"uuid": secrets.token_hex(16)})

    async def _post_auth(self, request: web.Request) -> web.Response:
        # As a login to be checked, which the app's own token is not.
        if "Authorization" in request.headers or request.headers.get("Content-Type") != "application/json":
            return web.Response(status=401)
        if not self.state.core:
            return _refused(400, "Can't request auth on Home Assistant!")
        login = request["body"]
        known = self.state.logins.get(login["username"])
        return _done() if known is not None and known == login["password"] else _refused(401, "Unknown error")

    async def _get_config(self, _: web.Request) -> web.Response:
        return web.json_response(self.state.core_config)

    async def _post_notification(self, request: web.Request) -> web.Response:
        body = request["body"]
        match request.match_info["service"]:
            case "create":
                self.state.notifications[body["notification_id"]] = body
            case "dismiss":
                self.state.notifications.pop(body["notification_id"], None)
            case _:
                return web.Response(status=400)
        return web.json_response([])

    async def _post_event(self, request: web.Request) -> web.Response:
        self.state.events.append((request.match_info["event"], request["body"]))
        return web.json_response({"message": f"Event {request.match_info['event']} fired."})

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "auth_required", "ha_version": "2026.10.4"})
        login = await socket.receive_json(timeout=10)
        if login.get("access_token") != self.state.token:
            await socket.send_json({"type": "auth_invalid", "message": "Invalid access"})
            return socket
        await socket.send_json({"type": "auth_ok", "ha_version": "2026.10.4"})
        # The connection is over when the other side closes it.
        with contextlib.suppress(TypeError):
            while True:
                await self._answer(socket, await socket.receive_json())
        return socket

    async def _answer(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        self.state.calls.append(message["type"])
        self.state.bodies.append(None)
        results: dict[str, Any] = {
            "config/auth/list": self.state.people,
            "network": {"adapters": self.state.adapters, "configured_adapters": []},
        }
        answer: dict[str, Any] = {"id": message["id"], "type": "result", "success": message["type"] in results}
        if answer["success"]:
            answer["result"] = results[message["type"]]
        else:
            answer["error"] = {"code": "unknown_command", "message": "Unknown command."}
        await socket.send_json(answer)

    def _save(self) -> None:
        if self._file is not None:
            save(self._file, self.state)


def person(name: str, *, administrator: bool = False, owner: bool = False) -> dict[str, Any]:
    """Return a user as `config/auth/list` shows it."""
    groups = ["system-admin" if administrator else "system-users"]
    return asdict(Person(id=name, group_ids=groups, is_owner=owner))


def load(file: Path) -> State:
    """Return the state that a program has written, or one that is prepared for it; what is missing has its default."""
    known = {item.name for item in fields(State)}
    values = json.loads(file.read_text()) if file.exists() else {}
    return State(**{name: value for name, value in values.items() if name in known})


def save(file: Path, state: State) -> None:
    """Write the state: it has secrets in it."""
    beside = file.with_name(f".{file.name}.new")
    beside.touch(mode=0o600)
    beside.write_text(json.dumps(asdict(state)))
    beside.replace(file)


def _wrong(body: dict[str, Any]) -> str | None:
    for key, value in body.items():
        if key not in _BROKER_KEYS:
            return f"extra keys not allowed @ data['{key}']. Got {value!r}"
        if not isinstance(value, _BROKER_KEYS[key]):
            return f"expected {_BROKER_KEYS[key].__name__} @ data['{key}']. Got {value!r}"
    return next((f"required key not provided @ data['{key}']" for key in ("host", "port") if key not in body), None)


def _done(data: dict[str, Any] | None = None) -> web.Response:
    return web.json_response({"result": "ok", "data": {} if data is None else data})


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"result": "error", "message": message}, status=status)


async def _run(port: int, file: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with FakeSupervisor(port, load(file), file):
        await stop.wait()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="JSON with the fields of State, read and written")
    given = parser.parse_args()
    asyncio.run(_run(given.port, given.state))


if __name__ == "__main__":
    main()
