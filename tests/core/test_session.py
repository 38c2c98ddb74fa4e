"""The session as a table: what is done to it, and what comes out."""

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shelly_core import FrameError, Notification, Reply, RpcFault, Session


def reply_to(request_id: Any, **answer: Any) -> bytes:
    return json.dumps({"id": request_id, "src": "shellypro3-1", "dst": "me", **(answer or {"result": None})}).encode()


def test_requests_are_numbered_and_encoded() -> None:
    session = Session("me", first_id=40)
    first = session.request("Shelly.GetStatus", now=100.0, timeout_s=3.0)
    second = session.request("Switch.Set", {"id": 1, "on": False}, now=100.0, timeout_s=5.0)
    assert (first.id, first.method, first.params, first.deadline) == (40, "Shelly.GetStatus", None, 103.0)
    assert (second.id, second.params, second.deadline) == (41, {"id": 1, "on": False}, 105.0)
    assert json.loads(second.frame) == {"id": 41, "src": "me", "method": "Switch.Set", "params": {"id": 1, "on": False}}


def test_a_request_that_cannot_be_said_is_not_waited_for() -> None:
    session = Session("me")
    with pytest.raises(FrameError):
        session.request("X", {"x": object()}, now=0.0, timeout_s=1.0)
    assert session._pending == {}
    assert session.request("X", now=0.0, timeout_s=1.0).id == 1


# Two requests wait, 1 until 10.0 and 2 until 5.0. Each row: what happens (at a time), what comes out, what still waits.
TABLE: list[tuple[str, tuple[str, Any, float], Any, set[int]]] = [
    ("a reply is matched", ("handle", reply_to(1, result={"x": 1}), 1.0), (1, {"x": 1}, None), {2}),
    ("in any order", ("handle", reply_to(2, result=None), 1.0), (2, None, None), {1}),
    (
        "an error is one",
        ("handle", reply_to(1, error={"code": -1, "message": "no"}), 1.0),
        (1, None, RpcFault(-1, "no")),
        {2},
    ),
    ("nobody asked", ("handle", reply_to(3), 1.0), None, {1, 2}),
    ("nobody asked by text", ("handle", reply_to("1"), 1.0), None, {1, 2}),
    ("just in time", ("handle", reply_to(2), 4.999), (2, None, None), {1}),
    ("at the deadline is too late", ("handle", reply_to(2), 5.0), None, {1, 2}),
    ("the other in time is too late for this one", ("handle", reply_to(1), 10.0), None, {1, 2}),
    ("cancelled", ("cancel", 1, 0.0), True, {2}),
    ("cancelled, but it never was", ("cancel", 9, 0.0), False, {1, 2}),
]


@pytest.mark.parametrize(("what", "step", "expected", "waiting"), TABLE, ids=[row[0] for row in TABLE])
def test_one_step(what: str, step: tuple[str, Any, float], expected: Any, waiting: set[int]) -> None:
    session = Session("me")
    requests = {
        1: session.request("A", now=0.0, timeout_s=10.0),
        2: session.request("B", now=0.0, timeout_s=5.0),
    }
    action, argument, now = step
    outcome: Any
    if action == "handle":
        outcome = session.handle(argument, now)
        if isinstance(outcome, Reply):
            assert outcome.request is requests[outcome.request.id]
            outcome = (outcome.request.id, outcome.result, outcome.error)
        else:
            assert session.unknown_replies == 1
    else:
        outcome = session.cancel(argument)
    assert outcome == expected
    assert session._pending == {i: requests[i] for i in waiting}
    assert [session.cancel(i) for i in requests] == [i in waiting for i in requests]
    assert session._pending == {}


def test_a_reply_counts_once() -> None:
    session = Session("me")
    request = session.request("A", now=0.0, timeout_s=1.0)
    assert session.handle(reply_to(request.id), 0.5) is not None
    assert session.handle(reply_to(request.id), 0.5) is None
    assert session.unknown_replies == 1


def test_notifications_pass_and_malformed_frames_change_nothing() -> None:
    session = Session("me")
    session.request("A", now=0.0, timeout_s=1.0)
    frame = b'{"src":"shellypro3-1","method":"NotifyStatus","params":{"ts":5.00,"switch:0":{"output":true}}}'
    assert isinstance(session.handle(frame, 0.5), Notification)
    with pytest.raises(FrameError):
        session.handle(b'{"id":1,"src":"shellypro3-1"}', 0.5)
    assert session._pending.keys() == {1}
    assert session.unknown_replies == 0


class SessionMachine(RuleBasedStateMachine):
    """Any sequence of steps, against a dictionary of what must be waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session("me")
        self.now = 0.0
        self.waiting: dict[int, float] = {}
        self.asked: list[int] = []
        self.unknown = 0

    @rule(timeout_s=st.sampled_from([0.5, 1.0, 2.0]))
    def ask(self, timeout_s: float) -> None:
        request = self.session.request("X", now=self.now, timeout_s=timeout_s)
        assert request.id not in self.asked
        self.asked.append(request.id)
        self.waiting[request.id] = self.now + timeout_s

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        request_id = data.draw(st.sampled_from(self.asked))
        outcome = self.session.handle(reply_to(request_id, result=request_id), self.now)
        if self.now < self.waiting.get(request_id, -1.0):
            assert isinstance(outcome, Reply)
            assert (outcome.request.id, outcome.result) == (request_id, request_id)
            del self.waiting[request_id]
        else:
            assert outcome is None
            self.unknown += 1

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        request_id = data.draw(st.sampled_from(self.asked))
        assert self.session.cancel(request_id) is (self.waiting.pop(request_id, None) is not None)

    @rule(step=st.sampled_from([0.25, 1.0]))
    def wait(self, step: float) -> None:
        self.now += step

    @invariant()
    def knows_what_waits(self) -> None:
        assert {i: request.deadline for i, request in self.session._pending.items()} == self.waiting
        assert self.session.unknown_replies == self.unknown


TestAnySequence = SessionMachine.TestCase
TestAnySequence.settings = settings(deadline=None, database=None)
