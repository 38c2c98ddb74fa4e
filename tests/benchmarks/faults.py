"""What each fault on the way costs: until it is found out, until it is over, and for whoever switches a relay then.

Several pairs of a Pro 3EM and a Pro 3 live in one Home Assistant, so that a fault gives several figures at once. Times
are taken from what is written down, the simulator's ledger and the states' own times: how often one looks is no matter.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import orjson

from tests.stack.fleet import DeviceSpec, SimulatedDevice
from tests.stack.processes import StackError, wait_until
from tests.stack.stage import Stage

LINK, HTTP_HEALTH = "health-active_link", "health-http"
POWER, SWITCH = "em:0-total_act_power", "switch:0"
OUTAGE_S = 10.0
LOOK_S = 0.1
DEADLINE_S = 150.0
"""For anything: longer than a minute's silence and a minute's pause together."""


class Cost(StrEnum):
    """What is noted, each in seconds, in the order of the report."""

    KILLED_METER = "broker killed: meter's first reading over HTTP"
    KILLED_RELAYS = "broker killed: relays' first reading over HTTP"
    KILLED_ORDERED = "broker killed: the same of relays that were switched right after"
    KILLED_SWITCH = "broker killed: relay switched right after"
    SWITCH_ON_HTTP = "broker killed: relay switched while on HTTP"
    BROKER_BACK = "broker back after 10 s: on MQTT again"
    HUNG_METER = "broker hangs: meter's first reading over HTTP"
    HUNG_RELAYS = "broker hangs: relays' first reading over HTTP"
    HUNG_SWITCH = "broker hangs: relay switched right after"
    SILENT_METER = "device silent on MQTT: meter's first reading over HTTP"
    SILENT_RELAYS = "device silent on MQTT: relays' first reading over HTTP"
    SILENT_SWITCH = "device silent on MQTT: relay switched right after"
    HTTP_CUT = "HTTP cut while on MQTT: shown in the health"
    HTTP_CUT_SWITCH = "HTTP cut while on MQTT: relay switched right after"
    HTTP_BACK = "HTTP back: shown in the health"
    BOTH_CUT = "both cut: unavailable"
    BOTH_CUT_SWITCH = "both cut: order to a relay right after is refused"
    BOTH_BACK = "both back: available"


def specs(pairs: int) -> list[DeviceSpec]:
    """Return the devices of so many pairs, meter and relays in turn."""
    meter = DeviceSpec(model="pro3em", firmware="1.7.5", cadence_s=1.0)
    return [meter, DeviceSpec(model="pro3", firmware="1.7.5")] * pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A device, and its entity ids by name."""

    device: SimulatedDevice
    entities: dict[str, str]

    @property
    def meter(self) -> bool:
        """Whether it measures; else it switches."""
        return self.device.model == "pro3em"

    @property
    def value(self) -> str:
        """The entity that becomes unavailable with the device."""
        return self.entities[POWER if self.meter else SWITCH]


