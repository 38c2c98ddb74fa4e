"""A device that tells minutes, loses them or answers for them, in any order of things."""

import json
from typing import Any, override

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shelly_core.records import Block, Record
from shelly_exporter.history.backfill import MINUTE_S, SETTLED_S, Backfill
from shelly_exporter.history.coverage import Span
from tests.exporter.minutes import at, minute

PAGE = 6


class Machine(RuleBasedStateMachine):
    """A device that tells, forgets nothing and loses power, and a link that drops events and answers."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        """The minute in progress."""
        self.kept: list[int] = []
        self.lost_events: list[int] = []
        self.done: set[int] = set()
        """What was told and stored, or answered: never to be asked for again."""
        self.stored: set[int] = set()

    @initialize(window=st.integers(1, 20))
    def meet(self, window: int) -> None:
        self.window = window
        self.backfill = Backfill(window_records=window)
        self.backfill.contact(at(0))

    @property
    def now(self) -> float:
        return at(self.number) + SETTLED_S

    @rule(count=st.integers(1, 30), powered=st.booleans(), heard=st.booleans())
    def time_passes(self, count: int, *, powered: bool, heard: bool) -> None:
        for _ in range(count):
            ts = minute(self.number)
            self.number += 1
            if powered:
                self.kept.append(ts)
                if heard:
                    self.hear(ts)
                else:
                    self.lost_events.append(ts)

    @rule(place=st.randoms(use_true_random=False))
    def an_event_comes_late(self, place: Any) -> None:
        if self.lost_events:
            self.hear(self.lost_events.pop(place.randrange(len(self.lost_events))))

    @rule(answered=st.booleans(), page=st.integers(1, PAGE))
    def fetch(self, *, answered: bool, page: int) -> None:
        window = self.backfill.next_window(self.now)
        if window is None:
            return
        asked = set(range(window.start, window.end, MINUTE_S))
        assert 0 < len(asked) <= self.window
        assert not asked & self.done
        assert minute(0) <= window.start
        assert window.end <= minute(self.number)
        if answered:
            self.answer(window, page)

    @rule()
    def list_blocks(self) -> None:
        blocks: list[Block] = []
        for ts in self.kept:
            if blocks and blocks[-1].ts + blocks[-1].records * MINUTE_S == ts:
                blocks[-1] = blocks[-1]._replace(records=blocks[-1].records + 1)
            else:
                blocks.append(Block(ts, MINUTE_S, 1))
        self.backfill.available(blocks)

    @rule()
    def restart(self) -> None:
        state = json.loads(json.dumps(self.backfill.state()))
        self.backfill = Backfill(state, window_records=self.window)
        assert self.backfill.state() == state

    @invariant()
    def nothing_is_complete_that_is_not(self) -> None:
        if not hasattr(self, "backfill"):
            return
        complete_to = self.backfill.complete_to
        assert complete_to is not None
        assert {ts for ts in self.kept if ts < complete_to} <= self.stored

    @override
    def teardown(self) -> None:
        if not hasattr(self, "backfill"):
            return
        turns = 0
        while (window := self.backfill.next_window(self.now)) is not None:
            assert not set(range(window.start, window.end, MINUTE_S)) & self.done
            self.answer(window, PAGE)
            turns += 1
            assert turns <= self.number, "each answer brings it on"
        assert self.stored == set(self.kept)
        assert self.backfill.complete_to == minute(self.number)
        assert self.backfill.given_up == self.backfill.missing(self.now) == 0

    def hear(self, ts: int) -> None:
        self.backfill.stored(ts)
        self.done.add(ts)
        self.stored.add(ts)

    def answer(self, window: Span, page: int) -> None:
        """Answer as the device does: its first records of the window, and the next one if it is in the window."""
        inside = [ts for ts in self.kept if window.start <= ts < window.end]
        told = inside[:page]
        next_ts = inside[page] if len(inside) > page else None
        self.backfill.fetched(window, [Record(ts, MINUTE_S, {}) for ts in told], next_ts)
        self.stored |= set(told)
        self.done |= set(range(window.start, window.end if next_ts is None else next_ts, MINUTE_S))
