"""A device in the hands of a test, on a clock that moves by hand."""

from dataclasses import dataclass, field
from typing import Any

from tests.simulator import wire
from tests.simulator.clock import ManualClock
from tests.simulator.device import VirtualDevice
from tests.simulator.models import MODELS, firmware
from tests.simulator.wire import Json


@dataclass
class Bench:
    """A device, its clock, and everything it told."""

    device: VirtualDevice
    clock: ManualClock
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Let time pass, doing each thing when it is due."""
        until = self.clock.now() + seconds
        while (due := self.device.tick()) <= until:
            self.clock.move(max(0.0, due - self.clock.now()))
        self.clock.move(until - self.clock.now())
        self.device.tick()

    def call(self, method: str, **params: Json) -> Any:
        """Ask over HTTP."""
        return self.device.handle(method, params, source="HTTP_in")

    def statuses(self, key: str) -> list[dict[str, Any]]:
        """What NotifyStatus told about a component."""
        return [params[key] for method, params in self.told if method == "NotifyStatus" and key in params]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of a name."""
        found = [event for method, params in self.told if method == "NotifyEvent" for event in params["events"]]
        return [event for event in found if event["event"] == name]

    def texts(self, method: str, key: str) -> list[str]:
        """The params of notifications about a component or event, as text."""
        return [
            wire.dumps(params)
            for name, params in self.told
            if name == method and (key in params or any(key == event["event"] for event in params.get("events", [])))
        ]


def bench(model: str = "pro3em", release: str = "1.7", *, clock: ManualClock | None = None, **options: Any) -> Bench:
    """A device that has just been switched on."""
    clock = ManualClock() if clock is None else clock
    found = Bench(VirtualDevice(MODELS[model], firmware(release), clock=clock, **options), clock)
    found.device.listen(lambda method, params: found.told.append((method, params)))
    return found
