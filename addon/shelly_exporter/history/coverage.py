"""Which seconds of a channel's history are covered. Spans are half-open and in Unix seconds; no I/O, no clock."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """From `start` until just before `end`."""

    start: int
    end: int


class Coverage:
    """A set of seconds, kept as spans that neither overlap nor touch, in order of time."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._spans: list[Span] = []
        for start, end in spans:
            self.add(start, end)

    @property
    def spans(self) -> tuple[Span, ...]:
        """What is covered."""
        return tuple(self._spans)

    def add(self, start: int, end: int) -> None:
        """Cover the time from `start` until `end`; nothing if there is none between them."""
        if start >= end:
            return
        first = bisect_left(self._spans, start, key=_end)
        beyond = bisect_right(self._spans, end, key=_start)
        if first < beyond:
            start = min(start, self._spans[first].start)
            end = max(end, self._spans[beyond - 1].end)
        self._spans[first:beyond] = [Span(start, end)]

    def gap(self, start: int, end: int) -> Span | None:
        """Return the first part of the time from `start` until `end` that is not covered, `None` if all is."""
        for span in self._spans[bisect_right(self._spans, start, key=_end) :]:
            if span.start > start:
                end = min(end, span.start)
                break
            start = span.end
        return Span(start, end) if start < end else None

    def missing_s(self, start: int, end: int) -> int:
        """Return how many seconds of the time from `start` until `end` are not covered."""
        inside = (min(span.end, end) - max(span.start, start) for span in self._spans)
        return max(0, end - start) - sum(seconds for seconds in inside if seconds > 0)

    def keep(self, start: int, end: int) -> None:
        """Forget what is covered before `start` and from `end` on."""
        cut = (Span(max(span.start, start), min(span.end, end)) for span in self._spans)
        self._spans = [span for span in cut if span.start < span.end]


def _start(span: Span) -> int:
    return span.start


def _end(span: Span) -> int:
    return span.end
