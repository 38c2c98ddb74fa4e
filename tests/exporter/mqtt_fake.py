"""What listens on a port and is no ordinary broker: it answers CONNECT as a test wants."""

import asyncio
from collections.abc import Callable
from typing import Self

from shelly_exporter.settings import Mqtt


class FakeBroker:
    """Answers CONNECT with what `greet` returns for the client's protocol level, and grants every subscription."""

    def __init__(self, greet: Callable[[int], bytes], *, then_close: bool = False) -> None:
        self.levels: list[int] = []
        """The protocol levels that clients asked for."""
        self.received = b""
        """All that came after CONNECT."""
        self._greet = greet
        self._then_close = then_close
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    @property
    def settings(self) -> Mqtt:
        """How to reach it."""
        return Mqtt(port=self._server.sockets[0].getsockname()[1])

    async def send(self, data: bytes) -> None:
        """Send bytes to the last client."""
        self._writers[-1].write(data)
        await self._writers[-1].drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        level = (await reader.read(1024))[8]
        self.levels.append(level)
        writer.write(self._greet(level))
        if self._then_close:
            writer.close()
        while data := await reader.read(1024):
            self.received += data
            if data[0] == 0x82:
                properties = b"\x00" if level == 5 else b""
                writer.write(b"\x90" + bytes((3 + len(properties),)) + data[2:4] + properties + b"\x01")
        writer.close()
