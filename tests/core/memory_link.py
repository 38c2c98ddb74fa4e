"""A link without a network: a device of a fixture that answers in memory, or does not."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from shelly_core import LinkClosedError, Signal, Transport
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
        self.now: Callable[[], float] = lambda: NOW
        """The device's clock."""
        self.errors: dict[str, dict[str, Any]] = {}
        self.silent: set[str] = set()
        """Methods that are lost on the way to the device; `*` is all."""
        self.mute: set[str] = set()
        """Methods that are carried out, but the answer is lost; `*` is all."""
        self.quiet = False
        """Whether a relay switches without a notification."""
        self.away = False
        """Whether the broker is not there."""
        self.requests: list[dict[str, Any]] = []
        self.before_open_s = self.after_open_s = 0.0
        """How long opening takes, before and after the device can be heard."""
        self.opened = 0
        self.closed = 0
        self.open_error: Exception | None = None
        self.send_error: Exception | None = None
        self.on_frame: Callable[[bytes], None] | None = None
        self.on_signal: Callable[[Signal, str], None] | None = None

    def other_road(self) -> MemoryLink:
        """Another road to the same device, over HTTP."""
        link = MemoryLink(transport=Transport.HTTP)
        link.info, link.config, link.status, link.now = self.info, self.config, self.status, self.now
        return link

    @property
    def methods(self) -> list[str]:
        return [request["method"] for request in self.requests]

    async def open(self, on_frame: Callable[[bytes], None], on_signal: Callable[[Signal, str], None]) -> None:
        if self.open_error is not None:
            raise self.open_error
        if self.before_open_s:
            await asyncio.sleep(self.before_open_s)
        self.opened += 1
        self.on_frame, self.on_signal = on_frame, on_signal
        if self.transport is Transport.MQTT:
            self.signal(Signal.DISCONNECTED if self.away else Signal.CONNECTED, "no broker" if self.away else "")
        if self.after_open_s:
            await asyncio.sleep(self.after_open_s)

    async def send(self, frame: bytes) -> None:
        if self.on_frame is None:
            raise LinkClosedError("not open")
        if self.send_error is not None:
            raise self.send_error
        if self.away:
            raise LinkClosedError("no broker")
        request = json.loads(frame)
        self.requests.append(request)
        if self.silent & {request["method"], "*"}:
            return
        answer = self.answer(request)
        if self.mute & {request["method"], "*"}:
            return
        if self.transport is Transport.HTTP:
            self.receive(answer)
        else:
            asyncio.get_running_loop().call_soon(self.receive, answer)

    async def close(self) -> None:
        self.closed += 1
        self.on_frame = self.on_signal = None

    def receive(self, frame: bytes | dict[str, Any]) -> None:
        """Let a frame arrive."""
        if self.on_frame is not None:
            self.on_frame(frame if isinstance(frame, bytes) else json.dumps(frame).encode())

    def notify(self, changes: dict[str, Any], ts: float | None = None) -> None:
        """Let a NotifyStatus arrive, from now unless `ts` says otherwise."""
        params = {"ts": self.now() if ts is None else ts, **changes}
        self.receive({"src": self.info["id"], "method": "NotifyStatus", "params": params})

    def happen(self, event: dict[str, Any]) -> None:
        """Let a NotifyEvent arrive."""
        params = {"ts": event["ts"], "events": [event]}
        self.receive({"src": self.info["id"], "method": "NotifyEvent", "params": params})

    def signal(self, signal: Signal, reason: str = "") -> None:
        """Let the client know of something besides frames."""
        if self.on_signal is not None:
            self.on_signal(signal, reason)

    def lose_broker(self) -> None:
        self.away = True
        self.signal(Signal.DISCONNECTED, "no broker")

    def find_broker(self) -> None:
        self.away = False
        self.signal(Signal.CONNECTED)

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
                if self.status and "sys" in self.status:
                    self.status["sys"]["unixtime"] = int(self.now())
                return self.status
            case "Sys.GetStatus":
                return {**self.status["sys"], "unixtime": int(self.now())}
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