class Faults:
    """Makes one fault after the other and notes what each costs; `samples` are in seconds."""

    def __init__(self, stage: Stage, subjects: Sequence[Subject]) -> None:
        self._stage = stage
        self._subjects = subjects
        self.samples: dict[Cost, list[float]] = defaultdict(list)
        self.disturbed: set[str] = set()
        """Devices that were not on MQTT or not available at some moment while only their HTTP was cut."""

    @classmethod
    async def of(cls, stage: Stage) -> Self:
        """Take the devices of a stage, all of them added."""
        return cls(stage, [Subject(device=d, entities=await stage.entities(d)) for d in stage.fleet.devices])

    async def measure(self, rounds: int, *, quick: bool) -> None:
        """Make every fault, the short ones `rounds` times; StackError when something is never found out.

        If `quick`, relays are not waited for with a broker that hangs, and no device has both of the long faults.
        """
        await self._all_on_mqtt()
        for _ in range(rounds):
            await self._kill_broker()
        for number in range(rounds):
            await self._hang_broker(wait_for_relays=number == 0 and not quick)
        half = len(self._subjects) // 4 * 2
        first, second = self._subjects[:half], self._subjects[half:]
        for silenced, cut in ((first, second), (second, first))[: 1 if quick else 2]:
            await asyncio.gather(self._silence(silenced), *map(self._cut_http, cut))
            await self._all_on_mqtt()
        for _ in range(rounds):
            await self._cut_both()

    async def _kill_broker(self) -> None:
        ordered = self._relays()[1::2]
        begun = time.time()
        await self._stage.broker.kill()
        await asyncio.gather(
            *(self._note_http(s, Cost.KILLED_METER, begun) for s in self._subjects if s.meter),
            *(self._note_http(s, Cost.KILLED_RELAYS, begun) for s in self._relays() if s not in ordered),
            *(self._note_http(s, Cost.KILLED_ORDERED, begun) for s in ordered),
            *(self._switch(s, Cost.KILLED_SWITCH) for s in ordered),
        )
        await asyncio.gather(*(self._switch(s, Cost.SWITCH_ON_HTTP) for s in self._relays()))
        await asyncio.sleep(max(0.0, begun + OUTAGE_S - time.time()))
        await self._stage.broker.start()
        begun = time.time()
        await asyncio.gather(*(self._note_state(s, Cost.BROKER_BACK, LINK, "mqtt", begun) for s in self._subjects))

    async def _hang_broker(self, *, wait_for_relays: bool) -> None:
        """Suspend the broker; an order reveals the fault, so relays are either ordered or waited for."""
        ordered = self._relays()[1 if wait_for_relays else 0 :: 2 if wait_for_relays else 1]
        waited_for = [s for s in self._relays() if s not in ordered]
        begun = time.time()
        self._stage.broker.suspend()
        try:
            await asyncio.gather(
                *(self._note_http(s, Cost.HUNG_METER, begun) for s in self._subjects if s.meter),
                *(self._note_http(s, Cost.HUNG_RELAYS, begun) for s in waited_for),
                *(self._switch(s, Cost.HUNG_SWITCH) for s in ordered),
            )
        finally:
            self._stage.broker.resume()
        await self._all_on_mqtt()

    async def _silence(self, subjects: Sequence[Subject]) -> None:
        """Silence some devices on MQTT; of their relays every second one is ordered, the others are waited for."""
        fleet, relays = self._stage.fleet, [s for s in subjects if not s.meter]
        begun = time.time()
        await fleet.set_fault_everywhere("mqtt_silent", devices=[s.device for s in subjects])
        await asyncio.gather(
            *(self._note_http(s, Cost.SILENT_METER, begun) for s in subjects if s.meter),
            *(self._note_http(s, Cost.SILENT_RELAYS, begun) for s in relays[::2]),
            *(self._switch(s, Cost.SILENT_SWITCH) for s in relays[1::2]),
        )
        await asyncio.gather(*(fleet.clear_faults(s.device) for s in subjects))

    async def _cut_http(self, subject: Subject) -> None:
        """Cut only HTTP: nothing may show but the health of that hop."""
        begun = time.time()
        await self._stage.fleet.set_fault(subject.device, "http_cut")
        if not subject.meter:
            await self._switch(subject, Cost.HTTP_CUT_SWITCH)
        await self._note_state(subject, Cost.HTTP_CUT, HTTP_HEALTH, "off", begun, also=lambda: self._look(subject))
        begun = time.time()
        await self._stage.fleet.clear_faults(subject.device)
        await self._note_state(subject, Cost.HTTP_BACK, HTTP_HEALTH, "on", begun, also=lambda: self._look(subject))

    async def _cut_both(self) -> None:
        """Cut both roads of all; of the relays every second one is ordered, which fails."""
        ordered = self._relays()[1::2]
        begun = time.time()
        await self._stage.fleet.set_fault_everywhere("link_cut")
        await asyncio.gather(
            *(self._note_value(s, Cost.BOTH_CUT, begun, known=False) for s in self._subjects if s not in ordered),
            *(self._switch(s, Cost.BOTH_CUT_SWITCH, refused=True) for s in ordered),
        )
        await asyncio.gather(*(self._await_value(s, known=False) for s in ordered))
        begun = time.time()
        await self._stage.fleet.clear_faults_everywhere()
        await asyncio.gather(*(self._note_value(s, Cost.BOTH_BACK, begun, known=True) for s in self._subjects))
        await self._all_on_mqtt()

    def _relays(self) -> list[Subject]:
        return [subject for subject in self._subjects if not subject.meter]

    async def _all_on_mqtt(self) -> None:
        """Wait until nobody is in doubt about MQTT: its entity already shows a link that is still being tried."""

        async def steady() -> bool:
            _, page, _ = await self._stage.client.get("/api/shelly_pro/health")
            return all(told["state"] == "on_mqtt" for told in orjson.loads(page)["devices"])

        await wait_until(steady, DEADLINE_S, "Every device is on MQTT", interval_s=LOOK_S)

    async def _note_http(self, subject: Subject, cost: Cost, begun: float) -> None:
        """Note when the device answered the first question for its status over HTTP after `begun`.

        Home Assistant shows it milliseconds later; not always as a change, since a meter measures once a second and may
        have told the same over MQTT.
        """
        polled: list[float] = []

        async def asked() -> bool:
            frames = (await self._stage.fleet.ledger(subject.device, begun))["frames"]
            polled[:] = [f["ts"] for f in frames if (f["road"], f["kind"]) == ("http", "Shelly.GetStatus")]
            return bool(polled)

        await self._stage.client.wait_for_state(subject.entities[LINK], "http", DEADLINE_S)
        await wait_until(asked, DEADLINE_S, f"{subject.device.id} is asked over HTTP", interval_s=LOOK_S)
        self.samples[cost].append(polled[0] - begun)

    async def _note_state(
        self,
        subject: Subject,
        cost: Cost,
        name: str,
        state: str,
        begun: float,
        *,
        also: Callable[[], None] = lambda: None,
    ) -> None:
        """Note when an entity shows `state`; `also` is called with every change until then."""
        client, entity = self._stage.client, subject.entities[name]

        def holds() -> bool:
            also()
            return client.states[entity].state == state

        await client.wait_for(holds, DEADLINE_S, f"{entity} is {state}")
        self.samples[cost].append(max(0.0, client.states[entity].updated - begun))

    async def _await_value(self, subject: Subject, *, known: bool) -> None:
        states = self._stage.client.states
        what = f"{subject.value} is {'available' if known else 'unavailable'}"
        await self._stage.client.wait_for(lambda: states[subject.value].known is known, DEADLINE_S, what)

    async def _note_value(self, subject: Subject, cost: Cost, begun: float, *, known: bool) -> None:
        await self._await_value(subject, known=known)
        self.samples[cost].append(max(0.0, self._stage.client.states[subject.value].updated - begun))

    def _look(self, subject: Subject) -> None:
        states = self._stage.client.states
        if states[subject.entities[LINK]].state != "mqtt" or not states[subject.value].known:
            self.disturbed.add(subject.device.id)

    async def _switch(self, subject: Subject, cost: Cost, *, refused: bool = False) -> None:
        """Note how long Home Assistant takes to switch a relay; StackError when it does not come out as expected."""
        stage, entity = self._stage, subject.entities[SWITCH]
        output = (await stage.fleet.truth(subject.device)).true[SWITCH]["output"]
        begun, problem = time.monotonic(), None
        try:
            await stage.client.call_service(f"switch.turn_{'off' if output else 'on'}", entity)
        except StackError as error:
            problem = error
        seconds = time.monotonic() - begun
        done = (await stage.fleet.truth(subject.device)).true[SWITCH]["output"] is not output
        if done is refused or (problem is not None) is not refused:
            raise StackError(f"{cost}: {subject.device.id}, done: {done}, Home Assistant said: {problem}")
        self.samples[cost].append(seconds)
