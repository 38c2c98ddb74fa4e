"""Notes how long Home Assistant's event loop was blocked, and when the garbage collector was the reason.

A callback every 5 ms sees how late it comes. Whoever wants to know asks the WebSocket command `loop_watch/report`;
`tests.stack.loop_watch_client` does, and describes the answer.
"""

import gc
import time
from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from typing import Any

import voluptuous as vol
from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.decorators import require_admin, websocket_command
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.typing import ConfigType

TICK_S = 0.005
BLOCKED_S = 0.02
LONG_COLLECTION_S = 0.005
FULL = 2
"""The oldest generation: collecting it looks at every object there is."""
KEPT = 10_000


class LoopWatch:
    """Watches `loop` from `start` on; spans are Unix seconds, the newest `KEPT` of each list."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: TimerHandle | None = None
        self._due = 0.0
        self._begun = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget what was noted."""
        self._since = time.time()
        self._worst_s = 0.0
        self._ticks = 0
        self._blocks: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._collections: deque[tuple[float, float, int]] = deque(maxlen=KEPT)

    def start(self) -> None:
        """Begin to watch."""
        gc.callbacks.append(self._on_collection)
        self._await_tick()

    def stop(self) -> None:
        """Watch no longer."""
        gc.callbacks.remove(self._on_collection)
        if self._timer is not None:
            self._timer.cancel()

    def report(self) -> dict[str, Any]:
        """Return what was noted, a block that ends with this very call included."""
        self._note()
        return {
            "since": self._since,
            "until": time.time(),
            "ticks": self._ticks,
            "worst_s": self._worst_s,
            "blocks": list(self._blocks),
            "collections": list(self._collections),
        }

    def _await_tick(self) -> None:
        self._due = self._loop.time() + TICK_S
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._note()
        self._ticks += 1
        self._await_tick()

    def _note(self) -> None:
        now = self._loop.time()
        late_s = now - self._due
        self._worst_s = max(self._worst_s, late_s)
        if late_s > BLOCKED_S:
            end = time.time()
            self._blocks.append((end - late_s, end))
            self._due = now  # whoever asks before the tick comes has counted this already

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = time.time()
            return
        end = time.time()
        if info["generation"] == FULL or end - self._begun > LONG_COLLECTION_S:
            self._collections.append((self._begun, end, info["generation"]))


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Watch until Home Assistant ends and answer who asks."""
    watch = LoopWatch(hass.loop)

    @callback
    @require_admin
    @websocket_command({vol.Required("type"): "loop_watch/report", vol.Optional("reset", default=False): bool})
    def report(_hass: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
        """Answer with the report; with `reset` the next one begins here."""
        connection.send_result(message["id"], watch.report())
        if message["reset"]:
            watch.reset()

    @callback
    def stop(_event: Event) -> None:
        watch.stop()

    async_register_command(hass, report)
    watch.start()
    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_FINAL_WRITE, stop)
    return True
