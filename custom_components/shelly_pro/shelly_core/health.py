"""How every hop to a device is: the answer to "why is it unavailable?"."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .breaker import BreakerState
from .clock import DeviceClock
from .failover import Failover, State
from .intake import Intake
from .link import Transport

WRONG_S = 60.0
"""A reading that is implausible for so long is no glitch."""


class Level(StrEnum):
    """How a device is as a whole."""

    OK = "ok"
    DEGRADED = "degraded"
    """It is there, but not the way it should be: one hop is broken."""
    DOWN = "down"


@dataclass(slots=True)
class RoundTrip:
    """How long answers take on one link, in seconds; `None` before the first."""

    last_s: float | None = None
    worst_s: float | None = None
    answers: int = 0
    failures: int = 0

    def note(self, seconds: float) -> None:
        """Count an answer."""
        self.last_s = seconds
        self.worst_s = seconds if self.worst_s is None else max(self.worst_s, seconds)
        self.answers += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHealth:
    """One link; ages in seconds."""

    delivers: bool | None
    """Whether it would carry the device now; `None` if nothing was tried yet."""
    breaker: BreakerState
    reason: str | None
    """Why it does not work; `None` while it does."""
    failures_in_a_row: int
    open_for_s: float | None
    heard_ago_s: float | None
    """When the device was last heard this way."""
    round_trip_s: float | None
    round_trip_worst_s: float | None
    answers: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockHealth:
    """The device's clock next to ours."""

    wrong: bool
    synced: bool
    offset_s: float | None
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongReading:
    """A field of which the device has told nothing good for `for_s` seconds."""

    component: str
    field: str | None
    reason: str
    value: str
    for_s: float
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A device at one moment, by hop; everything here is plain data, fit for JSON."""

    level: Level
    reason: str | None
    """What is wrong first of all; `None` if nothing is."""
    state: State
    state_for_s: float | None
    active: Transport | None
    broker: bool | None
    """Whether we are connected to the MQTT broker; `None` if MQTT is not used or not known yet."""
    links: Mapping[Transport, LinkHealth]
    """The links that are set up."""
    clock: ClockHealth
    data_age_s: float | None
    last_reading_ts: float | None
    """The device's corrected time of the newest reading, in Unix seconds."""
    readings: int
    drops: Mapping[str, int]
    """Frames that were left out without fault of the device, by reason."""
    rejects: Mapping[str, int]
    """Readings and frames that made no sense, by reason."""
    wrong: tuple[WrongReading, ...]
    switchovers: int
    password_refused: bool


def assess(
    failover: Failover,
    intake: Intake,
    round_trips: Mapping[Transport, RoundTrip],
    now: float,
    *,
    password_refused: bool,
) -> Health:
    """Put together how a device is; `round_trips` has the links that are set up, `now` is monotonic."""
    links = {transport: _link(failover, transport, trip, now) for transport, trip in round_trips.items()}
    wrong = _wrong(intake, now)
    level, reason = _judge(failover, links, intake.clock, wrong)
    return Health(
        level=level,
        reason=reason,
        state=failover.state,
        state_for_s=_since(failover.since, now),
        active=failover.active,
        broker=failover.broker if Transport.MQTT in links else None,
        links=links,
        clock=ClockHealth(
            wrong=intake.clock.wrong,
            synced=intake.clock.synced,
            offset_s=intake.clock.offset_s,
            steps=intake.clock.steps,
        ),
        data_age_s=_since(intake.last_reading_at, now),
        last_reading_ts=intake.last_reading_ts,
        readings=intake.readings,
        drops=dict(intake.drops),
        rejects=dict(intake.rejects),
        wrong=wrong,
        switchovers=failover.switchovers,
        password_refused=password_refused,
    )


def _link(failover: Failover, transport: Transport, round_trip: RoundTrip, now: float) -> LinkHealth:
    breaker = failover.breakers[transport]
    heard_at = failover.heard_at.get(transport)
    state = breaker.state(now)
    return LinkHealth(
        delivers=None if heard_at is None and breaker.reason is None else state is BreakerState.CLOSED,
        breaker=state,
        reason=breaker.reason,
        failures_in_a_row=breaker.failures,
        open_for_s=_since(breaker.opened_at, now),
        heard_ago_s=_since(heard_at, now),
        round_trip_s=round_trip.last_s,
        round_trip_worst_s=round_trip.worst_s,
        answers=round_trip.answers,
        failures=round_trip.failures,
    )


def _wrong(intake: Intake, now: float) -> tuple[WrongReading, ...]:
    known = {} if intake.device is None else intake.device.wrong
    return tuple(
        WrongReading(
            component=key,
            field=field,
            reason=wrong.last.reason,
            value=f"{wrong.last.value!r:.80}",
            for_s=now - wrong.since,
            times=wrong.times,
        )
        for (key, field), wrong in known.items()
    )


def _judge(
    failover: Failover, links: Mapping[Transport, LinkHealth], clock: DeviceClock, wrong: tuple[WrongReading, ...]
) -> tuple[Level, str | None]:
    """Return how the device is as a whole, and what is wrong first of all."""
    if failover.state is State.DOWN:
        return Level.DOWN, failover.reason
    for transport, link in links.items():
        if link.breaker is not BreakerState.CLOSED:
            return Level.DEGRADED, f"{transport.upper()}: {link.reason}"
    mqtt = links.get(Transport.MQTT)
    if mqtt is not None and failover.active is not Transport.MQTT:
        return Level.DEGRADED, failover.reason if mqtt.reason is None else f"MQTT: {mqtt.reason}"
    if clock.wrong:
        return Level.DEGRADED, "the device's clock is wrong"
    for reading in wrong:
        if reading.for_s >= WRONG_S:
            told = f"{reading.component} {reading.field or ''}".strip()
            return Level.DEGRADED, f"{told} has been impossible for a while: {reading.reason}"
    return Level.OK, None


def _since(then: float | None, now: float) -> float | None:
    return None if then is None else now - then
