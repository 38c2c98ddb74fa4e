"""Relays and inputs of a Pro 3: state only; what a change causes is told by the device."""

from collections import deque
from dataclasses import dataclass, field
from math import inf

from tests.simulator.agenda import Entry

KEPT_MOVES = 1000
PUSHES: dict[str, tuple[tuple[float, str], ...]] = {
    "single_push": ((0.0, "btn_down"), (0.12, "btn_up"), (0.12, "single_push")),
    "double_push": (
        (0.0, "btn_down"), (0.1, "btn_up"), (0.25, "btn_down"), (0.35, "btn_up"), (0.35, "double_push"),
    ),
    "triple_push": (
        (0.0, "btn_down"), (0.1, "btn_up"), (0.25, "btn_down"), (0.35, "btn_up"), (0.5, "btn_down"), (0.6, "btn_up"),
        (0.6, "triple_push"),
    ),
    "long_push": ((0.0, "btn_down"), (1.0, "long_push"), (1.6, "btn_up")),
}  # fmt: skip
"""Seconds after the press, and what the device tells then."""


@dataclass(slots=True)
class Relay:
    """One dry contact, and the load a person wired to it."""

    id: int
    output: bool = False
    source: str = "init"
    timer: Entry | None = None
    timer_started_at: float | None = None
    timer_duration: float | None = None
    on_since: float | None = None
    on_time_s: float = 0.0
    switched_on: int = 0
    on_time_rst_ts: int = 0
    switch_on_rst_ts: int = 0
    load_w: float = 0.0
    load_pf: float = 1.0
    moves: deque[tuple[float, bool, str]] = field(default_factory=lambda: deque([(-inf, False, "init")], KEPT_MOVES))

    def at(self, ts: float) -> tuple[bool, str]:
        """Output and source at a true time."""
        return next(((on, source) for when, on, source in reversed(self.moves) if when <= ts), (False, "init"))

    def stop_timer(self) -> bool:
        """Forget a running timer; whether there was one."""
        if self.timer is None:
            return False
        self.timer.cancel()
        self.timer = self.timer_started_at = self.timer_duration = None
        return True

    def set(self, on: bool, source: str, now: float) -> bool:
        """Move the contact; returns whether it moved."""
        moved = on != self.output
        self.output, self.source = on, source
        self.moves.append((now, on, source))
        if moved and on:
            self.on_since = now
            self.switched_on += 1
        elif moved and self.on_since is not None:
            self.on_time_s += now - self.on_since
            self.on_since = None
        return moved


@dataclass(slots=True)
class Input:
    """One input terminal."""

    id: int
    closed: bool = False
    moves: deque[tuple[float, bool]] = field(default_factory=lambda: deque([(-inf, False)], KEPT_MOVES))

    def set(self, closed: bool, now: float) -> None:
        """Somebody moves what is wired to the terminal."""
        self.closed = closed
        self.moves.append((now, closed))

    def at(self, ts: float) -> bool:
        """Whether the terminal was closed at a true time."""
        return next((closed for when, closed in reversed(self.moves) if when <= ts), False)
