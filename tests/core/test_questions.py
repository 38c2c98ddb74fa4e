"""One question at a time on each link."""

import asyncio

from shelly_core import LinkClosedError, ShellyError, Transport
from shelly_core.failover import Ask, Question
from shelly_core.questions import Questions
from tests.core.virtual_time import virtual_time

MQTT = Ask(Transport.MQTT, Question.STATUS)
STATUS = Ask(Transport.HTTP, Question.STATUS)
CHECK = Ask(Transport.HTTP, Question.CHECK)


class Asker:
    """Puts a question for as long as a test wants."""

    def __init__(self) -> None:
        self.put: list[Ask] = []
        self.told: list[tuple[Ask, ShellyError | None]] = []
        self.answers: dict[Ask, asyncio.Future[None]] = {}
        self.then: Ask | None = None
        """What to ask once an answer is told."""
        self.questions = Questions(self._put, self._tell)

    async def answer(self, ask: Ask, error: ShellyError | None = None) -> None:
        if error is None:
            self.answers[ask].set_result(None)
        else:
            self.answers[ask].set_exception(error)
        await settled()

    async def _put(self, ask: Ask) -> None:
        self.put.append(ask)
        self.answers[ask] = asyncio.get_running_loop().create_future()
        await self.answers[ask]

    def _tell(self, ask: Ask, error: ShellyError | None) -> None:
        self.told.append((ask, error))
        if self.then is not None:
            self.questions.ask(self.then)


async def settled() -> None:
    """Let everything happen that can."""
    await asyncio.sleep(0.001)


@virtual_time
async def test_links_do_not_wait_for_each_other() -> None:
    asker = Asker()
    for ask in (MQTT, STATUS):
        asker.questions.ask(ask)
    await settled()
    assert asker.put == [MQTT, STATUS]
    error = LinkClosedError("no")
    await asker.answer(STATUS, error)
    await asker.answer(MQTT)
    assert asker.told == [(STATUS, error), (MQTT, None)]


@virtual_time
async def test_a_question_that_is_under_way_counts_as_asked() -> None:
    asker = Asker()
    for _ in range(3):
        asker.questions.ask(STATUS)
        await settled()
    await asker.answer(STATUS)
    assert (asker.put, asker.told) == ([STATUS], [(STATUS, None)])
    asker.questions.ask(STATUS)
    await settled()
    assert asker.put == [STATUS, STATUS]
    await asker.answer(STATUS)


@virtual_time
async def test_another_question_waits_for_its_turn() -> None:
    asker = Asker()
    asker.questions.ask(CHECK)
    await settled()
    asker.questions.ask(STATUS)
    asker.questions.ask(STATUS)
    await settled()
    assert asker.put == [CHECK]
    await asker.answer(CHECK, LinkClosedError("no"))
    assert asker.put == [CHECK, STATUS]
    await asker.answer(STATUS)
    assert [ask for ask, _ in asker.told] == [CHECK, STATUS]


@virtual_time
async def test_what_is_asked_because_of_an_answer_is_asked_once() -> None:
    asker = Asker()
    asker.questions.ask(CHECK)
    await settled()
    asker.questions.ask(STATUS)
    asker.then = STATUS
    await asker.answer(CHECK)
    asker.then = None
    assert asker.put == [CHECK, STATUS]
    await asker.answer(STATUS)
    assert asker.put == [CHECK, STATUS]


@virtual_time
async def test_what_is_stopped_tells_nobody() -> None:
    asker = Asker()
    for ask in (MQTT, CHECK, STATUS):
        asker.questions.ask(ask)
    await settled()
    await asker.questions.stop(Transport.HTTP)
    await asker.questions.stop(Transport.HTTP)
    assert asker.answers[CHECK].cancelled()
    assert asker.told == []
    asker.questions.ask(STATUS)
    await settled()
    assert asker.put == [MQTT, CHECK, STATUS]
    await asker.questions.stop(*Transport)
    assert asker.told == []


@virtual_time
async def test_what_is_stopped_does_not_end_what_is_asked_in_its_place() -> None:
    asker = Asker()
    asker.questions.ask(CHECK)
    await settled()
    stopping = asyncio.create_task(asker.questions.stop(Transport.HTTP))
    await asyncio.sleep(0)
    asker.questions.ask(STATUS)
    await stopping
    await settled()
    assert asker.put == [CHECK, STATUS]
    asker.questions.ask(STATUS)
    await settled()
    assert asker.put == [CHECK, STATUS]
    await asker.answer(STATUS)
    assert asker.told == [(STATUS, None)]
