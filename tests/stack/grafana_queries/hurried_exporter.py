"""The real exporter with a clock as fast as the simulator's: hours of readings in seconds, as the devices stamp them.

Only its idea of the time of day is faster. A real delay of a second looks like many to it, so it has to allow more
where it measures by the time of day; and a silence of minutes is over in a moment, so it has less patience.
"""

import importlib
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, override

from tests.stack import REPOSITORY
from tests.stack.exporter import Exporter
from tests.stack.processes import Process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack.fleet import Fleet
    from tests.stack.influxdb import InfluxServer
    from tests.stack.mosquitto import Broker

VARIABLE = "HURRY"
"""Speed, and a moment of real and of simulated time; by comma."""
TELEMETRY_S = 0.1
"""A third of the real time between two points of the exporter about itself."""
PATIENCE = {"meter_silence_s": 0.5, "relay_silence_s": 0.1, "mqtt_answer_s": 1.0, "http_answer_s": 1.0}
"""In real time; still long enough for a computer that has much to do. Relays are asked sooner than they speak up, as
real ones are: it is how their state gets into the store while nobody switches them."""
_ALLOWANCES = (
    ("shelly_core.clock", "TOLERANCE_S"),
    ("shelly_core.counters", "GROWTH_NOISE_WH"),
    ("shelly_exporter.devices.latecomers", "LATE_S"),
)


class HurriedExporter(Exporter):
    """One exporter beside a fleet that runs, of `--speed`; it hears what is told once it is there."""

    def __init__(
        self, directory: Path, *, broker: Broker, store: InfluxServer, fleet: Fleet, speed: float, **top: Any
    ) -> None:
        super().__init__(directory, broker=broker, store=store.url, devices=fleet.devices, top=top)
        self._fleet = fleet
        self._speed = speed

    @property
    @override
    def env(self) -> dict[str, str]:
        """As any exporter's, and where this program is found."""
        env = super().env
        return env | {"PYTHONPATH": os.pathsep.join((str(REPOSITORY), env["PYTHONPATH"]))}

    @override
    async def start(self) -> None:
        """Agree on the time with the fleet, then start."""
        asked = time.time()
        simulated = await self.now()
        real = (asked + time.time()) / 2
        argv = (sys.executable, "-m", __name__, "--config", self.config, "run")
        env = self.env | {VARIABLE: f"{self._speed},{real},{simulated}"}
        self.process = Process("The exporter", argv, log=self.process.log, env=env)
        await super().start()

    async def now(self) -> float:
        """Return the fleet's time, Unix seconds."""
        return (await self._fleet.truth(self._fleet.devices[0])).ts


def _hurry() -> None:
    speed, real, simulated = map(float, os.environ[VARIABLE].split(","))
    true_time = time.time
    # Before anything is imported that remembers the function.
    time.time = lambda: simulated + (true_time() - real) * speed
    for name, allowance in _ALLOWANCES:
        module = importlib.import_module(name)
        setattr(module, allowance, getattr(module, allowance) * speed)
    failover = importlib.import_module("shelly_core.failover")
    failover.__dict__["Policy"] = partial(failover.Policy, **PATIENCE)
    importlib.import_module("shelly_exporter.rounds").__dict__.update(FIRST_S=TELEMETRY_S, ROUND_S=TELEMETRY_S)


if __name__ == "__main__":
    _hurry()
    sys.exit(importlib.import_module("shelly_exporter.__main__").main())
