"""Dead letters on a disk or without one, and a store that takes them or does not."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import override

from shelly_exporter.spool.dead_letters import DeadLetters, Letter, Letters
from shelly_exporter.targets import Refused, Unavailable


class Store:
    """Takes all lines but those that are `bad`; `fails` at a line. What it takes is a set: points are idempotent."""

    def __init__(self, bad: Collection[bytes] = (), *, fails: bytes | None = None) -> None:
        self.bad = set(bad)
        self.fails = fails
        self.lines: set[bytes] = set()
        self.writes = 0

    async def write(self, body: bytes) -> None:
        self.writes += 1
        lines = body.split(b"\n")
        if self.fails in lines:
            raise Unavailable("the store is away")
        # A partial write: what is good is kept, the answer is an error all the same.
        self.lines |= set(lines) - self.bad
        if refused := [line for line in lines if line in self.bad]:
            raise Refused(f"no {refused[0].decode()} dropped={len(refused)}")


def left(dead_letters: DeadLetters) -> list[Letter]:
    return [letter for _, letters in dead_letters.read() for letter in letters]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def with_letters(directory: Path, count: int, max_bytes: int = 80_000) -> tuple[DeadLetters, list[bytes]]:
    """Letters in several files, or in one where `max_bytes` is large."""
    dead_letters = DeadLetters(directory, max_bytes, wall=lambda: 1.0)
    lines = [b"m x=%d" % number for number in range(count)]
    dead_letters.add("old", lines)
    return dead_letters, lines


class MemoryLetters(DeadLetters):
    """Dead letters without a disk."""

    def __init__(self, letters: list[Letter]) -> None:
        super().__init__(Path("/nowhere"))
        self._letters = letters

    @property
    def lines(self) -> list[bytes]:
        return [letter.line for letter in self._letters]

    @override
    def read(self) -> Iterator[Letters]:
        if self._letters:
            yield Letters(1, tuple(self._letters))

    @override
    def settle(self, number: int, outcomes: Mapping[Letter, str | None]) -> None:
        assert number == 1
        outcome = [(letter, outcomes.get(letter, letter.reason)) for letter in self._letters]
        self._letters = [letter._replace(reason=reason) for letter, reason in outcome if reason is not None]
