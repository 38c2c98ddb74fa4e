"""Whatever happens, in whatever order: what the failover machine never does, and what it always comes back to."""

import math
from collections.abc import Callable
from itertools import cycle
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shelly_core import Transport
from shelly_core.backoff import CAP_S
from shelly_core.failover import Asks, Failover, Question, State, Trigger
from shelly_core.policy import Policy
from shelly_core.transitions import TRANSITIONS
from tests.core.failover_world import ROUND_TRIP_S, World

MQTT, HTTP = Transport.MQTT, Transport.HTTP
POLICY = Policy()
OUTER = [
    trigger
    for trigger in Trigger
    if trigger not in {Trigger.HTTP_LOST, Trigger.SILENT, Trigger.PROVEN, Trigger.MUTE, Trigger.HELD}
]
"""What a client tells; the rest the machine finds out itself."""
LONGEST_REST_S = 120.0
chances = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5).map(lambda drawn: cycle(drawn).__next__)


class AnySequence(RuleBasedStateMachine):
    """Also what cannot be: answers to nothing, reports over a lost broker, failures of links that do not exist."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.machine = Failover(mqtt=False, http=False)
        self.links: dict[Transport, bool] = {}
        self.broker: bool | None = None
        self.states = [State.DOWN]

    @initialize(mqtt=st.booleans(), http=st.booleans(), meter=st.booleans(), chance=chances)
    def begin(self, mqtt: bool, http: bool, meter: bool, chance: Callable[[], float]) -> None:
        self.links = {MQTT: mqtt, HTTP: http}
        self.machine = Failover(mqtt=mqtt, http=http, chance=chance)
        self.machine.meter = meter
        for transport in Transport:
            if self.links[transport]:
                self.machine.start(transport, self.now)
                break

    @rule(trigger=st.sampled_from(OUTER), rest_s=st.none() | st.sampled_from([2.5, 60.0, LONGEST_REST_S]))
    def tell(self, trigger: Trigger, rest_s: float | None) -> None:
        if trigger in {Trigger.BROKER_LOST, Trigger.BROKER_FOUND}:
            self.broker = trigger is Trigger.BROKER_FOUND
        before, failures = self.machine.state, trigger in {Trigger.FAILED, Trigger.HTTP_FAILED}
        asks = self.machine.handle(trigger, self.now, "for a reason", rest_s if failures else None)
        self.look(asks)
        moves = {then for (state, moved), then in TRANSITIONS.items() if state is before and moved in self.may(trigger)}
        # Without HTTP, or with an HTTP that wants to be left alone, there is no going there.
        stands_for = {State.ON_MQTT, State.DOWN} if State.ON_HTTP in moves else set()
        assert self.machine.state in moves | stands_for | {before}

    def may(self, trigger: Trigger) -> set[Trigger]:
        found = {Trigger.HTTP_FAILED: {Trigger.HTTP_LOST}, Trigger.ANSWERED: {Trigger.PROVEN, Trigger.MUTE}}
        return {trigger} | found.get(trigger, set())

    @rule()
    def resync(self) -> None:
        self.look(self.machine.resync(self.now))

    @rule(transport=st.sampled_from(Transport))
    def start(self, transport: Transport) -> None:
        if self.links[transport]:
            self.machine.start(transport, self.now)

    @rule(exists=st.booleans())
    def replace_mqtt(self, exists: bool) -> None:
        self.look(self.machine.handle(Trigger.BROKER_LOST, self.now, "MQTT is not used any more"))
        self.machine.set_link(MQTT, exists)
        self.links[MQTT], self.broker = exists, None

    @rule(seconds=st.sampled_from([0.01, 0.5, 3.0, 10.0, 70.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass as the client does: `due` at each deadline."""
        end = self.now + seconds
        for _ in range(500):
            deadline = self.machine.next_deadline()
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.let_due()
        else:
            raise AssertionError("it never comes to rest")
        self.now = end

    @rule(seconds=st.sampled_from([1.0, 100.0]))
    def sleep(self, seconds: float) -> None:
        """Be late: the computer was asleep."""
        self.now += seconds
        self.let_due()

    def let_due(self) -> None:
        """At one moment, everything is done after a few calls, and each does something."""
        for _ in range(4):
            before = self.machine.state
            asks = self.machine.due(self.now)
            self.look(asks)
            assert self.broker is not False or all(ask.transport is not MQTT for ask in asks)
            deadline = self.machine.next_deadline()
            if deadline is None or deadline > self.now:
                return
            assert asks or self.machine.state is not before
        raise AssertionError("there is always something more to do")

    def look(self, asks: Asks) -> None:
        for ask in asks:
            assert self.links[ask.transport]
            assert ask.question is Question.STATUS or ask.transport is HTTP

    @invariant()
    def active_link_exists(self) -> None:
        active = self.machine.active
        assert (active is None) is (self.machine.state is State.DOWN)
        assert active is None or self.links[active]
        assert self.broker is not False or active is not MQTT

    @invariant()
    def never_given_up(self) -> None:
        """Whatever link may work is asked sooner or later; only the broker's return is waited for."""
        deadline = self.machine.next_deadline()
        mqtt = self.links.get(MQTT, False) and self.broker is True
        if self.machine.state is not State.DOWN or self.links.get(HTTP) or mqtt:
            assert deadline is not None
            assert deadline <= self.now + LONGEST_REST_S

    @invariant()
    def order_of_commands_has_each_link_once(self) -> None:
        order = self.machine.command_order(self.now)
        assert sorted(order) == sorted(transport for transport, exists in self.links.items() if exists)
        assert self.machine.active is None or order[0] is self.machine.active


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(deadline=None, database=None, stateful_step_count=40)


