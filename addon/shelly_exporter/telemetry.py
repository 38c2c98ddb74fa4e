"""What the exporter tells of itself and of the roads to the devices, as points like all others."""

from dataclasses import dataclass, field

from shelly_core import Health, Level, Transport

from .points import line

LEVELS = {Level.OK: 0, Level.DEGRADED: 1, Level.DOWN: 2}


def link_line(device: str, health: Health, ts: float) -> bytes | None:
    """Return how a device is reached at a moment."""
    mqtt, http = health.links.get(Transport.MQTT), health.links.get(Transport.HTTP)
    fields = {
        "level": health.level,
        "level_i": LEVELS[health.level],
        "transport": "none" if health.active is None else health.active,
        "mqtt": None if mqtt is None else mqtt.delivers,
        "http": None if http is None else http.delivers,
        "data_age": health.data_age_s,
        "mqtt_round_trip": None if mqtt is None else mqtt.round_trip_s,
        "http_round_trip": None if http is None else http.round_trip_s,
        "clock_offset": health.clock.offset_s,
        "switchovers": health.switchovers,
        "rejects": sum(health.rejects.values()),
        "drops": sum(health.drops.values()),
    }
    return line("link", {"device": device}, fields, ts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts since the exporter started."""

    messages: int = 0
    points: int = 0
    rejects: int = 0
    errors: int = 0
    dead_letters: int = 0


@dataclass(slots=True)
class ExporterLines:
    """Makes the points of one exporter; each counts from the one before, so that a restart counts from 0."""

    instance: str
    _last: Totals = field(default_factory=Totals)

    def line(self, totals: Totals, state: dict[str, float | bool | int | None], ts: float) -> bytes | None:
        """Return the point of a moment; `state` are the fields that are no counts."""
        names = ("messages", "points", "rejects", "errors", "dead_letters")
        counts = {name: getattr(totals, name) - getattr(self._last, name) for name in names}
        self._last = totals
        return line("exporter", {"instance": self.instance}, {**counts, **state}, ts)
