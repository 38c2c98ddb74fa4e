"""The failover machine by itself: its table, and what each step asks. Whole stories are in test_failover_stories."""

import re
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_core import Transport, transitions
from shelly_core.breaker import BreakerState
from shelly_core.failover import Ask, Asks, Failover, Question, State, Trigger
from shelly_core.transitions import TRANSITIONS
from tests.core.failover_world import NOW, machine_in

MQTT, HTTP = Transport.MQTT, Transport.HTTP
MQTT_STATUS, HTTP_STATUS = Ask(MQTT, Question.STATUS), Ask(HTTP, Question.STATUS)
HTTP_CHECK = Ask(HTTP, Question.CHECK)


def fail(machine: Failover, trigger: Trigger, times: int, now: float = NOW) -> None:
    for _ in range(times):
        machine.handle(trigger, now, "no answer")


def deadline(machine: Failover) -> float:
    at = machine.next_deadline()
    assert at is not None
    return at


def due(machine: Failover) -> tuple[float, Asks]:
    """Let time pass to the next moment at which the machine wants something."""
    while True:
        at = deadline(machine)
        if asks := machine.due(at):
            return at, asks


def test_the_picture_is_the_table() -> None:
    drawn = [f"    {state:<10} -- {trigger:<21} --> {then}" for (state, trigger), then in TRANSITIONS.items()]
    doc = transitions.__doc__
    assert doc is not None
    assert re.findall(r"^.*-->.*$", doc, re.MULTILINE) == drawn


def test_every_state_can_be_left_and_reached() -> None:
    assert {state for state, _ in TRANSITIONS} == set(TRANSITIONS.values()) == set(State)
    assert all(state is not then for (state, _), then in TRANSITIONS.items())


@pytest.mark.parametrize(("state", "trigger"), product(State, Trigger))
def test_one_step(state: State, trigger: Trigger) -> None:
    machine = machine_in(state)
    active, switchovers = machine.active, machine.switchovers
    machine.handle(trigger, NOW + 1.0, "for a reason")
    then = TRANSITIONS.get((state, Trigger.PROVEN if trigger is Trigger.ANSWERED else trigger))
    assert machine.state is (state if then is None else then)
    if then is not None:
        assert machine.since == NOW + 1.0
        assert machine.reason
    assert machine.switchovers == switchovers + (None not in {active, machine.active} and active is not machine.active)


@pytest.mark.parametrize(
    ("state", "active", "order"),
    [
        (State.ON_MQTT, MQTT, (MQTT, HTTP)),
        (State.SUSPECT, MQTT, (MQTT, HTTP)),
        (State.ON_HTTP, HTTP, (HTTP, MQTT)),
        (State.HOLD_DOWN, HTTP, (HTTP, MQTT)),
        (State.DOWN, None, (MQTT, HTTP)),
    ],
)
def test_commands_go_to_the_active_link_first(state: State, active: Transport | None, order: Any) -> None:
    machine = machine_in(state)
    assert machine.active is active
    assert machine.command_order(NOW) == order


def test_what_is_given_up_comes_last_unless_it_is_active() -> None:
    down = machine_in(State.DOWN)
    fail(down, Trigger.FAILED, 3)
    assert down.command_order(NOW) == (HTTP, MQTT)
    assert down.command_order(NOW + 4.0) == (MQTT, HTTP)  # half-open may work
    fail(down, Trigger.HTTP_FAILED, 3)
    assert down.command_order(NOW) == (MQTT, HTTP)
    on_mqtt = machine_in(State.ON_MQTT, http=False)
    assert on_mqtt.command_order(NOW) == (MQTT,)
    assert machine_in(State.ON_HTTP, mqtt=False).command_order(NOW) == (HTTP,)
    assert Failover(mqtt=False, http=False).command_order(NOW) == ()


