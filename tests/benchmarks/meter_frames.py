"""What a simulated Pro 3EM says in a few minutes, as the bytes that leave it; every notification has other values."""

from typing import Any

import orjson

from tests.simulator import frames
from tests.simulator.clock import ManualClock
from tests.simulator.device import VirtualDevice
from tests.simulator.models import MODELS, firmware

KEY = "em:0"


class Meter:
    """A Pro 3EM that reports once a second of a clock of its own."""

    def __init__(self) -> None:
        self._clock = ManualClock()
        self.device = VirtualDevice(MODELS["pro3em"], firmware("1.7.5"), clock=self._clock, cadence_s=1.0)

    def info(self) -> Any:
        """The result of Shelly.GetDeviceInfo."""
        return orjson.loads(frames.text(self.device.info()))

    def now(self) -> float:
        """The meter's time, in Unix seconds."""
        return self._clock.now()

    def config(self) -> Any:
        """The result of Shelly.GetConfig."""
        return orjson.loads(frames.text(self.device.config()))

    def full_status(self) -> Any:
        """The result of Shelly.GetStatus."""
        return orjson.loads(frames.text(self.device.status()))

    async def notifications(self, count: int) -> list[bytes]:
        """Return the NotifyStatus frames of the next `count` reports of `em:0`."""
        told: list[bytes] = []

        def listen(method: str, params: dict[str, Any]) -> None:
            if KEY in params:
                frame = frames.notification(self.device, f"{self.device.id}/events", method, params)
                told.append(frames.text(frame).encode())

        stop = self.device.listen(listen)
        while len(told) < count:
            await self._clock.advance(1.0)
            self.device.tick()
        stop()
        return told[:count]
