"""The WebSocket road `/rpc`: requests with the password in the frame, notifications once a client said who it is.

https://shelly-api-docs.shelly.cloud/gen2/General/RPCChannels
"""

import asyncio
import contextlib
from typing import Any

from aiohttp import WSMsgType, web

from tests.simulator import frames
from tests.simulator.auth import Authenticator, AuthRefusedError, from_frame
from tests.simulator.device import VirtualDevice
from tests.simulator.shaping import Payload, Shaper

SOURCE = "WS_in"
# A client that reads nothing is dropped when this many frames wait for it.
BACKLOG = 1000


class WebSocketRoad:
    """All WebSocket clients of one device."""

    def __init__(self, device: VirtualDevice, authenticator: Authenticator) -> None:
        self._device = device
        self._authenticator = authenticator
        self._clients = 0

    @property
    def count(self) -> int:
        """How many clients are connected."""
        return self._clients

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self._device.ledger.http_answered(socket.status)
        self._clients += 1
        client = _Client(self._device, self._authenticator, socket, f"{self._device.id} ws {request.remote}")
        try:
            await client.serve()
        finally:
            self._clients -= 1
        return socket


class _Client:
    def __init__(
        self, device: VirtualDevice, authenticator: Authenticator, socket: web.WebSocketResponse, seed: str
    ) -> None:
        self._device = device
        self._authenticator = authenticator
        self._socket = socket
        self._waiting: asyncio.Queue[Payload] = asyncio.Queue(BACKLOG)
        self._shaper = Shaper(device.faults, device.clock, seed, self._enqueue)
        self._name: str | None = None

    async def serve(self) -> None:
        """Answer requests and pass on notifications until the connection ends."""
        unsubscribe = self._device.listen(self._notify)
        writer = asyncio.create_task(self._write())
        try:
            async for message in self._socket:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    await self._receive(message.data)
        finally:
            unsubscribe()
            self._shaper.close()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _receive(self, data: str | bytes) -> None:
        with contextlib.suppress(frames.BadFrameError):
            request = frames.read_request(data)
            if slow := self._device.faults.get("slow"):
                await self._device.clock.sleep(slow.parameters["delay_s"])
            if self._device.faults.web_cuts or not self._device.powered:
                return
            reply = self._answer(request)
            # A request without `id` or `src` has nobody to answer to, but is carried out.
            if "id" in request:
                self._tell(request["method"], reply)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._authorize(request)
        except AuthRefusedError as refusal:
            return frames.error(self._device, request, refusal.code, self._authenticator.challenge_text(refusal))
        # Whoever has shown no password to a device that has one hears nothing of what happens there.
        trusted = self._device.auth_ha1 is None or not frames.is_open(request["method"])
        if trusted and isinstance(name := request.get("src"), str) and name:
            self._name = name
        return frames.answer(self._device, request, source=SOURCE)

    def _authorize(self, request: dict[str, Any]) -> None:
        if frames.is_open(request["method"]):
            return
        if "auth_rejected" in self._device.faults:
            raise self._authenticator.reject()
        auth = request.get("auth")
        self._authenticator.check(self._device.auth_ha1, from_frame(auth) if isinstance(auth, dict) else None)

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        if self._name is not None:
            self._tell(method, frames.notification(self._device, self._name, method, params))

    def _tell(self, kind: str, frame: dict[str, Any]) -> None:
        if self._device.faults.web_cuts:
            return
        intact = self._shaper.send(frames.text(frame))
        self._device.ledger.frame_sent("ws", kind if intact else "damaged", frame)

    def _enqueue(self, payload: Payload) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(payload)

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                payload = await self._waiting.get()
                if isinstance(payload, str):
                    await self._socket.send_str(payload)
                else:
                    await self._socket.send_bytes(payload)
