"""HTTP as bytes on a socket, so that nothing between the test and the device tidies up."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, taken apart; `headers` in the order they were sent."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def code(self) -> int:
        """The status as a number."""
        return int(self.status.split()[1])

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    def header(self, name: str) -> str:
        """The one header of this name."""
        (value,) = [value for key, value in self.headers if key.lower() == name.lower()]
        return value


def request_bytes(method: str, target: str, body: bytes, **headers: str) -> bytes:
    """Return a request as a client writes it."""
    fields = {"Host": "device"} | ({"Content-Length": str(len(body))} if body else {})
    fields |= {key.replace("_", "-"): value for key, value in headers.items()}
    head = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body


async def send(port: int, data: bytes) -> Answer:
    """Send bytes, read until the device closes, and take the answer apart."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            received = await reader.read()
    finally:
        writer.close()
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    return Answer(status, [(key, value) for key, _, value in pairs], body)


async def get(port: int, target: str, **headers: str) -> Answer:
    """GET."""
    return await send(port, request_bytes("GET", target, b"", **headers))


async def post(port: int, target: str, body: Any, **headers: str) -> Answer:
    """POST bytes as they are, anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await send(port, request_bytes("POST", target, data, **headers))
