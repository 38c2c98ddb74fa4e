"""What a device has to do next, by true time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf


@dataclass(order=True, slots=True)
class Entry:
    """One thing to do; cancelled when `call` is None."""

    when: float
    order: int
    call: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        """Never do it."""
        self.call = None


class Agenda:
    """A queue of timers without a clock of its own."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._entries: list[Entry] = []
        self._order = 0
        self._changed = changed

    def at(self, when: float, call: Callable[[], None]) -> Entry:
        """Do something at a true time."""
        self._order += 1
        entry = Entry(when, self._order, call)
        heapq.heappush(self._entries, entry)
        self._changed()
        return entry

    def clear(self) -> None:
        """Forget everything, as a power cut does."""
        self._entries.clear()

    def next(self) -> float:
        """When the next thing is due; infinity if there is none."""
        while self._entries and self._entries[0].call is None:
            heapq.heappop(self._entries)
        return self._entries[0].when if self._entries else inf

    def run(self, now: float) -> None:
        """Do what is due, in order."""
        while self.next() <= now:
            call = heapq.heappop(self._entries).call
            if call is not None:
                call()
