"""A device made of recorded payloads: answers over HTTP and MQTT what its fixture says."""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
NONCE = "1764000000"


class FixtureDevice:
    """One device; `status` and `config` may be changed by a test, `calls` lists what was asked of it."""

    def __init__(self, name: str) -> None:
        """Load the payloads of `tests/fixtures/<name>`."""
        folder = FIXTURES / name
        self.info: dict[str, Any] = json.loads((folder / "Shelly.GetDeviceInfo.json").read_text())
        self.status: dict[str, Any] = json.loads((folder / "Shelly.GetStatus.json").read_text())
        self.config: dict[str, Any] = json.loads((folder / "Shelly.GetConfig.json").read_text())
        self.ha1: str | None = None
        """What stands for the password on the device."""
        self.online = True
        self.on_broker = True
        self.error: dict[str, Any] | None = None
        self.asked = asyncio.Event()
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        """What is answered to methods that are not known here."""
        self.acts: dict[str, Callable[[str, Mapping[str, Any]], Any]] = {}
        """What answers a method instead, by its name."""
        self.refused: set[str] = set()
        """Methods that the device refuses."""

    @property
    def mac(self) -> str:
        """The MAC as the integration writes it in unique ids."""
        return str(self.info["mac"]).lower()

    @property
    def topic_prefix(self) -> str:
        """The prefix of the device's MQTT topics."""
        return str(self.config["mqtt"]["topic_prefix"])

    def protect(self, password: str) -> None:
        """Give the device a password."""
        self.ha1 = _sha256(f"admin:{self.info['id']}:{password}")
        self.info |= {"auth_en": True, "auth_domain": self.info["id"]}

    def enable_mqtt(self) -> None:
        """Switch the device's MQTT on."""
        self.config["mqtt"]["enable"] = True
        self.config["mqtt"]["topic_prefix"] = self.info["id"]

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The frame with which the device answers a request frame."""
        method, params = request["method"], request.get("params", {})
        self.calls.append((method, params))
        self.asked.set()
        frame = {"id": request["id"], "src": self.info["id"], "dst": request["src"]}
        if self.error is not None and method.startswith("Switch."):
            return {**frame, "error": self.error}
        if method in self.refused:
            return {**frame, "error": {"code": -103, "message": "Invalid argument"}}
        return {**frame, "result": self._result(method, params)}

    def notification(self, changes: Mapping[str, Any], ts: float = 1764000000.12) -> dict[str, Any]:
        """A NotifyStatus frame; the changes are the device's status from now on."""
        for key, delta in changes.items():
            if delta is None:
                self.status.pop(key)
                continue
            self.status[key] = {**self.status.get(key, {}), **delta}
        source = self.info["id"]
        params = {"ts": ts, **changes}
        return {"src": source, "dst": f"{source}/events", "method": "NotifyStatus", "params": params}

    def _result(self, method: str, params: Mapping[str, Any]) -> Any:
        match method:
            case "Shelly.GetDeviceInfo":
                return self.info
            case "Shelly.GetStatus":
                return self.status
            case "Shelly.GetConfig":
                return self.config
            case "Switch.GetStatus":
                return self.status[f"switch:{params['id']}"]
            case "Switch.Set":
                switch = self.status[f"switch:{params['id']}"]
                was_on, switch["output"] = switch["output"], params["on"]
                return {"was_on": was_on}
        kind, _, name = method.partition(".")
        if name == "SetConfig":
            number = params.get("id")
            return self.set_config(kind.lower() if number is None else f"{kind.lower()}:{number}", params["config"])
        if name == "GetConfig":
            return self.config[kind.lower() if "id" not in params else f"{kind.lower()}:{params['id']}"]
        if method in self.acts:
            return self.acts[method](method, params)
        if method in self.answers:
            return self.answers[method]
        raise NotImplementedError(method)

    def set_config(self, key: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Take settings of a component, from whomever; a nested one is laid over what is there."""
        known = self.config[key]
        for field, value in config.items():
            inner = known.get(field)
            known[field] = {**inner, **value} if isinstance(value, dict) and isinstance(inner, dict) else value
        self.status["sys"]["cfg_rev"] += 1
        return {"restart_required": key == "mqtt"}

    def event(self, component: str, event: str, ts: float = 1764000000.12, **data: Any) -> dict[str, Any]:
        """A NotifyEvent frame."""
        source, number = self.info["id"], component.partition(":")[2]
        numbered = {"id": int(number)} if number else {}
        events = [{"component": component, **numbered, "event": event, "ts": ts, **data}]
        params = {"ts": ts, "events": events}
        return {"src": source, "dst": f"{source}/events", "method": "NotifyEvent", "params": params}

    def application(self) -> web.Application:
        """The device's web server."""
        application = web.Application()
        application.router.add_get("/shelly", self._get_info)
        application.router.add_post("/rpc", self._post_rpc)
        return application

    async def _get_info(self, _request: web.Request) -> web.Response:
        return web.json_response(self.info) if self.online else web.Response(status=503)

    async def _post_rpc(self, request: web.Request) -> web.Response:
        frame = await request.json()
        if not self.online:
            return web.Response(status=503)
        if frame["method"] != "Shelly.GetDeviceInfo" and not self._authorized(request):
            challenge = f'Digest qop="auth", realm="{self.info["id"]}", nonce="{NONCE}", algorithm=SHA-256'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return web.json_response(self.answer(frame))

    def _authorized(self, request: web.Request) -> bool:
        if self.ha1 is None:
            return True
        header = request.headers.get("Authorization", "")
        given = {name: value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|[^\s,]+)', header)}
        if not given:
            return False
        ha2 = _sha256("POST:/rpc")
        wanted = _sha256(f"{self.ha1}:{NONCE}:{given['nc']}:{given['cnonce']}:auth:{ha2}")
        return bool(given["response"] == wanted)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
