"""The two roads of the exporter to one device: over the shared connection to the broker, and over HTTP."""

from collections.abc import Callable

import aiohttp

from shelly_core import HttpLink, LinkClosedError, Signal, Transport

type OnFrame = Callable[[bytes], None]
type OnSignal = Callable[[Signal, str], None]


class MqttRoad:
    """Requests over the broker. What comes back is given to the client by whoever holds the connection."""

    transport = Transport.MQTT
    timeout_s = 3.0

    def __init__(self, publish: Callable[[str, bytes], None], prefix: str) -> None:
        """Send with `publish`, which raises `LinkClosedError`, to the device with this topic prefix."""
        self._publish = publish
        self.prefix = prefix
        self._connected: bool | None = None
        self._reason = "not connected to the broker yet"
        self._on_signal: OnSignal | None = None

    async def open(self, _on_frame: OnFrame, on_signal: OnSignal) -> None:
        """Tell from now on when the broker comes and goes."""
        self._on_signal = on_signal
        self._tell()

    async def send(self, frame: bytes) -> None:
        """Publish a request."""
        self._publish(f"{self.prefix}/rpc", frame)

    async def close(self) -> None:
        """Tell nothing any more."""
        self._on_signal = None

    def follow_broker(self, *, connected: bool, reason: str) -> None:
        """Take that the broker is there, or lost."""
        if self._connected is not connected:
            self._connected, self._reason = connected, reason
            self._tell()

    def signal(self, signal: Signal, reason: str = "") -> None:
        """Pass on what the broker says of the device."""
        if self._on_signal is not None:
            self._on_signal(signal, reason)

    def _tell(self) -> None:
        self.signal(Signal.CONNECTED if self._connected else Signal.DISCONNECTED, self._reason)


class HttpRoad:
    """Requests over HTTP, to an address that the device tells only over MQTT, and that may change."""

    transport = Transport.HTTP
    timeout_s = 10.0

    def __init__(self, session: aiohttp.ClientSession, password: str | None) -> None:
        self._session = session
        self._password = password
        self._link: HttpLink | None = None
        self._callbacks: tuple[OnFrame, OnSignal] | None = None
        self.address: tuple[str, int] | None = None
        """Host and port; `None` while nobody has told them."""

    async def move(self, host: str, port: int = 80) -> None:
        """Use another address from now on; raises `LinkError` if it is none."""
        if self.address == (host, port):
            return
        link = HttpLink(self._session, host, port=port, password=self._password, timeout_s=self.timeout_s)
        if self._link is not None:
            await self._link.close()
        self.address, self._link = (host, port), link
        if self._callbacks is not None:
            await self._link.open(*self._callbacks)

    async def open(self, on_frame: OnFrame, on_signal: OnSignal) -> None:
        """Get ready to send."""
        self._callbacks = (on_frame, on_signal)
        if self._link is not None:
            await self._link.open(on_frame, on_signal)

    async def send(self, frame: bytes) -> None:
        """Send a request; its reply is passed on before this returns."""
        if self._link is None:
            raise LinkClosedError("its address is not known yet")
        await self._link.send(frame)

    async def close(self) -> None:
        """Pass nothing on any more."""
        self._callbacks = None
        if self._link is not None:
            await self._link.close()
