"""The failover machine against a simulated device: who is asked when, from beginning to end."""

import math
from itertools import pairwise

import pytest

from shelly_core import Transport
from shelly_core.breaker import BreakerState
from shelly_core.failover import Ask, Question, State, Trigger
from tests.core.failover_world import ROUND_TRIP_S, World

MQTT, HTTP = Transport.MQTT, Transport.HTTP
ON_MQTT, SUSPECT, ON_HTTP, HOLD_DOWN, DOWN = State
PROBE_S = 3.0


def about(at: float) -> object:
    return pytest.approx(at, abs=0.2)


def test_a_device_that_is_well_stays_on_mqtt() -> None:
    world = World().start().run(3600)
    assert world.changes == [(0.0, ON_MQTT)]
    assert {ask for _, ask in world.asked} == {Ask(MQTT, Question.STATUS), Ask(HTTP, Question.CHECK)}
    for transport in Transport:
        assert len(world.asked_since(0.0, transport)) == pytest.approx(3600 / 57, abs=2)
    assert world.machine.switchovers == 0
    assert set(world.machine.heard_at) == set(Transport)
    assert all(breaker.state(world.now) is BreakerState.CLOSED for breaker in world.machine.breakers.values())


@pytest.mark.parametrize(("meter", "poll_s"), [(True, 5.0), (False, 10.0)])
def test_a_lost_broker(meter: bool, poll_s: float) -> None:
    world = World(meter=meter).start().run(30)
    world.lose_broker()
    assert world.state is ON_HTTP
    world.run(600)
    polls = world.asked_since(30.0)
    assert {ask for _, ask in polls} == {Ask(HTTP, Question.STATUS)}
    assert polls[0][0] == 30.5
    assert {round(at - before, 2) for (before, _), (at, _) in pairwise(polls)} == {0.95 * poll_s}
    world.find_broker()
    assert world.asked_since(630.0)[0] == (630.0, Ask(MQTT, Question.STATUS))
    world.run(30)
    assert world.changes[1:] == [(30.0, ON_HTTP), (about(630.0), HOLD_DOWN), (about(635.0), ON_MQTT)]
    assert world.machine.switchovers == 2
    assert world.down_s() == 0.0


@pytest.mark.parametrize(("cadence_s", "silence_s"), [(1.0, 20.0), (5.0, 20.0), (10.0, 30.0)])
def test_a_meter_that_falls_silent(cadence_s: float, silence_s: float) -> None:
    world = World(cadence_s=cadence_s).start().run(100.5)
    world.reports = world.answers[MQTT] = False
    world.machine._at[MQTT] = math.inf  # so that the periodic question does not find it out earlier
    world.run(60)
    suspect_at = 100.0 + silence_s
    assert world.changes[1:] == [(about(suspect_at), SUSPECT), (about(suspect_at + PROBE_S), ON_HTTP)]
    assert world.asked_since(suspect_at)[:2] == [
        (about(suspect_at), Ask(MQTT, Question.STATUS)),
        (about(suspect_at + PROBE_S), Ask(HTTP, Question.STATUS)),
    ]
    assert world.machine.reason == "no answer"


def test_over_mqtt_it_is_tried_again_as_the_breaker_says() -> None:
    world = World(chance=lambda: 0.0).start()
    world.reports = world.answers[MQTT] = False
    world.run(600)
    failed_at = 20.0 + PROBE_S
    trials = [at for at, _ in world.asked_since(failed_at, MQTT)]
    assert trials[:2] == [failed_at + 1, failed_at + 1 + PROBE_S + 2]
    pauses = [at - before - PROBE_S for before, at in pairwise(trials)]
    assert pauses[:8] == [2, 4, 8, 16, 32, 60, 60, 60]
    assert world.state is ON_HTTP
    polls = [at for at, _ in world.asked_since(failed_at, HTTP)]
    assert max(at - before for before, at in pairwise(polls)) <= 5.0 + 2 * ROUND_TRIP_S
    world.answers[MQTT] = world.reports = True
    world.run(8)
    assert world.state is ON_MQTT


def test_a_report_ends_the_pause() -> None:
    world = World().start().run(10)
    world.reports = world.answers[MQTT] = False
    world.run(590)
    assert world.machine.breakers[MQTT].state(world.now) is BreakerState.OPEN
    world.reports = world.answers[MQTT] = True
    world.run(10)
    assert [state for _, state in world.changes[-2:]] == [HOLD_DOWN, ON_MQTT]
    found_at, back_at = (at for at, _ in world.changes[-2:])
    assert found_at <= 601.0
    assert back_at - found_at == 5.0


def test_a_relay_is_quiet_and_well() -> None:
    world = World(meter=False).start().run(3600)
    assert world.states_since(0.1) == []
    world.answers[MQTT] = False
    lost_at = world.now
    world.run(70)
    (suspect_at, suspect), (http_at, on_http) = world.changes[1:]
    assert (suspect, on_http) == (SUSPECT, ON_HTTP)
    assert suspect_at <= lost_at + 60.0 + PROBE_S
    assert http_at <= suspect_at + PROBE_S


