import json
from dataclasses import asdict
from typing import Any

import orjson
import pytest

from shelly_core import Level, Transport
from shelly_core.breaker import BreakerState
from shelly_core.failover import Failover, State, Trigger
from shelly_core.health import WRONG_S, Health, RoundTrip, assess
from shelly_core.intake import Intake
from tests.core.payloads import device_of, notify

MQTT, HTTP = Transport.MQTT, Transport.HTTP
NOW = 1000.0
WALL = 1763995000.0


class Patient:
    """A device whose machines a test drives; at first it is well, on MQTT, for a minute."""

    def __init__(self, *, mqtt: bool = True, http: bool = True) -> None:
        self.failover = Failover(mqtt=mqtt, http=http, chance=lambda: 0.0)
        self.intake = Intake()
        self.trips = {link: RoundTrip() for link, there in ((MQTT, mqtt), (HTTP, http)) if there}
        self.now = NOW
        self.password_refused = False
        if mqtt:
            self.failover.handle(Trigger.BROKER_FOUND, NOW)
        for transport in self.trips:
            self.failover.start(transport, NOW)
            break

    def tell(self, trigger: Trigger, reason: str = "no answer", times: int = 1, rest_s: float | None = None) -> Patient:
        for _ in range(times):
            self.failover.handle(trigger, self.now, reason, rest_s)
        return self

    def wrong(self, component: str, **fields: Any) -> Patient:
        """Let the device tell something impossible, now."""
        if self.intake.device is None:
            self.intake.device = device_of("shellypro3em-1.7.5")
        device = self.intake.device
        told = notify(device, None, **{component: {"id": 0, **fields}})
        self.intake.take_notification(told, MQTT, self.now, WALL)
        return self

    def health(self, later: float = 0.0) -> Health:
        return assess(self.failover, self.intake, self.trips, self.now + later, password_refused=self.password_refused)


def test_a_device_that_is_well() -> None:
    patient = Patient().tell(Trigger.HTTP_ANSWERED)
    patient.trips[MQTT].note(0.2)
    patient.trips[MQTT].note(0.1)
    health = patient.health(later=60.0)
    assert (health.level, health.reason, health.state, health.active) == (Level.OK, None, State.ON_MQTT, MQTT)
    assert (health.state_for_s, health.broker, health.switchovers) == (60.0, True, 0)
    assert (health.data_age_s, health.last_reading_ts, health.readings) == (None, None, 0)
    assert list(health.links) == [MQTT, HTTP]
    mqtt = health.links[MQTT]
    assert (mqtt.delivers, mqtt.breaker, mqtt.reason, mqtt.failures_in_a_row) == (True, BreakerState.CLOSED, None, 0)
    assert (mqtt.open_for_s, mqtt.heard_ago_s) == (None, 60.0)
    assert (mqtt.round_trip_s, mqtt.round_trip_worst_s, mqtt.answers, mqtt.failures) == (0.1, 0.2, 2, 0)
    assert (health.clock.wrong, health.clock.synced, health.clock.offset_s, health.clock.steps) == (
        False,
        True,
        None,
        0,
    )
    assert health.password_refused is False


def lost_broker(patient: Patient) -> None:
    patient.tell(Trigger.BROKER_LOST, "the broker is away")


def both_dead(patient: Patient) -> None:
    patient.tell(Trigger.FAILED, times=3).tell(Trigger.HTTP_FAILED, "timeout", times=3)


def http_failing(patient: Patient) -> None:
    patient.tell(Trigger.HTTP_FAILED, "connection refused", times=3)


def http_failed_twice(patient: Patient) -> None:
    patient.tell(Trigger.HTTP_FAILED, "connection refused", times=2)


def password(patient: Patient) -> None:
    patient.tell(Trigger.HTTP_FAILED, "the device wants a password", rest_s=60.0)


def probe_failed(patient: Patient) -> None:
    patient.tell(Trigger.FAILED, "no answer", times=2)


def only_suspected(patient: Patient) -> None:
    patient.tell(Trigger.OFFLINE)


def returning(patient: Patient) -> None:
    lost_broker(patient)
    patient.tell(Trigger.BROKER_FOUND).tell(Trigger.ANSWERED)


def clock_ahead(patient: Patient) -> None:
    patient.intake.clock.hear(WALL + 90.0, WALL)


def clock_not_set(patient: Patient) -> None:
    patient.intake.clock.hear(5.0, WALL)


def clock_and_broker(patient: Patient) -> None:
    clock_ahead(patient)
    lost_broker(patient)


CASES = [
    (lost_broker, Level.DEGRADED, "MQTT: the broker is away"),
    (both_dead, Level.DOWN, "MQTT: no answer; HTTP: timeout"),
    (http_failing, Level.DEGRADED, "HTTP: connection refused"),
    (http_failed_twice, Level.OK, None),
    (password, Level.DEGRADED, "HTTP: the device wants a password"),
    (probe_failed, Level.DEGRADED, "MQTT: no answer"),
    (only_suspected, Level.OK, None),
    (returning, Level.DEGRADED, "the device answers over MQTT"),
    (clock_ahead, Level.DEGRADED, "the device's clock is wrong"),
    (clock_not_set, Level.DEGRADED, "the device's clock is wrong"),
    (clock_and_broker, Level.DEGRADED, "MQTT: the broker is away"),
]


@pytest.mark.parametrize(("happens", "level", "reason"), CASES, ids=[case[0].__name__ for case in CASES])
def test_level_and_reason(happens: Any, level: Level, reason: str | None) -> None:
    patient = Patient()
    happens(patient)
    health = patient.health()
    assert (health.level, health.reason) == (level, reason)