# Each row: where, what happens, what is asked at once, and after how long something is asked by itself (chance 0).
ENTRIES: list[tuple[State, Trigger, Asks, Asks, float]] = [
    (State.ON_MQTT, Trigger.OFFLINE, (MQTT_STATUS,), (MQTT_STATUS,), 60.0),
    (State.ON_MQTT, Trigger.FAILED, (MQTT_STATUS,), (MQTT_STATUS,), 60.0),
    (State.ON_MQTT, Trigger.BROKER_LOST, (), (HTTP_STATUS,), 0.0),
    (State.SUSPECT, Trigger.OFFLINE, (), (MQTT_STATUS,), 60.0),
    (State.SUSPECT, Trigger.FAILED, (HTTP_STATUS,), (MQTT_STATUS,), 1.0),
    (State.SUSPECT, Trigger.BROKER_LOST, (), (HTTP_STATUS,), 0.0),
    (State.SUSPECT, Trigger.ANSWERED, (), (MQTT_STATUS,), 20.0),
    (State.ON_HTTP, Trigger.NOTIFIED, (MQTT_STATUS,), (HTTP_STATUS,), 5.0),
    (State.ON_HTTP, Trigger.OFFLINE, (), (MQTT_STATUS,), 0.0),
    (State.HOLD_DOWN, Trigger.OFFLINE, (MQTT_STATUS,), (HTTP_STATUS,), 5.0),
    (State.HOLD_DOWN, Trigger.FAILED, (HTTP_STATUS,), (MQTT_STATUS,), 1.0),
    (State.HOLD_DOWN, Trigger.BROKER_LOST, (), (HTTP_STATUS,), 0.0),
    (State.HOLD_DOWN, Trigger.HTTP_LOST, (MQTT_STATUS,), (MQTT_STATUS,), 60.0),
    (State.DOWN, Trigger.NOTIFIED, (MQTT_STATUS,), (MQTT_STATUS,), 60.0),
    (State.DOWN, Trigger.HTTP_ANSWERED, (HTTP_STATUS,), (MQTT_STATUS,), 0.0),
    (State.DOWN, Trigger.BROKER_FOUND, (MQTT_STATUS,), (MQTT_STATUS,), 60.0),
    (State.ON_HTTP, Trigger.BROKER_FOUND, (MQTT_STATUS,), (HTTP_STATUS,), 5.0),
    (State.SUSPECT, Trigger.BROKER_FOUND, (MQTT_STATUS,), (MQTT_STATUS,), 60.0),
    (State.ON_MQTT, Trigger.BROKER_FOUND, (), (HTTP_CHECK,), 0.0),
]


@pytest.mark.parametrize(("state", "trigger", "at_once", "then", "after"), ENTRIES)
def test_what_a_step_asks(state: State, trigger: Trigger, at_once: Asks, then: Asks, after: float) -> None:
    machine = machine_in(state)
    assert machine.handle(trigger, NOW) == at_once
    at, asks = due(machine)
    assert at == NOW + after
    assert asks[: len(then)] == then


@pytest.mark.parametrize(("meter", "poll_s"), [(True, 5.0), (False, 10.0)])
@given(chance=st.floats(0.0, 1.0))
def test_polls_come_in_time_and_never_late(meter: bool, poll_s: float, chance: float) -> None:
    machine = machine_in(State.ON_HTTP, meter=meter, chance=chance, mqtt=False)
    times = [NOW]
    for _ in range(5):
        at, asks = due(machine)
        assert asks == (HTTP_STATUS,)
        machine.handle(Trigger.HTTP_ANSWERED, at)
        times.append(at)
    for before, at in pairwise(times):
        assert at - before == pytest.approx(poll_s * (1 - 0.1 * chance))


@given(chance=st.floats(0.01, 1.0))
def test_a_link_that_stands_by_is_checked(chance: float) -> None:
    machine = machine_in(State.ON_MQTT, meter=False, chance=chance)
    asked: dict[Ask, list[float]] = {MQTT_STATUS: [], HTTP_CHECK: []}
    while len(asked[HTTP_CHECK]) < 4:
        at, asks = due(machine)
        for ask in asks:
            asked[ask].append(at)
            machine.handle(Trigger.ANSWERED if ask == MQTT_STATUS else Trigger.HTTP_ANSWERED, at)
        assert machine.state is State.ON_MQTT
    # Soon after the start, so that it is known whether there is a way out, then once a minute.
    assert asked[HTTP_CHECK][0] == pytest.approx(NOW + 5.0 * chance)
    for times in asked.values():
        for before, at in pairwise(times):
            assert at - before == pytest.approx(60.0 * (1 - 0.1 * chance))


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_many_devices_spread_over_a_second_when_the_broker_is_lost(chance: float) -> None:
    machine = machine_in(State.ON_MQTT, chance=chance)
    assert machine.handle(Trigger.BROKER_LOST, NOW, "the broker is away") == ()
    assert (machine.state, machine.reason) == (State.ON_HTTP, "the broker is away")
    assert due(machine) == (NOW + chance, (HTTP_STATUS,))


