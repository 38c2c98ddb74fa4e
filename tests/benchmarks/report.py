"""What a benchmark found: figures as a table for people and as JSON for whoever compares runs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, override

from tests.demo.printing import table
from tests.stack import REPOSITORY

ARTIFACTS = REPOSITORY / "test-artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure that has to be at most `limit`."""

    what: str
    value: float
    limit: float
    unit: str = ""

    @property
    def reached(self) -> bool:
        """Whether the figure is low enough."""
        return self.value <= self.limit

    @override
    def __str__(self) -> str:
        """One line: what, how much, and how much it may be."""
        verdict = "reached" if self.reached else "MISSED"
        return f"{verdict}: {self.what} {self.value:.2f}{self.unit} (target: at most {self.limit:g}{self.unit})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One benchmark's outcome: a table, remarks on how it was measured, targets, and everything as JSON."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    targets: Sequence[Target]
    remarks: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Return what is printed."""
        lines = [f"== {self.name} ==", table(self.header, self.rows), *self.remarks, *map(str, self.targets)]
        return "\n".join(lines)

    def save(self, *, quick: bool) -> Path:
        """Write `benchmark-<name>.json`, or `…-quick.json`, to the artefacts and return its path."""
        targets = [
            {"what": target.what, "value": target.value, "limit": target.limit, "reached": target.reached}
            for target in self.targets
        ]
        content = {"measured": _circumstances(quick=quick), "targets": targets} | dict(self.data)
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"benchmark-{self.name}{'-quick' if quick else ''}.json"
        path.write_text(json.dumps(content, indent=1) + "\n")
        return path


def _circumstances(*, quick: bool) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load_average": os.getloadavg(),
    }
