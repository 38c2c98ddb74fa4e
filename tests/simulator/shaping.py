"""What faults do to frames on their way out: doubled, late, swapped, damaged, swollen."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulator.clock import Clock
    from tests.simulator.faults import Faults

type Payload = str | bytes
type Damage = Callable[[str], Payload]

DAMAGES: tuple[Damage, ...] = (
    lambda text: text[: len(text) // 2],
    lambda text: text.replace(":", ";"),
    lambda text: text.encode()[:-4] + b"\xff\xfe" + text.encode()[-4:],
    lambda _: "",
    lambda _: "null",
    lambda text: f"[{text}]",
    lambda _: "[" * 5000,
    lambda text: text.replace('"id":0', '"id":"zero"').replace('"ts":', '"ts":"soon","was":'),
    lambda text: text.replace("true", '"yes"').replace("false", "[]").replace("null", "{}"),
    lambda _: '{"params":null,"method":["NotifyStatus"],"src":7}',
    lambda text: text.replace(".", 'e999,"x":0.', 1),
    lambda text: text.replace('"params":{', '"params":{"em:0":null,"switch:0":3,"sys":"gone",', 1),
)


class Shaper:
    """One road's way out: `send` hands each payload to `emit` as the active faults allow; seeded, so repeatable."""

    def __init__(self, faults: Faults, clock: Clock, seed: str, emit: Callable[[Payload], None]) -> None:
        self._faults = faults
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._emit = emit
        self._sent = 0
        self._late: set[asyncio.Task[None]] = set()

    def send(self, text: str) -> bool:
        """Emit `text` now or later; returns whether it was left whole."""
        payload = self.damaged(text)
        copies = 2 if "duplicate" in self._faults else 1
        for _ in range(copies):
            if (reorder := self._faults.get("reorder")) and self._random.random() < 1 / 2:
                self._hold(payload, self._random.uniform(0, float(reorder.parameters["hold_s"])))
            else:
                self._emit(payload)
        return payload == text

    def close(self) -> None:
        """Drop what is held back."""
        for task in self._late:
            task.cancel()

    def _hold(self, payload: Payload, seconds: float) -> None:
        task = asyncio.create_task(self._emit_later(payload, seconds))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _emit_later(self, payload: Payload, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._emit(payload)

    def damaged(self, text: str) -> Payload:
        """Return `text` as the faults `oversized` and `malformed` would have it."""
        self._sent += 1
        is_object = text.startswith("{") and text != "{}"
        if (fault := self._faults.get("oversized")) and is_object and self._sent % fault.parameters["every"] == 0:
            return f'{text[:-1]},"pad":{json.dumps("x" * fault.parameters["bytes"])}}}'
        if (fault := self._faults.get("malformed")) and self._sent % fault.parameters["every"] == 0:
            return self._random.choice(DAMAGES)(text)
        return text
