"""A link without a network: a device of a fixture that answers in memory, or does not."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from shelly_core import LinkClosedError, Transport
from tests.core.payloads import fixture

NOW = 1763995000.0
"""A time after everything the fixtures tell."""


class MemoryLink:
    """Answers each request as the device of a fixture would; a test may change `status`, `errors` and `silent`."""

    def __init__(self, name: str = "shellypro3-1.4.4", transport: Transport = Transport.MQTT) -> None:
        self.transport = transport
        self.timeout_s = 5.0
        self.info = fixture(name, "Shelly.GetDeviceInfo")
        self.config = fixture(name, "Shelly.GetConfig")
        self.status = fixture(name, "Shelly.GetStatus")
        self.errors: dict[str, dict[str, Any]] = {}
        self.silent: set[str] = set()
        self.quiet = False
        """Whether a relay switches without a notification."""
        self.requests: list[dict[str, Any]] = []
        self.opened = 0
        self.closed = 0
        self.open_error: Exception | None = None
        self.send_error: Exception | None = None
        self.on_frame: Callable[[bytes], None] | None = None

    @property
    def methods(self) -> list[str]:
        return [request["method"] for request in self.requests]

    async def open(self, on_frame: Callable[[bytes], None]) -> None:
        if self.open_error is not None:
            raise self.open_error
        self.opened += 1
        self.on_frame = on_frame

    async def send(self, frame: bytes) -> None:
        if self.on_frame is None:
            raise LinkClosedError("not open")
        if self.send_error is not None:
            raise self.send_error
        request = json.loads(frame)
        self.requests.append(request)
        if request["method"] in self.silent:
            return
        answer = self.answer(request)
        if self.transport is Transport.HTTP:
            self.receive(answer)
        else:
            asyncio.get_running_loop().call_soon(self.receive, answer)

    async def close(self) -> None:
        self.closed += 1
        self.on_frame = None

    def receive(self, frame: bytes | dict[str, Any]) -> None:
        """Let a frame arrive."""
        if self.on_frame is not None:
            self.on_frame(frame if isinstance(frame, bytes) else json.dumps(frame).encode())

    def notify(self, changes: dict[str, Any], ts: float = NOW) -> None:
        """Let a NotifyStatus arrive."""
        params = {"ts": ts, **changes}
        self.receive({"src": self.info["id"], "method": "NotifyStatus", "params": params})

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        method = request["method"]
        frame = {"id": request["id"], "src": self.info["id"], "dst": request["src"]}
        if method in self.errors:
            return {**frame, "error": self.errors[method]}
        return {**frame, "result": self._result(method, request.get("params", {}))}

    def _result(self, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "Shelly.GetDeviceInfo":
                return self.info
            case "Shelly.GetConfig":
                return self.config
            case "Shelly.GetStatus":
                return self.status
            case "Switch.GetStatus":
                return self.status[f"switch:{params['id']}"]
            case "Switch.Set":
                return {"was_on": self._switch(params["id"], on=params["on"])}
        return None

    def _switch(self, switch_id: int, *, on: bool) -> bool:
        relay = self.status[f"switch:{switch_id}"]
        was_on: bool = relay["output"]
        relay |= {"output": on, "source": "MQTT"}
        if self.transport is Transport.MQTT and was_on is not on and not self.quiet:
            delta = {"id": switch_id, "output": on, "source": "MQTT"}
            asyncio.get_running_loop().call_later(0.02, lambda: self.notify({f"switch:{switch_id}": delta}))
        return was_on
