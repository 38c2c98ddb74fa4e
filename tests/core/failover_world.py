"""A device, a broker and two roads in simulated time: what the failover machine asks is answered here, or is not."""

import heapq
from collections.abc import Callable
from itertools import count

from shelly_core import Transport
from shelly_core.failover import Ask, Asks, Failover, State, Trigger
from shelly_core.policy import Policy

NOW = 1000.0
ROUND_TRIP_S = 0.05
_ANSWERED = {Transport.MQTT: Trigger.ANSWERED, Transport.HTTP: Trigger.HTTP_ANSWERED}
_FAILED = {Transport.MQTT: Trigger.FAILED, Transport.HTTP: Trigger.HTTP_FAILED}
_SPIN = 8
"""More calls of `due` at one moment are a machine that runs in circles."""


def machine_in(
    state: State, *, meter: bool = True, chance: float = 0.0, mqtt: bool = True, http: bool = True
) -> Failover:
    """A machine that came to a state at `NOW`, on the shortest way."""
    machine = Failover(mqtt=mqtt, http=http, chance=lambda: chance)
    machine.meter = meter
    match state:
        case State.ON_MQTT:
            machine.start(Transport.MQTT, NOW)
        case State.SUSPECT:
            machine.start(Transport.MQTT, NOW)
            machine.handle(Trigger.SILENT, NOW)
        case State.ON_HTTP:
            machine.start(Transport.HTTP, NOW)
        case State.HOLD_DOWN:
            machine.start(Transport.HTTP, NOW)
            machine.notified(NOW)
    assert machine.state is state
    return machine


class World:
    """Does what a client does with the machine, and notes all it sees; a test turns the switches."""

    def __init__(
        self,
        *,
        mqtt: bool = True,
        http: bool = True,
        meter: bool = True,
        cadence_s: float = 1.0,
        chance: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self.policy = Policy()
        self.machine = Failover(self.policy, mqtt=mqtt, http=http, chance=chance)
        self.machine.meter = meter
        self.links = {Transport.MQTT: mqtt, Transport.HTTP: http}
        self.reports = meter
        self.answers = {Transport.MQTT: True, Transport.HTTP: True}
        self.broker = True
        self.cadence_s = cadence_s
        self.retry_after_s: float | None = None
        """What HTTP wishes when it refuses, which it does at once."""
        self.now = 0.0
        self.asked: list[tuple[float, Ask]] = []
        self.changes: list[tuple[float, State]] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._under_way: dict[Transport, int] = {}
        self._due_at = (-1.0, 0)

    def start(self, transport: Transport = Transport.MQTT) -> World:
        """Begin as after connecting, with a broker; the first report comes one interval later."""
        if self.links[Transport.MQTT]:
            self.machine.handle(Trigger.BROKER_FOUND, self.now)  # nothing is asked before the start
        self.machine.start(transport, self.now)
        self._note()
        self._after(self.cadence_s, self._report)
        return self

    def run(self, seconds: float) -> World:
        """Let time pass."""
        end = self.now + seconds
        while True:
            deadline = self.machine.next_deadline()
            first = min(end, end if deadline is None else deadline, self._events[0][0] if self._events else end)
            self.now = max(self.now, first)
            if deadline is not None and deadline <= self.now:
                self._due()
            elif self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            else:
                return self

    def tell(self, trigger: Trigger, reason: str = "", retry_after_s: float | None = None) -> None:
        self._perform(self.machine.handle(trigger, self.now, reason, retry_after_s))

    def report(self) -> None:
        """Let the device report once."""
        if self.broker and self.links[Transport.MQTT]:
            self._perform(self.machine.notified(self.now))

    def lose_broker(self) -> None:
        self.broker = False
        self.tell(Trigger.BROKER_LOST, "the broker is away")
        if self._under_way.pop(Transport.MQTT, None) is not None:
            self._after(0.0, lambda: self.tell(Trigger.FAILED, "the broker is away"))

    def find_broker(self) -> None:
        self.broker = True
        self.tell(Trigger.BROKER_FOUND)

    def die(self) -> None:
        """Take the device's power."""
        self.reports = False
        self.answers = dict.fromkeys(Transport, False)

    def revive(self) -> None:
        self.reports = self.machine.meter
        self.answers = dict.fromkeys(Transport, True)

    @property
    def state(self) -> State:
        return self.machine.state

    def asked_since(self, begin: float, transport: Transport | None = None) -> list[tuple[float, Ask]]:
        return [(at, ask) for at, ask in self.asked if at >= begin and transport in {None, ask.transport}]

    def states_since(self, begin: float) -> list[State]:
        return [state for at, state in self.changes if at >= begin]

    def down_s(self, begin: float = 0.0) -> float:
        """How long the device has been unavailable."""
        ends = [at for at, _ in self.changes[1:]] + [self.now]
        spans = zip(self.changes, ends, strict=True)
        return sum(max(0.0, end - max(at, begin)) for (at, state), end in spans if state is State.DOWN)

    def _report(self) -> None:
        if self.reports:
            self.report()
        self._after(self.cadence_s, self._report)

    def _due(self) -> None:
        at, times = self._due_at
        self._due_at = (self.now, times + 1 if at == self.now else 1)
        assert self._due_at[1] <= _SPIN, f"it runs in circles in {self.state}"
        asks = self.machine.due(self.now)
        assert self.broker or all(ask.transport is not Transport.MQTT for ask in asks)
        self._perform(asks)

    def _perform(self, asks: Asks) -> None:
        self._note()
        for ask in asks:
            assert self.links[ask.transport]
            if ask.transport not in self._under_way:
                self.asked.append((self.now, ask))
                self._ask(ask.transport)

    def _ask(self, transport: Transport) -> None:
        number = self._under_way[transport] = next(self._numbers)
        mqtt = transport is Transport.MQTT
        trigger, delay, reason, retry_after_s = _ANSWERED[transport], ROUND_TRIP_S, "", None
        if mqtt and not self.broker:
            trigger, delay, reason = _FAILED[transport], 0.0, "the broker is away"
        elif not mqtt and self.retry_after_s is not None:
            trigger, reason, retry_after_s = _FAILED[transport], "refused", self.retry_after_s
        elif not self.answers[transport]:
            delay = self.policy.mqtt_answer_s if mqtt else self.policy.http_answer_s
            trigger, reason = _FAILED[transport], "no answer"

        def outcome() -> None:
            if self._under_way.get(transport) == number:
                del self._under_way[transport]
                self.tell(trigger, reason, retry_after_s)

        self._after(delay, outcome)

    def _after(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._numbers), action))

    def _note(self) -> None:
        if not self.changes or self.changes[-1][1] is not self.state:
            self.changes.append((self.now, self.state))
