"""The variables of boards: what a person chooses, and what the app sets from its options."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .sources import READINGS_UID, ROLLUPS_UID, Source

ALL = "$__all"
_HIDDEN = 2
_AT_EVERY_TIME = 2
"""Ask for the choices again whenever the shown time changes."""


class Variable(Protocol):
    """Anything that can be a variable of a board."""

    def json(self) -> dict[str, Any]:
        """Return it as Grafana knows it."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """Which of Grafana's data sources is asked: one can look at another database with the same boards."""

    source: Source
    uid: str
    title: str

    def json(self) -> dict[str, Any]:
        """Return it as Grafana knows it."""
        return {
            "current": {"text": self.title, "value": self.uid},
            "hide": _HIDDEN,
            "label": self.title,
            "name": str(self.source),
            "query": "influxdb",
            "type": "datasource",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Several of the values that a tag has."""

    name: str
    label: str
    description: str
    query: str
    """Names one measurement: Grafana takes the first series of the answer only."""
    source: Source = Source.READINGS

    def json(self) -> dict[str, Any]:
        """Return it as Grafana knows it."""
        return {
            "current": {"text": ["All"], "value": [ALL]},
            "datasource": self.source.reference,
            "description": self.description,
            "includeAll": True,
            "label": self.label,
            "multi": True,
            "name": self.name,
            "query": self.query,
            "refresh": _AT_EVERY_TIME,
            "sort": 1,
            "type": "query",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One, or several, of a few values that are known."""

    name: str
    label: str
    description: str
    values: Sequence[str]
    several: bool = False
    """Whether several can be chosen, and all are at first; else the first is."""

    def json(self) -> dict[str, Any]:
        """Return it as Grafana knows it."""
        options = [{"selected": False, "text": value, "value": value} for value in self.values]
        if self.several:
            current: dict[str, Any] = {"text": ["All"], "value": [ALL]}
        else:
            current = {"text": self.values[0], "value": self.values[0]}
        return {
            "current": current,
            "description": self.description,
            "includeAll": self.several,
            "label": self.label,
            "multi": self.several,
            "name": self.name,
            "options": options,
            "query": ",".join(self.values),
            "type": "custom",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A value that the app sets from its options when it starts; see `rendering`."""

    name: str
    description: str
    value: str

    def json(self) -> dict[str, Any]:
        """Return it as Grafana knows it."""
        return {
            "current": {"text": self.value, "value": self.value},
            "description": self.description,
            "hide": _HIDDEN,
            "name": self.name,
            "query": self.value,
            "skipUrlSync": True,
            "type": "constant",
        }


READINGS = DataSource(Source.READINGS, READINGS_UID, "Shelly")
ROLLUPS = DataSource(Source.ROLLUPS, ROLLUPS_UID, "Shelly rollups")
DEVICE = Query(
    name="device",
    label="Device",
    description="The devices that are shown",
    query='SHOW TAG VALUES FROM "link" WITH KEY = "device"',
)
PHASE = Choice(
    name="phase", label="Phase", description="The phases that are shown", values=("a", "b", "c"), several=True
)
TIME_ZONE = Constant(name="tz", description="The time zone whose hours and days count", value="UTC")
BREAKER = Constant(name="breaker", description="The rating of the main breaker in A", value="32")
PRICE = Constant(name="price", description="What a kWh costs", value="0.3")
EXPORT_PRICE = Constant(name="export_price", description="What a kWh earns that is fed in", value="0.08")
