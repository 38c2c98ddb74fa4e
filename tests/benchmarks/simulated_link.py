"""A link without a wire: requests are answered by a virtual device in this process."""

from collections.abc import Callable

from shelly_core import Signal, Transport
from tests.simulator import frames
from tests.simulator.device import VirtualDevice


class SimulatedLink:
    """Hands a virtual device's answers, and what `on_frame` is called with from outside, to the client."""

    transport = Transport.MQTT
    timeout_s = 5.0

    def __init__(self, device: VirtualDevice) -> None:
        self._device = device
        self.on_frame: Callable[[bytes], None] = lambda _: None

    async def open(self, on_frame: Callable[[bytes], None], on_signal: Callable[[Signal, str], None]) -> None:
        """Deliver frames to `on_frame` from now on; the broker is always there."""
        self.on_frame = on_frame
        on_signal(Signal.CONNECTED, "")

    async def send(self, frame: bytes) -> None:
        """Let the device answer at once."""
        reply = frames.answer(self._device, frames.read_request(frame), source="MQTT")
        self.on_frame(frames.text(reply).encode())

    async def close(self) -> None:
        """There is nothing to close."""
