"""How long Home Assistant's event loop was blocked, as the custom component `loop_watch` noted it.

Load it with `raise_stage(..., custom_components=[LOOP_WATCH], settings=LOOP_WATCH_SETTINGS)`. It wakes
Home Assistant 200 times a second, which costs 1.5 % of a processor: leave it out where processor time is measured.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tests.stack.hass_client import HassClient

LOOP_WATCH = Path(__file__).parent / "loop_watch"
LOOP_WATCH_SETTINGS: dict[str, Any] = {LOOP_WATCH.name: None}
SLACK_S = 0.02
"""A block is noticed by a tick: its begin is known to a few milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The loop did nothing else from `begin` to `end`, Unix seconds."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection(Block):
    """A full garbage collection (generation 2), or a younger generation's of more than 5 ms."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopReport:
    """What was noted from `since` to `until`: every block above 20 ms, and the worst lateness of all, above it or not.

    Time in which the process got no processor counts as blocked, too: on a busy machine compare with `collections` and
    with an idle run before blaming anybody.
    """

    since: float
    until: float
    ticks: int
    worst_s: float
    blocks: tuple[Block, ...]
    collections: tuple[Collection, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read the answer of `loop_watch/report`."""
        return cls(
            since=data["since"],
            until=data["until"],
            ticks=data["ticks"],
            worst_s=data["worst_s"],
            blocks=tuple(Block(begin=begin, end=end) for begin, end in data["blocks"]),
            collections=tuple(Collection(begin=b, end=e, generation=g) for b, e, g in data["collections"]),
        )

    @property
    def unexplained(self) -> tuple[Block, ...]:
        """The blocks above 20 ms that are still above it without the garbage collections during them."""
        return tuple(block for block in self.blocks if block.seconds - self._collecting_s(block) > SLACK_S)

    def _collecting_s(self, block: Block) -> float:
        overlaps = (min(block.end, c.end) - max(block.begin, c.begin) for c in self.collections)
        return sum(overlap for overlap in overlaps if overlap > 0)


async def loop_report(client: HassClient, *, reset: bool = False) -> LoopReport:
    """Return what was noted so far; with `reset` the next report begins now."""
    return LoopReport.from_json(await client.socket.command("loop_watch/report", reset=reset))
