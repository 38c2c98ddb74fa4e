"""What all panels have in common."""

from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, ClassVar

from .fields import Field, Override
from .sources import Source
from .target import Target
from .transformations import Transformation

WIDE = 24
HALF = 12
"""Half as wide; a phone shows it as wide as all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel, but not yet of a kind. Its `id` is part of links and alert rules: it stays, wherever the panel goes."""

    kind: ClassVar[str]
    id: int
    title: str
    description: str
    """What is seen, in the words of somebody who has not read the schema."""
    targets: tuple[Target, ...] = ()
    field: Field
    overrides: tuple[Override, ...] = ()
    transformations: tuple[Transformation, ...] = ()
    width: int = WIDE
    height: int = 8
    interval: str | None = None
    """The shortest `$__interval`."""
    time_from: str | None = None
    """From when on it shows, whatever time the board shows; `now/d` is today."""
    time_shift: str | None = None
    """How much earlier than the board."""

    def json(self, x: int, y: int) -> dict[str, Any]:
        """Return it as Grafana knows it, at its place in the grid."""
        times: dict[str, Any] = {
            "hideTimeOverride": True if self.time_from or self.time_shift else None,
            "interval": self.interval,
            "timeFrom": self.time_from,
            "timeShift": self.time_shift,
        }
        return {
            "datasource": self._source().reference,
            "description": self.description,
            "fieldConfig": {
                "defaults": self.field.json(self.custom()),
                "overrides": [override.json() for override in self.overrides],
            },
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "id": self.id,
            "options": self.options(),
            "targets": [target.json(letter) for target, letter in zip(self.targets, ascii_uppercase, strict=False)],
            "title": self.title,
            "transformations": list(self.transformations),
            "type": self.kind,
        } | {name: value for name, value in times.items() if value is not None}

    def options(self) -> dict[str, Any]:
        """Return the options of this kind of panel."""
        raise NotImplementedError

    def custom(self) -> dict[str, Any]:
        """Return how this kind of panel draws a field."""
        return {}

    def _source(self) -> Source:
        return self.targets[0].source if self.targets else Source.READINGS
