"""Questions and their answers, on any road, in time or not; nothing is left behind by either."""

import asyncio
import gc
import json
from typing import Any

import pytest

from shelly_core import (
    AuthError,
    DeviceMismatchError,
    FrameError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    Notification,
    Reply,
    RpcError,
    ShellyError,
    Transport,
)
from shelly_core.auth import THROTTLE_S
from shelly_core.rpc import Answer, Rpc
from tests.core.held_client import until
from tests.core.memory_link import NOW
from tests.core.virtual_time import virtual_time

ID = "shellypro3-e868e7a1b204"


class Wire:
    """Keeps what is sent, and answers nothing."""

    def __init__(self, transport: Transport = Transport.MQTT) -> None:
        self.transport = transport
        self.timeout_s = 5.0
        self.sent: list[dict[str, Any]] = []
        self.error: Exception | None = None

    async def open(self, _on_frame: Any, _on_signal: Any) -> None:
        raise AssertionError

    async def send(self, frame: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(json.loads(frame))

    async def close(self) -> None:
        raise AssertionError


class Asked:
    """An Rpc with two roads, and what it did."""

    def __init__(self) -> None:
        self.mqtt, self.http = Wire(), Wire(Transport.HTTP)
        self.answers: list[tuple[Answer, Transport]] = []
        self.refuse: ShellyError | None = None
        loop = asyncio.get_running_loop()
        self.rpc = Rpc("me", clock=loop.time, wall=lambda: NOW + loop.time(), vet=self._vet, on_answer=self._take)

    def ask(self, method: str = "X", *, link: Wire | None = None, timeout_s: float = 3.0) -> asyncio.Task[Answer]:
        return asyncio.create_task(self.rpc.ask(link or self.mqtt, method, None, timeout_s))

    async def sent(self, count: int = 1) -> int:
        """The number of the last request, once `count` were sent."""
        await until(lambda: len(self.mqtt.sent) + len(self.http.sent) >= count)
        number: int = (self.http.sent or self.mqtt.sent)[-1]["id"]
        return number

    def reply(self, number: int, *, over: Transport = Transport.MQTT, source: str = ID, **answer: Any) -> None:
        frame = {"id": number, "src": source, **(answer or {"result": {"x": 1}})}
        assert self.rpc.handle(json.dumps(frame).encode(), over) is None

    def assert_nothing_is_left(self) -> None:
        gc.collect()  # a future with an exception that nobody saw complains when it goes
        assert self.rpc._waiting == {}
        assert self.rpc._session._pending == {}

    def _vet(self, reply: Reply) -> None:
        if reply.source != ID:
            raise DeviceMismatchError(ID, reply.source)

    def _take(self, answer: Answer, transport: Transport) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.answers.append((answer, transport))


@virtual_time
async def test_an_answer_comes_with_our_times_of_asking_and_answering() -> None:
    asked = Asked()
    begun = asyncio.get_running_loop().time()
    question = asked.ask("Sys.GetStatus")
    number = await asked.sent()
    await asyncio.sleep(1)
    asked.reply(number, result={"uptime": 5})
    answer = await question
    assert asked.answers == [(answer, Transport.MQTT)]
    assert (answer.request.id, answer.request.method) == (number, "Sys.GetStatus")
    assert (answer.result, answer.source) == ({"uptime": 5}, ID)
    assert answer.asked == NOW + begun
    assert answer.answered == pytest.approx(NOW + begun + 1, abs=0.01)
    assert asked.mqtt.sent == [{"id": number, "src": "me", "method": "Sys.GetStatus"}]
    asked.assert_nothing_is_left()


@virtual_time
async def test_an_answer_may_come_over_the_other_road() -> None:
    asked = Asked()
    question = asked.ask()
    asked.reply(await asked.sent(), over=Transport.HTTP)
    assert (await question).result == {"x": 1}
    assert [transport for _, transport in asked.answers] == [Transport.HTTP]
    asked.assert_nothing_is_left()


@virtual_time
async def test_a_late_answer_is_only_counted() -> None:
    asked = Asked()
    question = asked.ask("Slow", timeout_s=2.0)
    number = await asked.sent()
    with pytest.raises(LinkTimeoutError, match=r"no answer to Slow within 2 s"):
        await question
    asked.assert_nothing_is_left()
    asked.reply(number)
    asked.reply(number, error={"code": 404, "message": "no"})
    assert asked.rpc.unknown_replies == 2
    assert asked.answers == []
    asked.assert_nothing_is_left()


@virtual_time
async def test_a_second_answer_is_only_counted() -> None:
    asked = Asked()
    question = asked.ask()
    number = await asked.sent()
    asked.reply(number)
    asked.reply(number, result={"x": 2})
    assert (await question).result == {"x": 1}
    assert asked.rpc.unknown_replies == 1
    asked.assert_nothing_is_left()


@virtual_time
async def test_giving_up_on_one_road_leaves_the_other_alone() -> None:
    asked = Asked()
    lost, also_lost, kept = asked.ask(), asked.ask(), asked.ask(link=asked.http)
    asked.http.error = None
    await asked.sent(2)
    asked.rpc.give_up(LinkClosedError("broker gone"), Transport.MQTT)
    asked.rpc.give_up(LinkClosedError("again"), Transport.MQTT)
    for question in (lost, also_lost):
        with pytest.raises(LinkClosedError, match="broker gone"):
            await question
    with pytest.raises(FrameError, match="no reply"):
        await kept
    asked.assert_nothing_is_left()


@virtual_time
async def test_an_answer_to_what_was_given_up_is_not_used() -> None:
    asked = Asked()
    question = asked.ask()
    number = await asked.sent()
    asked.rpc.give_up(LinkClosedError("closed"), *Transport)
    # Before the one who waits has run again.
    asked.reply(number)
    with pytest.raises(LinkClosedError):
        await question
    assert asked.answers == []
    asked.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": 404, "message": "No handler for X"}, RpcError),
        ({"code": -103, "message": "Missing required argument 'id'!"}, RpcError),
        ({"code": 401, "message": '{"auth_type":"digest","nonce":1}'}, AuthError),
        ({"code": 429, "message": "Too many"}, LinkError),
    ],
)
@virtual_time
async def test_errors_of_the_device(error: dict[str, Any], expected: type[ShellyError]) -> None:
    asked = Asked()
    question = asked.ask()
    asked.reply(await asked.sent(), error=error)
    with pytest.raises(expected) as caught:
        await question
    assert type(caught.value) is expected
    if isinstance(caught.value, RpcError):
        assert (caught.value.code, caught.value.message, caught.value.method) == (error["code"], error["message"], "X")
    if isinstance(caught.value, LinkError):
        assert caught.value.retry_after_s == THROTTLE_S
    assert asked.answers == []
    asked.assert_nothing_is_left()