def test_nothing_was_heard_yet() -> None:
    failover = Failover(mqtt=True, http=True)
    trips = {transport: RoundTrip() for transport in Transport}
    health = assess(failover, Intake(), trips, NOW, password_refused=False)
    assert (health.level, health.reason) == (Level.DOWN, "nothing was heard of the device yet")
    assert (health.state, health.state_for_s, health.active, health.broker) == (State.DOWN, None, None, None)
    assert [link.delivers for link in health.links.values()] == [None, None]


def test_whether_a_link_delivers() -> None:
    patient = Patient()
    told = []

    def note(transport: Transport) -> None:
        link = patient.health().links[transport]
        told.append((link.delivers, link.breaker))

    note(HTTP)  # not tried yet
    patient.tell(Trigger.HTTP_FAILED, times=3)
    note(HTTP)
    patient.now += 4.0  # the pause is over, but nothing has proven anything
    note(HTTP)
    patient.tell(Trigger.HTTP_ANSWERED)
    note(HTTP)
    patient.tell(Trigger.BROKER_LOST)
    note(MQTT)
    patient.tell(Trigger.BROKER_FOUND)
    note(MQTT)
    patient.tell(Trigger.ANSWERED)
    note(MQTT)
    assert told == [
        (None, BreakerState.CLOSED),
        (False, BreakerState.OPEN),
        (False, BreakerState.HALF_OPEN),
        (True, BreakerState.CLOSED),
        (False, BreakerState.OPEN),
        (False, BreakerState.HALF_OPEN),
        (True, BreakerState.CLOSED),
    ]


def test_a_new_mqtt_link_is_not_credited_with_the_old_one() -> None:
    patient = Patient()
    patient.tell(Trigger.BROKER_LOST)
    patient.failover.set_link(MQTT, exists=True)
    mqtt = patient.health().links[MQTT]
    assert (mqtt.delivers, mqtt.heard_ago_s, mqtt.reason) == (None, None, None)


def test_a_link_that_failed_from_the_first_time_does_not_deliver() -> None:
    patient = Patient(mqtt=False)
    patient.tell(Trigger.HTTP_FAILED, "connection refused", times=3)
    health = patient.health(later=2.0)
    assert (health.level, health.reason) == (Level.DOWN, "HTTP: connection refused")
    http = health.links[HTTP]
    assert (http.delivers, http.failures_in_a_row, http.open_for_s, http.heard_ago_s) == (False, 3, 2.0, 2.0)


def test_only_links_that_are_set_up_are_shown() -> None:
    http = Patient(mqtt=False)
    http.failover.broker = True
    health = http.health()
    assert (health.level, list(health.links), health.broker) == (Level.OK, [HTTP], None)
    mqtt = Patient(http=False).health()
    assert (mqtt.level, list(mqtt.links), mqtt.broker) == (Level.OK, [MQTT], True)


def test_a_reading_that_is_impossible_for_a_while() -> None:
    patient = Patient().wrong("em_0", a_voltage="?").wrong("em_0", a_voltage="?", b_current=-5e9)
    soon = patient.health(later=WRONG_S - 0.1)
    assert (soon.level, soon.reason) == (Level.OK, None)
    first, second = soon.wrong
    assert (first.component, first.field, first.value, first.times) == ("em:0", "a_voltage", "'?'", 2)
    assert first.for_s == pytest.approx(WRONG_S - 0.1)
    assert (second.field, second.times) == ("b_current", 1)
    later = patient.health(later=WRONG_S)
    assert later.level is Level.DEGRADED
    assert later.reason == f"em:0 a_voltage has been impossible for a while: {first.reason}"


def test_a_component_that_is_impossible_as_a_whole() -> None:
    patient = Patient().wrong("em_0")
    device = patient.intake.device
    assert device is not None
    told = notify(device, None, em_0="x" * 500)
    patient.intake.take_notification(told, MQTT, patient.now, WALL)
    health = patient.health(later=WRONG_S)
    (wrong,) = health.wrong
    assert (wrong.component, wrong.field, len(wrong.value)) == ("em:0", None, 80)
    assert health.reason == f"em:0 has been impossible for a while: {wrong.reason}"


def test_what_was_counted_is_told_and_does_not_change_any_more() -> None:
    patient = Patient()
    intake = patient.intake
    intake.drops["overtaken"] += 2
    intake.rejects["wrong type"] += 1
    intake.readings, intake.last_reading_at, intake.last_reading_ts = 7, NOW - 3.0, WALL
    health = patient.health()
    intake.drops["overtaken"] += 1
    assert (health.drops, health.rejects) == ({"overtaken": 2}, {"wrong type": 1})
    assert (health.readings, health.data_age_s, health.last_reading_ts) == (7, 3.0, WALL)


@pytest.mark.parametrize("happens", [case[0] for case in CASES])
def test_it_is_fit_for_json(happens: Any) -> None:
    patient = Patient().wrong("em_0", a_voltage={"not": ["a", "number"]})
    happens(patient)
    patient.password_refused = True
    patient.intake.drops["retained"] += 1
    plain = asdict(patient.health())
    told = json.loads(json.dumps(plain, allow_nan=False))
    # Keys are members of `Transport`, which are texts; this is how Home Assistant encodes, too.
    assert orjson.loads(orjson.dumps(plain, option=orjson.OPT_NON_STR_KEYS)) == told
    assert set(told["links"]) == {"mqtt", "http"}
    assert told["level"] in {"ok", "degraded", "down"}
    assert told["password_refused"] is True
    assert told["wrong"][0]["value"] == "{'not': ['a', 'number']}"
