"""Notes when Python's full garbage collections stop Home Assistant; loaded into both rivals alike."""

import gc
import json
import time
from pathlib import Path

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers.typing import ConfigType

FILE = "garbage_watch.json"
FULL = 2
"""The oldest generation: collecting it looks at every object there is."""


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Watch from now on; at the end `[begin, end]` of each pause is written to the configuration directory."""
    pauses: list[tuple[float, float]] = []
    begun = 0.0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal begun
        if info["generation"] == FULL:
            if phase == "start":
                begun = time.time()
            else:
                pauses.append((begun, time.time()))

    async def save(_event: Event) -> None:
        path = Path(hass.config.path(FILE))
        await hass.async_add_executor_job(path.write_text, json.dumps(pauses))

    gc.callbacks.append(note)
    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_FINAL_WRITE, save)
    return True
