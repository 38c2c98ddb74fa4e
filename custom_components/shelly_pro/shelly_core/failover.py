"""Which link is used, which is asked, and when: a machine without I/O. Triggers in, questions to ask out.

The states and what leads from one to another are in `transitions`. Data is taken from whatever link it comes on; the
state only decides where commands go first, and what is asked.
"""

import math
import random
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from .breaker import Breaker, BreakerState
from .link import Transport
from .policy import Policy
from .reports import Reports
from .transitions import ACTIVE, TRANSITIONS, State, Trigger

__all__ = ["Ask", "Asks", "Failover", "Question", "State", "Trigger"]


class Question(StrEnum):
    """What to ask of the device; the value is the method."""

    STATUS = "Shelly.GetStatus"
    CHECK = "Sys.GetStatus"
    """Small, and protected by the password: is a link that stands by able to take over?"""


class Ask(NamedTuple):
    """Ask this, on this link, now; a question already on its way there counts as asked."""

    transport: Transport
    question: Question


type Asks = tuple[Ask, ...]

_MQTT_STATUS = Ask(Transport.MQTT, Question.STATUS)
_HTTP_STATUS = Ask(Transport.HTTP, Question.STATUS)
_HTTP_CHECK = Ask(Transport.HTTP, Question.CHECK)
_ANSWERS = "the device answers over"
_EARLY = 0.1
"""Share of an interval between questions that chance may take off."""