@pytest.mark.parametrize("answer", [{"result": {}}, {"error": {"code": 404, "message": "no"}}])
@virtual_time
async def test_neither_an_answer_nor_a_refusal_of_another_device_counts(answer: dict[str, Any]) -> None:
    asked = Asked()
    question = asked.ask()
    asked.reply(await asked.sent(), source="shellypro3-000000000001", **answer)
    with pytest.raises(DeviceMismatchError):
        await question
    assert asked.answers == []
    asked.assert_nothing_is_left()


@virtual_time
async def test_whoever_takes_answers_may_refuse_one() -> None:
    asked = Asked()
    asked.refuse = FrameError("no status")
    question = asked.ask()
    asked.reply(await asked.sent())
    with pytest.raises(FrameError, match="no status"):
        await question
    asked.assert_nothing_is_left()


@virtual_time
async def test_a_refusal_that_nobody_waits_for_any_more_is_no_unseen_exception() -> None:
    asked = Asked()
    question = asked.ask()
    number = await asked.sent()
    asked.reply(number, error={"code": 404, "message": "no"})
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    asked.assert_nothing_is_left()


@virtual_time
async def test_what_cannot_be_sent_fails_at_once() -> None:
    asked = Asked()
    asked.mqtt.error = LinkClosedError("no broker")
    begun = asyncio.get_running_loop().time()
    with pytest.raises(LinkClosedError, match="no broker"):
        await asked.ask()
    assert asyncio.get_running_loop().time() == begun
    with pytest.raises(FrameError, match="params are no JSON"):
        await asked.rpc.ask(asked.mqtt, "X", {"x": object()}, 1.0)
    asked.assert_nothing_is_left()


@virtual_time
async def test_notifications_are_returned_and_malformed_frames_raise() -> None:
    asked = Asked()
    frame = json.dumps({"src": ID, "method": "NotifyStatus", "params": {"ts": NOW}}).encode()
    assert isinstance(asked.rpc.handle(frame, Transport.MQTT), Notification)
    with pytest.raises(FrameError):
        asked.rpc.handle(b"{", Transport.MQTT)
    assert asked.rpc.unknown_replies == 0