def test_a_failing_stand_by_is_checked_as_its_breaker_says_and_moves_nothing() -> None:
    machine = machine_in(State.ON_MQTT, chance=0.0)
    machine.due(NOW)
    at, times = NOW, []
    for _ in range(8):
        machine.notified(at)
        machine.handle(Trigger.HTTP_FAILED, at, "refused")
        times.append(machine.breakers[HTTP].retry_at - at)
        at = machine.breakers[HTTP].retry_at
        machine.handle(Trigger.ANSWERED, at)
        assert machine.due(at) == (HTTP_CHECK,)
    assert times == [1, 2, 4, 8, 16, 32, 60, 60]
    assert machine.state is State.ON_MQTT
    # On the way back to MQTT, too, the breaker's schedule goes on.
    machine.handle(Trigger.OFFLINE, at)
    assert machine.breakers[HTTP].retry_at <= at
    assert machine.due(at) == (HTTP_CHECK,)


@pytest.mark.parametrize(
    ("meter", "cadence_s", "silence_s"),
    [
        (True, None, 20.0),
        (True, 1.0, 20.0),
        (True, 20 / 3, 20.0),
        (True, 10.0, 30.0),
        (True, 60.0, 180.0),
        (False, 10.0, 60.0),
        (False, 300.0, 60.0),
    ],
)
def test_how_long_a_device_may_be_silent(meter: bool, cadence_s: float | None, silence_s: float) -> None:
    machine = machine_in(State.ON_MQTT, meter=meter, http=False)
    now = NOW
    for _ in range(1 if cadence_s is None else 20):
        now += cadence_s or 0.0
        machine.notified(now)
    machine._at[MQTT] = 1e9  # the periodic question is another matter
    assert deadline(machine) == pytest.approx(now + silence_s)
    assert machine.due(now + silence_s - 0.01) == ()
    assert machine.active is MQTT
    assert machine.due(now + silence_s + 0.01) == (MQTT_STATUS,)
    assert machine.state is State.SUSPECT
    assert machine.reason == f"nothing was heard over MQTT for {silence_s:.0f} s"


def test_the_cadence_follows_the_reports() -> None:
    machine = machine_in(State.ON_MQTT)
    for now in range(1, 60):
        machine.notified(NOW + now)
    assert machine._reports.cadence_s == pytest.approx(1.0)
    machine.notified(NOW + 59 + 11)
    assert machine._reports.cadence_s == pytest.approx(3.0)


def test_an_answer_is_proof_of_life_as_good_as_a_report() -> None:
    machine = machine_in(State.ON_MQTT, http=False)
    machine.handle(Trigger.ANSWERED, NOW + 15.0)
    assert machine.due(NOW + 34.9) == ()
    assert machine.due(NOW + 35.0) == (MQTT_STATUS,)


def test_a_resync_is_asked_at_once_and_then_every_five_seconds() -> None:
    machine = machine_in(State.ON_MQTT)
    machine.due(NOW)
    assert machine.resync(NOW + 10.0) == (MQTT_STATUS,)
    for now in (10.1, 12.0, 14.9):
        machine.notified(NOW + now)
        assert machine.resync(NOW + now) == ()
    assert due(machine) == (NOW + 15.0, (MQTT_STATUS,))
    machine.handle(Trigger.ANSWERED, NOW + 15.1)
    assert machine.resync(NOW + 20.0) == (MQTT_STATUS,)


@pytest.mark.parametrize("state", [State.ON_HTTP, State.HOLD_DOWN, State.DOWN])
def test_off_mqtt_the_next_poll_is_resync_enough(state: State) -> None:
    machine = machine_in(state)
    before = machine.next_deadline()
    assert machine.resync(NOW + 1.0) == ()
    assert machine.next_deadline() == before


def test_nothing_is_known_at_first() -> None:
    machine = Failover(mqtt=True, http=True)
    assert (machine.state, machine.active, machine.since, machine.broker) == (State.DOWN, None, None, None)
    assert (machine.heard_at, machine.switchovers, machine.next_deadline()) == ({}, 0, None)
    assert machine.reason == "nothing was heard of the device yet"
    assert machine.due(NOW) == ()


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize("state", State)
def test_starting_again_ends_every_doubt(state: State, transport: Transport) -> None:
    machine = machine_in(state)
    machine.start(transport, NOW + 5.0)
    kept = state if transport is HTTP and state is State.HOLD_DOWN else None
    assert machine.state is (kept or (State.ON_MQTT if transport is MQTT else State.ON_HTTP))
    assert machine.heard_at[transport] == NOW + 5.0
    machine.due(NOW + 5.0)
    assert deadline(machine) > NOW + 5.0