class Failover:
    """Decides for one device; `now` is seconds of any monotonic clock, `chance` gives numbers from 0 to 1."""

    def __init__(
        self, policy: Policy | None = None, *, mqtt: bool, http: bool, chance: Callable[[], float] = random.random
    ) -> None:
        """`mqtt` and `http` say which links there are; at first nothing is known of either."""
        self.policy = Policy() if policy is None else policy
        self._chance = chance
        self._links = {Transport.MQTT: mqtt, Transport.HTTP: http}
        self.breakers = {transport: Breaker(chance) for transport in Transport}
        self.state = State.DOWN
        self.since: float | None = None
        self.reason = "nothing was heard of the device yet"
        """Why the state was entered."""
        self.switchovers = 0
        """How often another link became active."""
        self.broker: bool | None = None
        """Whether we are connected to the broker; `None` until that is known."""
        self.heard_at: dict[Transport, float] = {}
        """When the device was last heard, by link."""
        self._reports = Reports(self.policy)
        self._last_active: Transport | None = None
        self._active_since = -math.inf
        self._hold_until = math.inf
        self._proven = False
        self._left = False
        """Whether the device is said to have left, and has answered nothing since; see `Trigger.OFFLINE`."""
        self._at = dict.fromkeys(Transport, math.inf)
        self._resynced_at = -math.inf

    @property
    def active(self) -> Transport | None:
        """The link that commands take first; `None` while neither delivers."""
        return ACTIVE[self.state]

    @property
    def meter(self) -> bool:
        """Whether the device reports by itself at short intervals; known once its status is."""
        return self._reports.meter

    @meter.setter
    def meter(self, meter: bool) -> None:
        self._reports.meter = meter

    def set_link(self, transport: Transport, exists: bool) -> None:
        """Give or take a link; nothing is known of a new one."""
        self._links[transport] = exists
        if transport is Transport.MQTT:
            self.broker, self._left = None, False
        self.heard_at.pop(transport, None)
        self.breakers[transport] = Breaker(self._chance)
        self._at[transport] = math.inf

    def start(self, transport: Transport, now: float) -> None:
        """Begin with the link over which the device has just told everything."""
        self.heard_at[transport] = now
        mqtt = transport is Transport.MQTT
        if not self._delivers(transport):
            self._enter(State.ON_HTTP, now, "the broker was lost meanwhile", Trigger.BROKER_LOST)
            return
        self.breakers[transport].succeed()
        if mqtt:
            self._left = False
        if mqtt or self.active is not transport:
            self._enter(State.ON_MQTT if mqtt else State.ON_HTTP, now, f"{_ANSWERS} {transport.upper()}", None)
        self._at[transport] = now + self._interval(transport)
        if mqtt and self._links[Transport.HTTP]:
            soon = now + self.policy.meter_poll_s * self._chance()
            self._at[Transport.HTTP] = max(soon, self.breakers[Transport.HTTP].retry_at)

    def handle(self, trigger: Trigger, now: float, reason: str = "", retry_after_s: float | None = None) -> Asks:
        """Take what happened; `reason` says it for people, `retry_after_s` is the device's own wish after a failure."""
        match trigger:
            case Trigger.NOTIFIED:
                return self.notified(now)
            case Trigger.ANSWERED | Trigger.HTTP_ANSWERED:
                return self._answered(trigger, now)
            case Trigger.FAILED | Trigger.HTTP_FAILED:
                return self._failed(trigger, now, reason, retry_after_s)
            case Trigger.BROKER_LOST:
                self.broker, self._reports.last_at, self._left = False, None, False
                self.breakers[Transport.MQTT].trip(now, reason)
                self._at[Transport.MQTT] = math.inf
            case Trigger.BROKER_FOUND:
                self.broker = True
                self.breakers[Transport.MQTT].try_now(now)
                if self.state is not State.ON_MQTT and self._links[Transport.MQTT]:
                    return self._ask(_MQTT_STATUS, now)
            case Trigger.OFFLINE if self._delivers(Transport.MQTT):
                self._left, self._proven = True, False
                if self.state is State.HOLD_DOWN:
                    return self._ask(_MQTT_STATUS, now)
        return self._move(trigger, now, reason)

    def notified(self, now: float) -> Asks:
        """Take note that the device reported something over MQTT: the one trigger that comes all the time."""
        if self.broker is False or not self._links[Transport.MQTT]:
            return ()
        self.heard_at[Transport.MQTT] = now
        if self.state is State.ON_MQTT:
            self._reports.note(now, self._active_since)
            return ()
        breaker = self.breakers[Transport.MQTT]
        if self._reports.silent(now):  # What failed during a silence says nothing any more.
            breaker.try_now(now)
        self._reports.note(now, math.inf)
        if self.state is not State.DOWN and not breaker.allows(now):
            return ()
        return self._move(Trigger.NOTIFIED, now, "the device reports over MQTT again")

    def resync(self, now: float) -> Asks:
        """Ask for the whole status soon, because something was missed or the device's clock is in doubt."""
        if self.active is not Transport.MQTT:
            return ()
        due = self._resynced_at + self.policy.resync_s
        if now < due:
            self._at[Transport.MQTT] = min(self._at[Transport.MQTT], due)
            return ()
        return self._ask(_MQTT_STATUS, now)

    def due(self, now: float) -> Asks:
        """Do what the time has come for; see `next_deadline`."""
        asks: Asks = ()
        if self.state is State.HOLD_DOWN and now >= self._hold_until and self._proven:
            asks += self._move(Trigger.HELD, now, "MQTT has been delivering again for a while")
        if now >= self._silent_at():
            asks += self._move(Trigger.SILENT, now, f"nothing was heard over MQTT for {self._reports.silence_s:.0f} s")
        if now >= self._at[Transport.MQTT]:
            asks += self._ask(_MQTT_STATUS, now)
        if now >= self._at[Transport.HTTP]:
            asks += self._ask(_HTTP_CHECK if self.active is Transport.MQTT else _HTTP_STATUS, now)
        return asks

    def next_deadline(self) -> float | None:
        """Return when `due` has something to do, at the latest; `None` while there is nothing to wait for."""
        hold = self._hold_until if self.state is State.HOLD_DOWN and self._proven else math.inf
        first = min(hold, self._silent_at(), *self._at.values())
        return None if first == math.inf else first

    def command_order(self, now: float) -> tuple[Transport, ...]:
        """Return the links for a command, best first: the active one, and what may work before what is given up."""

        def rank(transport: Transport) -> tuple[bool, bool, bool]:
            given_up = self.breakers[transport].state(now) is BreakerState.OPEN
            return transport is not self.active, given_up, transport is not Transport.MQTT

        return tuple(sorted((transport for transport in Transport if self._links[transport]), key=rank))

    def _answered(self, trigger: Trigger, now: float) -> Asks:
        transport = Transport.MQTT if trigger is Trigger.ANSWERED else Transport.HTTP
        if not self._delivers(transport):
            return ()
        self.heard_at[transport] = now
        if transport is Transport.MQTT and self._left:
            # It may have been asked before the device left, and the broker need not keep the order of the two.
            self._left = False
            return self._ask(_MQTT_STATUS, now)
        if self._is_mute(transport):
            self.breakers[transport].trip(now, "the device answers over MQTT, but does not report anything by itself")
            self._at[transport] = math.inf
            return self._move(Trigger.MUTE, now, "the meter reports nothing over MQTT by itself")
        self.breakers[transport].succeed()
        if transport is Transport.MQTT:
            trigger, self._proven = Trigger.PROVEN, True
        if transport is Transport.HTTP:
            # The answer to a command tells nothing of the meter: it must not put off the next poll.
            self._at[transport] = min(self._at[transport], now + self._interval(transport))
        elif self.state is State.ON_MQTT:
            self._at[transport] = now + self._interval(transport)
        return self._move(trigger, now, f"{_ANSWERS} {transport.upper()}")

    def _is_mute(self, transport: Transport) -> bool:
        """Count answers without a report in between; with no HTTP to go to, a mute meter is asked and asked."""
        if transport is Transport.HTTP or not self.meter:
            return False
        if self.state is State.SUSPECT:
            self._reports.missed += 1
        http = self._links[Transport.HTTP] and self.breakers[Transport.HTTP].failures == 0
        return http and self._reports.missed >= self.policy.mute_probes

    def _failed(self, trigger: Trigger, now: float, reason: str, retry_after_s: float | None) -> Asks:
        transport = Transport.MQTT if trigger is Trigger.FAILED else Transport.HTTP
        breaker = self.breakers[transport]
        if self._delivers(transport):
            breaker.fail(now, reason, retry_after_s)
            self._at[transport] = breaker.retry_at
        lost = transport is Transport.HTTP and breaker.state(now) is not BreakerState.CLOSED
        if lost and not (self.state is State.ON_HTTP and self._reports.go_on(now)):
            return self._move(Trigger.HTTP_LOST, now, self._both_failed())
        return self._move(trigger, now, reason)

    def _move(self, trigger: Trigger, now: float, reason: str) -> Asks:
        state = TRANSITIONS.get((self.state, trigger))
        return () if state is None else self._enter(state, now, reason, trigger)

    def _enter(self, state: State, now: float, reason: str, trigger: Trigger | None) -> Asks:
        if state is State.ON_HTTP and (not self._links[Transport.HTTP] or self.breakers[Transport.HTTP].barred(now)):
            state = State.ON_MQTT if trigger is Trigger.FAILED and self._reports.go_on(now) else State.DOWN
            reason = self._both_failed()
        if state is self.state:
            return ()
        before, self.state, self.since, self.reason = self.active, state, now, reason
        if (active := self.active) is not before:
            self._active_since = now
        if active is not None:
            self.switchovers += self._last_active not in {active, None}
            self._last_active = active
        return self._ENTRIES[state](self, now, trigger)

    def _enter_on_mqtt(self, now: float, _trigger: Trigger | None) -> Asks:
        self._at[Transport.MQTT] = now + self._interval(Transport.MQTT)
        self._stand_by(now)
        return ()

    def _enter_suspect(self, now: float, _trigger: Trigger | None) -> Asks:
        self._stand_by(now)
        return self._ask(_MQTT_STATUS, now)

    def _enter_on_http(self, now: float, trigger: Trigger | None) -> Asks:
        self._at[Transport.MQTT] = self._mqtt_trial_at(now)
        if trigger is Trigger.BROKER_LOST:
            self._at[Transport.HTTP] = now + self.policy.spread_s * self._chance()
            return ()
        return self._ask(_HTTP_STATUS, now)

    def _enter_hold_down(self, now: float, trigger: Trigger | None) -> Asks:
        self._hold_until = now + self.policy.hold_down_s
        self._at[Transport.MQTT] = math.inf
        # An answer proves both directions; after a mere report, the way to the device has to be proven, too.
        self._proven = trigger is Trigger.PROVEN
        return () if self._proven else self._ask(_MQTT_STATUS, now)

    def _enter_down(self, now: float, _trigger: Trigger | None) -> Asks:
        mqtt = self.breakers[Transport.MQTT]
        if mqtt.retry_at == math.inf and self._delivers(Transport.MQTT):
            mqtt.try_now(now)  # a meter that answers, but does not report, is better than none
        self._at[Transport.MQTT] = self._mqtt_trial_at(now)
        if self._links[Transport.HTTP]:
            self._at[Transport.HTTP] = max(now, self.breakers[Transport.HTTP].retry_at)
        return ()

    _ENTRIES: Mapping[State, Callable[[Failover, float, Trigger | None], Asks]] = {
        State.ON_MQTT: _enter_on_mqtt,
        State.SUSPECT: _enter_suspect,
        State.ON_HTTP: _enter_on_http,
        State.HOLD_DOWN: _enter_hold_down,
        State.DOWN: _enter_down,
    }

    def _ask(self, ask: Ask, now: float) -> Asks:
        """Ask, and put the next question on this link off until the answer or the failure sets its time."""
        self._at[ask.transport] = now + self._interval(ask.transport)
        if ask.transport is Transport.MQTT:
            self._resynced_at = now
        return (ask,)

    def _interval(self, transport: Transport) -> float:
        if transport is Transport.HTTP and self.active is not Transport.MQTT:
            interval = self.policy.meter_poll_s if self.meter else self.policy.relay_poll_s
        else:
            interval = self.policy.check_s
        return interval * (1.0 - _EARLY * self._chance())

    def _stand_by(self, now: float) -> None:
        """HTTP is only checked from now on, a failing one as its breaker says."""
        if self._links[Transport.HTTP]:
            breaker = self.breakers[Transport.HTTP]
            self._at[Transport.HTTP] = breaker.retry_at if breaker.failures else now + self._interval(Transport.HTTP)

    def _silent_at(self) -> float:
        if self.state is not State.ON_MQTT:
            return math.inf
        return self.heard_at.get(Transport.MQTT, -math.inf) + self._reports.silence_s

    def _mqtt_trial_at(self, now: float) -> float:
        """Return when to ask over MQTT whether it works again."""
        return max(now, self.breakers[Transport.MQTT].retry_at) if self._delivers(Transport.MQTT) else math.inf

    def _delivers(self, transport: Transport) -> bool:
        """Tell whether anything can come over a link; what was under way when it was lost says nothing any more."""
        return self._links[transport] and (transport is Transport.HTTP or self.broker is not False)

    def _both_failed(self) -> str:
        reasons = {link: self.breakers[link].reason or "not answering" for link in Transport if self._links[link]}
        return "; ".join(f"{link.upper()}: {reason}" for link, reason in reasons.items())
