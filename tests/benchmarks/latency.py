"""From a device's notification to the states in Home Assistant, from what both have written down.

The simulator's ledger has the time of each frame, Home Assistant's recorder the time of each state: nobody has to
listen, so nothing is slowed down by being watched.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.rivals import Shown

type Span = tuple[float, float]

COMPONENT = "em:0"
AFTERMATH_S = 1.0
"""How long it may take to work off what came during a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Seconds from each notification of `em:0` to each state that it changed; `silent` ones changed none.

    `calm` are those of notifications that came neither during a full garbage collection nor within `AFTERMATH_S` of it.
    """

    seconds: Sequence[float]
    calm: Sequence[float]
    silent: int


def latencies(
    frames: Mapping[str, Sequence[float]],
    written: Mapping[str, Iterable[float]],
    shown: Iterable[Shown],
    *,
    span: Span,
    pauses: Sequence[Span],
) -> Latencies:
    """Match states with the last notification of their device before them; `frames` by MAC, in order.

    A notification that no state follows before the next one counts as silent: too many of them, and states are so
    late that they were matched with the wrong one.
    """
    begin, end = span
    seconds: list[tuple[float, float]] = []
    heard: set[tuple[str, int]] = set()
    for entity in shown:
        if not entity.field.startswith(COMPONENT):
            continue
        sent = frames[entity.mac]
        for updated in written.get(entity.entity_id, ()):
            index = bisect_right(sent, updated) - 1
            if index >= 0 and begin <= sent[index] < end:
                seconds.append((sent[index], updated - sent[index]))
                heard.add((entity.mac, index))
    told = sum(begin <= ts < end for sent in frames.values() for ts in sent)
    return Latencies(
        seconds=[taken for _, taken in seconds],
        calm=[taken for ts, taken in seconds if not _disturbed(ts, ts + taken, pauses)],
        silent=told - len(heard),
    )


def _disturbed(sent: float, updated: float, pauses: Iterable[Span]) -> bool:
    return any(sent < end + AFTERMATH_S and updated > begin for begin, end in pauses)