def test_one_report_and_an_answer_bring_a_relay_back() -> None:
    world = World(meter=False).start().run(10)
    world.answers[MQTT] = False
    world.run(600)
    assert world.state is ON_HTTP
    world.machine._at[MQTT] = math.inf  # no trial helps
    world.answers[MQTT] = True
    world.report()
    assert world.asked_since(610.0)[0] == (610.0, Ask(MQTT, Question.STATUS))
    world.run(10)
    assert world.changes[-2:] == [(610.0, HOLD_DOWN), (615.0, ON_MQTT)]
    world.run(50)
    assert world.state is ON_MQTT


def test_a_device_that_reports_but_answers_nothing_stays_on_http() -> None:
    world = World(chance=lambda: 0.0).start().run(5)
    world.answers[MQTT] = False
    world.run(3600)
    probes = len(world.asked_since(120.0, MQTT))
    assert probes <= 3600 / 60
    assert world.down_s() == 0.0
    in_use = [(at, state) for at, state in world.changes if at > 120.0]
    assert {state for _, state in in_use} <= {ON_HTTP, HOLD_DOWN}
    assert world.machine.switchovers == 1
    world.answers[MQTT] = True
    world.run(70)
    assert world.state is ON_MQTT


def test_hold_down_needs_an_answer() -> None:
    world = World().start(HTTP)
    world.machine.due(world.now)
    world.report()
    assert (world.state, world.machine.next_deadline() or 0.0) == (HOLD_DOWN, about(4.75))
    machine = world.machine
    machine._at = dict.fromkeys(Transport, math.inf)
    assert machine.next_deadline() is None  # it may report for as long as it likes
    assert machine.due(100.0) == ()
    assert machine.state is HOLD_DOWN
    machine.handle(Trigger.ANSWERED, 100.0)
    assert machine.next_deadline() == 5.0
    machine.due(100.0)
    assert world.state is ON_MQTT


@pytest.mark.parametrize("how", ["broker", "failure", "death"])
def test_hold_down_ends_early(how: str) -> None:
    world = World().start(HTTP)
    world.report()
    world.run(2)
    assert world.state is HOLD_DOWN
    if how == "broker":
        world.lose_broker()
    elif how == "failure":
        world.tell(Trigger.FAILED, "no answer")
    else:
        world.die()
        world.tell(Trigger.FAILED, "no answer")
    assert world.state is ON_HTTP
    world.run(4.0)
    assert ON_MQTT not in world.states_since(0.1)


def test_a_mute_meter_goes_to_http_until_it_reports() -> None:
    world = World().start()
    world.reports = False
    world.run(3600)
    moves = [state for _, state in world.changes]
    assert moves == [ON_MQTT, SUSPECT, ON_MQTT, SUSPECT, ON_MQTT, SUSPECT, ON_HTTP]
    assert world.changes[-1][0] == about(60.0)
    assert world.machine.reason == "the meter reports nothing over MQTT by itself"
    # It is known what MQTT is good for: it is not asked any more.
    assert world.asked_since(61.0, MQTT) == []
    assert world.machine.breakers[MQTT].state(world.now) is BreakerState.OPEN
    world.reports = True
    world.run(10)
    assert world.states_since(3600.0) == [HOLD_DOWN, ON_MQTT]
    assert world.down_s() == 0.0


def test_a_mute_meter_after_the_broker_came_back_is_as_mute_as_before() -> None:
    world = World().start()
    world.reports = False
    world.run(100)
    world.lose_broker()
    world.run(10)
    world.find_broker()
    world.run(600)
    assert world.states_since(100.0) == []
    assert len(world.asked_since(100.0, MQTT)) == 1


def test_a_mute_meter_is_better_than_none() -> None:
    world = World().start()
    world.reports = False
    world.run(100)
    world.answers[HTTP] = False
    world.run(600)
    assert world.machine.active is MQTT
    assert world.down_s() < 1.0
    gaps = [at - before for (before, _), (at, _) in pairwise(world.asked_since(150.0, MQTT))]
    assert max(gaps) < 21.0
    world.answers[HTTP] = True
    world.run(100)
    assert world.state is ON_HTTP


def test_without_http_a_mute_meter_is_asked_and_asked() -> None:
    world = World(http=False).start()
    world.reports = False
    world.run(600)
    assert set(world.states_since(0.0)) == {ON_MQTT, SUSPECT}
    assert len(world.asked) == pytest.approx(600 / 20, abs=2)