SWITCHES = ["reports", "mqtt", "http", "broker", "password", "offline", "power"]
scenes = st.lists(st.tuples(st.floats(0.0, 200.0), st.sampled_from(SWITCHES)), max_size=12)
worlds = st.fixed_dictionaries(
    {
        "meter": st.booleans(),
        "cadence_s": st.sampled_from([0.7, 5.0, 15.0]),
        "chance": chances,
        "start": st.sampled_from(Transport),
    }
)


def turn(world: World, switch: str) -> None:
    match switch:
        case "reports":
            world.reports = not world.reports
        case "mqtt" | "http":
            world.answers[Transport(switch)] = not world.answers[Transport(switch)]
        case "broker":
            (world.lose_broker if world.broker else world.find_broker)()
        case "password":
            world.retry_after_s = 60.0 if world.retry_after_s is None else None
        case "offline":
            world.tell(Trigger.OFFLINE)
        case "power":
            (world.die if world.answers[HTTP] else world.revive)()


def play(about: dict[str, Any], scenes: list[tuple[float, str]], **links: bool) -> World:
    world = World(meter=about["meter"], cadence_s=about["cadence_s"], chance=about["chance"], **links)
    world.start(about["start"] if all(links.get(transport, True) for transport in Transport) else MQTT)
    for seconds, switch in scenes:
        world.run(seconds)
        turn(world, switch)
    return world


def mend(world: World) -> None:
    if not world.broker:
        world.find_broker()
    world.revive()
    world.retry_after_s = None


@settings(deadline=None, database=None)
@given(about=worlds, scenes=scenes, link=st.sampled_from(Transport))
def test_one_healthy_link_is_enough(about: dict[str, Any], scenes: list[tuple[float, str]], link: Transport) -> None:
    """Within the longest pause and a question without an answer, and from then on for good."""
    world = play(about, scenes)
    mend(world)
    if link is HTTP:
        world.reports = world.answers[MQTT] = False
    else:
        world.answers[HTTP] = False
    world.run(CAP_S + POLICY.http_answer_s + 1.0)
    assert world.state is not State.DOWN
    settled_at = world.now
    # What was believed of MQTT may have to be found out to be wrong first.
    world.run(600.0)
    assert world.down_s(settled_at) < 1.0
    world.run(600.0)
    assert world.down_s(settled_at + 600.0) < 1.0
    assert world.machine.active is link


@settings(deadline=None, database=None)
@given(about=worlds, scenes=scenes)
def test_whatever_happened_a_healthy_device_is_on_mqtt(about: dict[str, Any], scenes: list[tuple[float, str]]) -> None:
    world = play(about, scenes)
    mend(world)
    world.run(CAP_S + POLICY.http_answer_s + POLICY.hold_down_s + POLICY.mqtt_answer_s + 15.0)
    assert world.state is State.ON_MQTT
    settled_at = world.now
    world.run(600.0)
    # A meter whose cadence is not known yet is asked now and then whether it is there, no more.
    assert set(world.states_since(settled_at)) <= {State.ON_MQTT, State.SUSPECT}


@settings(deadline=None, database=None)
@given(about=worlds, scenes=scenes)
def test_a_device_is_never_shown_long_after_it_died(about: dict[str, Any], scenes: list[tuple[float, str]]) -> None:
    world = play(about, scenes)
    world.die()
    silence_s = world.machine._reports.silence_s
    # The silence, a question over MQTT; then the schedule of HTTP, which may have just paused.
    world.run(silence_s + 2 * POLICY.mqtt_answer_s + CAP_S + 3 * POLICY.http_answer_s + 10.0)
    assert world.state is State.DOWN
    assert world.machine.next_deadline() is not None or not world.broker
    world.run(600.0)
    assert world.states_since(world.now - 600.0) == []


@settings(deadline=None, database=None)
@given(about=worlds, scenes=scenes, delay=st.floats(0.0, 2 * ROUND_TRIP_S), late=st.booleans())
def test_a_device_that_leaves_is_soon_on_http(
    about: dict[str, Any], scenes: list[tuple[float, str]], delay: float, late: bool
) -> None:
    """Also when it leaves while a question is under way, and its answer comes after the news."""
    world = play(about, [scene for scene in scenes if scene[1] != "password"])
    mend(world)
    asked = len(world.asked_since(-math.inf, MQTT))
    while len(world.asked_since(-math.inf, MQTT)) == asked:
        world.run(0.01)
    world.run(delay)
    world.reports = world.answers[MQTT] = False
    world.run(ROUND_TRIP_S if late else 0.0)
    world.tell(Trigger.OFFLINE)
    world.run(ROUND_TRIP_S + POLICY.mqtt_answer_s + 0.1)
    assert world.machine.active is not MQTT
    settled_at = world.now
    world.run(120.0)
    assert {State.ON_MQTT, State.SUSPECT, State.HOLD_DOWN}.isdisjoint(world.states_since(settled_at))


@settings(deadline=None, database=None)
@given(about=worlds, scenes=scenes)
def test_what_has_only_mqtt_never_asks_elsewhere(about: dict[str, Any], scenes: list[tuple[float, str]]) -> None:
    world = play(about, scenes, http=False)
    assert world.asked_since(-math.inf, HTTP) == []
    assert world.machine.switchovers == 0
    mend(world)
    world.run(CAP_S + POLICY.mqtt_answer_s + 10.0)
    assert world.machine.active is MQTT
