"""A device of which the broker says that it has left: what was asked before proves nothing any more."""

from collections.abc import Callable

import pytest

from shelly_core import Transport
from shelly_core.failover import Ask, Question, State, Trigger
from shelly_core.transitions import TRANSITIONS
from tests.core.failover_world import NOW, ROUND_TRIP_S, World, machine_in

MQTT = Transport.MQTT
ON_MQTT, SUSPECT, ON_HTTP, HOLD_DOWN, DOWN = State
MQTT_STATUS = Ask(MQTT, Question.STATUS)
PROBE_S = 3.0


def about(at: float) -> object:
    return pytest.approx(at, abs=0.2)


@pytest.mark.parametrize("state", State)
def test_the_first_answer_after_the_device_left_proves_nothing(state: State) -> None:
    """It may be an answer to what was asked before, and then the question that followed was not asked at all."""
    machine = machine_in(state)
    machine.handle(Trigger.OFFLINE, NOW)
    doubtful = TRANSITIONS.get((state, Trigger.OFFLINE), state)
    assert machine.state is doubtful
    assert machine.handle(Trigger.ANSWERED, NOW + 1.0) == (MQTT_STATUS,)
    assert machine.state is doubtful
    machine.handle(Trigger.ANSWERED, NOW + 2.0)
    assert machine.state is TRANSITIONS.get((doubtful, Trigger.PROVEN), doubtful)


@pytest.mark.parametrize("state", State)
def test_the_device_left_is_remembered_until_it_answers(state: State) -> None:
    """Neither a report nor a failure says anything of what else is under way."""
    for between in (Trigger.NOTIFIED, Trigger.FAILED, Trigger.OFFLINE, Trigger.HTTP_ANSWERED):
        machine = machine_in(state)
        machine.handle(Trigger.OFFLINE, NOW)
        machine.handle(between, NOW + 1.0, "for a reason")
        doubtful = machine.state
        assert machine.handle(Trigger.ANSWERED, NOW + 2.0) == (MQTT_STATUS,)
        assert machine.state is doubtful


@pytest.mark.parametrize("end", ["broker", "link", "start"])
def test_what_ends_all_that_was_under_way_ends_the_doubt(end: str) -> None:
    machine = machine_in(State.SUSPECT)
    machine.handle(Trigger.OFFLINE, NOW)
    match end:
        case "broker":
            machine.handle(Trigger.BROKER_LOST, NOW, "the broker is away")
            machine.handle(Trigger.OFFLINE, NOW, "still under way")
            machine.handle(Trigger.BROKER_FOUND, NOW)
        case "link":
            machine.set_link(MQTT, exists=True)
        case "start":
            machine.start(MQTT, NOW)
    assert machine.handle(Trigger.ANSWERED, NOW) == ()
    assert machine.state is (State.HOLD_DOWN if end == "broker" else State.ON_MQTT)


def test_a_device_that_leaves_in_the_hold_down_has_to_prove_itself_anew() -> None:
    machine = machine_in(State.HOLD_DOWN)
    machine.handle(Trigger.ANSWERED, NOW)
    assert machine.handle(Trigger.OFFLINE, NOW + 1.0) == (MQTT_STATUS,)
    machine.handle(Trigger.ANSWERED, NOW + 1.0)
    machine.due(NOW + 6.0)
    assert machine.state is State.HOLD_DOWN
    machine.handle(Trigger.ANSWERED, NOW + 6.0)
    machine.due(NOW + 6.0)
    assert {machine.state} == {State.ON_MQTT}


def doubted(world: World) -> None:
    """MQTT is in use, and is asked whether it works."""
    world.tell(Trigger.FAILED, "no answer")


def checked(world: World) -> None:
    """MQTT is in use, and is asked as once a minute."""
    world.run(world.machine._at[MQTT] - world.now)


def returned(world: World) -> None:
    """HTTP is in use, and MQTT has just begun to deliver again."""
    world.reports = world.answers[MQTT] = False
    world.tell(Trigger.OFFLINE)
    world.run(30)
    world.reports = world.answers[MQTT] = True
    world.report()


def found(world: World) -> None:
    """HTTP is in use, and the broker has just come back."""
    world.lose_broker()
    world.run(30)
    world.find_broker()


def unreachable(world: World) -> None:
    """Neither link worked, but here is a report."""
    world.die()
    world.run(120)
    world.revive()
    world.report()


@pytest.mark.parametrize("asked", [doubted, checked, returned, found, unreachable])
@pytest.mark.parametrize("meter", [True, False])
def test_an_answer_that_was_under_way_when_the_device_left(asked: Callable[[World], None], meter: bool) -> None:
    """It comes after the news, and the device with it seems to be there; the question about the news was not asked."""
    world = World(meter=meter).start().run(60)
    asked(world)
    assert world._under_way.keys() >= {MQTT}
    left_at = world.now
    world.reports = world.answers[MQTT] = False
    world.tell(Trigger.OFFLINE)
    world.run(ROUND_TRIP_S + PROBE_S + 0.1)
    assert world.asked_since(left_at + 0.001, MQTT)[0] == (about(left_at), MQTT_STATUS)
    assert world.state is ON_HTTP
    world.run(60)
    assert {ON_MQTT, HOLD_DOWN, DOWN}.isdisjoint(world.states_since(left_at + PROBE_S))


def test_a_device_that_left_and_was_back_at_once_stays_on_mqtt() -> None:
    world = World().start().run(60)
    world.tell(Trigger.FAILED, "no answer")
    world.tell(Trigger.OFFLINE)
    world.run(1)
    assert world.states_since(60.0) == [SUSPECT, ON_MQTT]
    assert world.changes[-1][0] == about(60.0)
    assert world.asked_since(60.0, MQTT) == [
        (60.0, MQTT_STATUS),
        (about(60.0), MQTT_STATUS),
    ]