def test_without_http() -> None:
    world = World(http=False).start().run(100)
    world.lose_broker()
    assert (world.state, world.machine.reason) == (DOWN, "MQTT: the broker is away")
    world.run(1000)
    assert world.asked_since(100.0) == []
    assert world.machine.next_deadline() is None
    world.find_broker()
    world.run(1)
    assert world.states_since(1100.0) == [ON_MQTT]
    world.die()
    world.run(1000)
    assert world.changes[-2:] == [(about(1121.0), SUSPECT), (about(1121.0 + PROBE_S), DOWN)]
    assert world.machine.reason == "MQTT: no answer"
    world.revive()
    world.run(2)
    assert world.states_since(2101.0) == [SUSPECT, ON_MQTT]
    assert world.machine.switchovers == 0


def test_without_http_a_meter_that_reports_but_answers_nothing_is_available() -> None:
    world = World(http=False).start().run(30)
    world.answers[MQTT] = False
    world.run(3600)
    assert DOWN not in world.states_since(0.0)
    world.reports = False
    world.run(60)
    assert world.state is DOWN


def test_without_mqtt() -> None:
    world = World(mqtt=False, meter=False).start(HTTP).run(100)
    assert world.changes == [(0.0, ON_HTTP)]
    world.answers[HTTP] = False
    world.run(30)
    assert (world.state, world.machine.reason) == (DOWN, "HTTP: no answer")
    # Two pauses and three questions without an answer after the last poll.
    assert world.changes[-1][0] <= 100.0 + 10.0 + 3 * 5.0 + 1.0 + 2.0
    world.run(3600)
    world.answers[HTTP] = True
    world.run(61)
    assert world.state is ON_HTTP
    assert world.machine.switchovers == 0


def test_without_any_link_nothing_happens() -> None:
    world = World(mqtt=False, http=False)
    world.run(100)
    assert (world.state, world.asked, world.machine.next_deadline()) == (DOWN, [], None)


@pytest.mark.parametrize("first", [MQTT, HTTP])
def test_both_dead_and_back_by_either(first: Transport) -> None:
    world = World().start().run(20.5)
    world.die()
    world.run(600)
    assert world.changes[1:3] == [(about(40.0), SUSPECT), (about(43.0), ON_HTTP)]
    assert world.changes[3][1] is DOWN
    assert world.changes[3][0] <= 43.0 + 3 * 5.0 + 1.0 + 2.0
    assert len(world.changes) == 4
    assert world.machine.reason == "MQTT: no answer; HTTP: no answer"
    for transport in Transport:
        trials = [at for at, _ in world.asked_since(300.0, transport)]
        assert max(at - before for before, at in pairwise(trials)) <= 60.0 + 5.0
    world.answers[first] = True
    world.run(66)
    assert world.state is (ON_MQTT if first is MQTT else ON_HTTP)


def test_data_over_mqtt_is_enough_while_nothing_answers() -> None:
    world = World().start().run(60)
    world.answers = dict.fromkeys(Transport, False)
    world.run(3600)
    assert world.down_s() == 0.0
    world.reports = False
    world.run(90)
    assert world.state is DOWN


def test_data_over_mqtt_is_enough_from_the_beginning() -> None:
    """Started on HTTP, so that the machine has never learned how often the meter reports."""
    world = World()
    world.answers[MQTT] = False
    world.start(HTTP).run(60)
    world.answers[HTTP] = False
    world.run(3600)
    assert world.down_s() == 0.0


def test_an_outage_is_no_cadence() -> None:
    world = World(http=False).start().run(60)
    world.die()
    world.run(3600)
    world.answers[MQTT] = True
    world.run(62)
    assert world.state is ON_MQTT  # by an answer, before the first report
    world.reports = True
    world.run(10)
    assert world.machine._reports.silence_s == 20.0
    world.die()
    world.run(30)
    assert world.state is DOWN


def test_a_slow_meter_is_learned_in_spite_of_doubt() -> None:
    world = World(cadence_s=45.0).start().run(600)
    assert world.machine._reports.silence_s == pytest.approx(135.0)
    assert world.states_since(300.0) == []


def test_the_offline_flag_that_is_stuck() -> None:
    world = World().start().run(60)
    for _ in range(10):
        world.tell(Trigger.OFFLINE, "the broker says that it has left")
        assert world.state is SUSPECT
        assert world.asked[-1] == (world.now, Ask(MQTT, Question.STATUS))
        world.run(5)
    assert set(world.states_since(0.0)) == {ON_MQTT, SUSPECT}
    assert world.machine.switchovers == 0


def test_a_device_that_has_really_left_is_noticed_within_the_probe() -> None:
    world = World().start().run(60)
    world.reports = world.answers[MQTT] = False
    world.tell(Trigger.OFFLINE)
    world.run(PROBE_S + 0.1)
    assert world.state is ON_HTTP


def test_an_answer_that_was_under_way_when_the_broker_was_lost() -> None:
    world = World().start().run(10)
    world.lose_broker()
    world.tell(Trigger.ANSWERED)
    world.run(60)
    assert world.states_since(10.0) == [ON_HTTP]
