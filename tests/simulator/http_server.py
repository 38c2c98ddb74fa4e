"""The device's web server: RPC over GET and POST, /shelly, digest, six channels, one answer per connection.

https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Http, …/General/RPCChannels
"""

import asyncio
import socket
import struct
from typing import Any

from aiohttp import web

from tests.simulator import frames
from tests.simulator.auth import TOO_MANY, Authenticator, AuthRefusedError, Credentials, from_frame, from_header
from tests.simulator.device import VirtualDevice
from tests.simulator.queries import params_of
from tests.simulator.shaping import Shaper
from tests.simulator.websocket import WebSocketRoad

CHANNELS = 6
MAX_BODY = 64 * 1024
SERVER = "ShellyHTTP/1.0.0"
SOURCE = "HTTP_in"
# A missing instance is 500 in the field (evcc-io/evcc#24485), an unknown method 404 (jbasen/Crestron-Shelly#36).
BARE_STATUS = {404: 404, 401: 401, 429: 429}
# Makes `close` send RST instead of FIN.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class HttpServer:
    """One device's port; it keeps the port while its doors are shut."""

    def __init__(self, device: VirtualDevice, authenticator: Authenticator, *, host: str, port: int) -> None:
        self._device = device
        self._authenticator = authenticator
        self._socket = _bound(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        self._shaper = Shaper(device.faults, device.clock, f"{device.id} http", lambda _: None)
        self._sockets = WebSocketRoad(device, authenticator)
        self._listening: asyncio.Server | None = None
        self._silence = asyncio.Event()
        self._in_flight: list[web.Request] = []
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        app.on_response_prepare.append(_sign)
        self._runner = web.AppRunner(app, access_log=None, lingering_time=0)

    @property
    def is_open(self) -> bool:
        """Whether connections are accepted."""
        return self._listening is not None

    async def start(self) -> None:
        """Get ready to serve and open."""
        await self._runner.setup()
        await self.open()

    async def open(self) -> None:
        """Accept connections (again)."""
        if self._listening is None and self._runner.server is not None:
            loop = asyncio.get_running_loop()
            self._listening = await loop.create_server(self._runner.server, sock=self._socket)

    def shut(self) -> None:
        """Reset all connections and refuse new ones; the port stays reserved."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
            self._socket = _bound(self.host, self.port)
        self.reset_connections()

    def reset_connections(self) -> None:
        """Break every open connection, WebSockets too, with a TCP reset."""
        self._silence.set()
        self._silence = asyncio.Event()
        for connection in [] if self._runner.server is None else self._runner.server.connections:
            if (transport := connection.transport) is not None:
                _reset(transport)

    async def stop(self) -> None:
        """Give the port back."""
        self.shut()
        self._shaper.close()
        await self._runner.cleanup()
        self._socket.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one request and note it in the ledger; a WebSocket notes itself and is not in flight."""
        ledger = self._device.ledger
        if _is_upgrade(request):
            response = await self._answer(request)
        else:
            self._in_flight.append(request)
            ledger.http_in_flight(sum(map(_has_client, self._in_flight)))
            try:
                response = await self._answer(request)
            finally:
                self._in_flight.remove(request)
        if _has_client(request) and not isinstance(response, web.WebSocketResponse):
            ledger.http_answered(response.status)
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        faults = self._device.faults
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _response(413)
        if silent := "silent" in self._device.faults.web_cuts:
            await self._silence.wait()
        elif self._channels() > CHANNELS:
            return _response(503)
        elif slow := faults.get("slow"):
            await self._device.clock.sleep(slow.parameters["delay_s"])
        if silent or self._device.faults.web_cuts or not self._device.powered:
            return _gone(request)
        if refusing := faults.get("http_refusing"):
            return _response(int(refusing.parameters["status"]))
        try:
            return await self._route(request, body)
        except AuthRefusedError as refusal:
            return self._refused(refusal)
        except web.HTTPBadRequest:  # an Upgrade that is no handshake
            return _response(400)

    def _channels(self) -> int:
        """Count connections, those of WebSocket clients excepted."""
        return 0 if self._runner.server is None else len(self._runner.server.connections) - self._sockets.count

    async def _route(self, request: web.Request, body: bytes) -> web.StreamResponse:
        path = request.path
        if path == "/shelly" and request.method == "GET":
            return self._bare(request, "Shelly.GetDeviceInfo", {})
        if path == "/rpc" and _is_upgrade(request):
            return await self._sockets.serve(request)
        if path == "/rpc" and request.method == "POST":
            return self._framed(request, body)
        method = path.removeprefix("/rpc/")
        if method == path or not method or request.method not in {"GET", "POST"}:
            self._authorize(request)
            return _response(404, "Not Found", "text/plain")
        if not frames.is_open(method):
            self._authorize(request)
        try:
            params = params_of(request.query) if request.method == "GET" else _posted(body)
        except frames.BadFrameError:
            return _response(400)
        return self._bare(request, method, params)

    def _framed(self, request: web.Request, body: bytes) -> web.Response:
        try:
            frame = frames.read_request(body)
        except frames.BadFrameError:
            self._authorize(request)
            return _response(400)
        if not frames.is_open(frame["method"]):
            self._authorize(request, frame)
        reply = frames.answer(self._device, frame, source=SOURCE)
        return self._json(request, 200, frames.text(reply), frame["method"], reply)

    def _bare(self, request: web.Request, method: str, params: dict[str, Any]) -> web.Response:
        reply = frames.answer(self._device, {"method": method, "params": params}, source=SOURCE)
        if (error := reply.get("error")) is not None:
            return self._json(request, BARE_STATUS.get(error["code"], 500), frames.text(error), method, reply)
        return self._json(request, 200, frames.text(reply["result"]), method, reply)

    def _authorize(self, request: web.Request, frame: dict[str, Any] | None = None) -> None:
        if "auth_rejected" in self._device.faults:
            raise self._authenticator.reject()
        self._authenticator.check(self._device.auth_ha1, _shown(request, frame or {}))

    def _refused(self, refusal: AuthRefusedError) -> web.Response:
        if refusal.nonce is None:
            return _response(429, frames.text({"code": 429, "message": TOO_MANY}), "application/json")
        return _response(401, headers={"WWW-Authenticate": self._authenticator.challenge_header(refusal)})

    def _json(self, request: web.Request, status: int, text: str, kind: str, frame: dict[str, Any]) -> web.Response:
        ledger = self._device.ledger
        payload = self._shaper.damaged(ledger.answering(text, "http", kind, frame))
        ledger.frame_sent("http", kind if payload == text else "damaged", frame)
        if _has_client(request):
            ledger.arrived(payload)
        return _response(status, payload, "application/json")


def _is_upgrade(request: web.Request) -> bool:
    """Tell whether a client wants a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _has_client(request: web.Request) -> bool:
    """Tell whether somebody still waits for the answer: a client that has given up has freed its channel."""
    return request.transport is not None and not request.transport.is_closing()


def _shown(request: web.Request, frame: dict[str, Any]) -> Credentials | None:
    if "Authorization" in request.headers:
        return from_header(request.headers["Authorization"], request.method, request.raw_path)
    auth = frame.get("auth")
    return from_frame(auth) if isinstance(auth, dict) else None


def _posted(body: bytes) -> dict[str, Any]:
    return frames.read_object(body) if body.strip() else {}


def _response(
    status: int, body: str | bytes = "", kind: str | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    content = body.encode() if isinstance(body, str) else body
    fields = dict(headers or {}) | ({"Content-Type": kind} if kind else {})
    fields |= {"Content-Length": str(len(content)), "Server": SERVER, "Connection": "close"}
    response = web.Response(status=status, body=content, headers=fields)
    response.force_close()
    return response


async def _sign(_: web.Request, response: web.StreamResponse) -> None:
    """Make aiohttp's own answers look like the device's: it sends no Date."""
    response.headers.popall("Date", None)
    response.headers["Server"] = SERVER


def _gone(request: web.Request) -> web.Response:
    """Break the connection off; what is returned goes nowhere."""
    if request.transport is not None:
        _reset(request.transport)
    return _response(503)


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that owns the port without listening: connections are refused until it does."""
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def _reset(transport: asyncio.BaseTransport) -> None:
    if (raw := transport.get_extra_info("socket")) is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    if isinstance(transport, asyncio.Transport):
        transport.abort()