def test_a_start_leaves_a_refused_password_alone() -> None:
    machine = Failover(mqtt=True, http=True, chance=lambda: 0.0)
    machine.handle(Trigger.HTTP_FAILED, NOW, "wrong password", 60.0)
    machine.start(MQTT, NOW)
    machine.notified(NOW + 50.0)
    assert machine.due(NOW + 59.9) == ()
    machine.notified(NOW + 59.9)
    assert HTTP_CHECK in machine.due(NOW + 60.0)


def test_a_broker_lost_while_starting_is_not_forgotten() -> None:
    machine = Failover(mqtt=True, http=True, chance=lambda: 0.5)
    machine.handle(Trigger.BROKER_FOUND, NOW)
    machine.handle(Trigger.BROKER_LOST, NOW, "the broker is away")
    machine.start(MQTT, NOW)
    assert machine.state is State.ON_HTTP
    assert due(machine) == (NOW + 0.5, (HTTP_STATUS,))
    alone = Failover(mqtt=True, http=False)
    alone.handle(Trigger.BROKER_LOST, NOW, "the broker is away")
    alone.start(MQTT, NOW)
    assert (alone.state, alone.next_deadline()) == (State.DOWN, None)


def test_another_mqtt_link_starts_from_nothing() -> None:
    machine = machine_in(State.ON_MQTT)
    machine.handle(Trigger.BROKER_LOST, NOW, "MQTT is not used any more")
    machine.set_link(MQTT, exists=False)
    assert (machine.broker, MQTT in machine.heard_at) == (None, False)
    assert machine.breakers[MQTT].state(NOW) is BreakerState.CLOSED
    # What was under way on the old link comes to nothing.
    for trigger in (Trigger.FAILED, Trigger.ANSWERED, Trigger.NOTIFIED, Trigger.BROKER_FOUND):
        assert machine.handle(trigger, NOW + 1.0, "late") == ()
    assert machine.state is State.ON_HTTP
    assert machine.command_order(NOW) == (HTTP,)
    for _ in range(20):
        at, asks = due(machine)
        assert asks == (HTTP_STATUS,)
        machine.handle(Trigger.HTTP_ANSWERED, at)
    machine.set_link(MQTT, exists=True)
    assert machine.handle(Trigger.BROKER_FOUND, at) == (MQTT_STATUS,)
    machine.handle(Trigger.ANSWERED, at)
    assert {machine.state} == {State.HOLD_DOWN}


def test_another_http_link_starts_from_nothing() -> None:
    machine = machine_in(State.ON_MQTT)
    machine.handle(Trigger.BROKER_FOUND, NOW)
    fail(machine, Trigger.HTTP_FAILED, 3)
    machine.set_link(HTTP, exists=True)
    assert machine.breakers[HTTP].state(NOW) is BreakerState.CLOSED
    assert (machine.broker, machine.state) == (True, State.ON_MQTT)


@pytest.mark.parametrize("trigger", [Trigger.ANSWERED, Trigger.NOTIFIED, Trigger.FAILED, Trigger.OFFLINE])
def test_nothing_comes_over_a_broker_that_is_away(trigger: Trigger) -> None:
    machine = machine_in(State.ON_MQTT)
    machine.handle(Trigger.BROKER_LOST, NOW, "the broker is away")
    assert machine.handle(trigger, NOW, "still under way") == ()
    assert machine.state is State.ON_HTTP
    assert machine.breakers[MQTT].state(NOW) is BreakerState.OPEN
    assert machine.breakers[MQTT].reason == "the broker is away"
    for _ in range(200):
        at, asks = due(machine)
        assert asks == (HTTP_STATUS,)
        machine.handle(Trigger.HTTP_ANSWERED, at)
    assert at > NOW + 600
    assert machine.state is State.ON_HTTP


def test_http_lost_in_the_hold_down_gives_mqtt_its_chance() -> None:
    machine = machine_in(State.HOLD_DOWN)
    fail(machine, Trigger.HTTP_FAILED, 2)
    assert machine.state is State.HOLD_DOWN
    assert machine.handle(Trigger.HTTP_FAILED, NOW, "no answer") == (MQTT_STATUS,)
    assert {machine.state} == {State.SUSPECT}
    machine.handle(Trigger.FAILED, NOW, "no answer")
    assert {machine.state} == {State.ON_HTTP}


def test_what_was_reported_before_the_broker_was_lost_is_not_worth_showing() -> None:
    machine = machine_in(State.ON_MQTT)
    machine.notified(NOW)
    machine.handle(Trigger.BROKER_LOST, NOW, "the broker is away")
    fail(machine, Trigger.HTTP_FAILED, 3)
    assert machine.state is State.DOWN
