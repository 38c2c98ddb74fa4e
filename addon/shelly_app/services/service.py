"""A service as it is written down by `prepare` and read by whatever starts, ends or checks it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder that a service needs; it is made, and belongs to the service's user."""

    path: Path
    mode: int = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program that runs as long as the app does. Nothing in here is a secret."""

    name: str
    enabled: bool
    """A service that is not enabled counts as running, and does nothing."""
    argv: tuple[str, ...]
    user: str | None = None
    """The system user it runs as; `None`: whoever starts it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """All it gets, besides PATH and `keeps`."""
    keeps: tuple[str, ...] = ()
    """Names of variables that are passed on; their values are secrets and stay out of the file."""
    ready: int | None = None
    """The port it listens on when it is ready."""
    waits_for: tuple[Path, ...] = ()
    """Files that must be there before it starts."""
    folders: tuple[Folder, ...] = ()

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Return a service from its values in the file."""
        return cls(
            name=values["name"],
            enabled=values["enabled"],
            argv=tuple(values["argv"]),
            user=values["user"],
            environment=values["environment"],
            keeps=tuple(values["keeps"]),
            ready=values["ready"],
            waits_for=tuple(map(Path, values["waits_for"])),
            folders=tuple(Folder(path=Path(folder["path"]), mode=folder["mode"]) for folder in values["folders"]),
        )


def text(services: Iterable[Service]) -> str:
    """Return what is written down, to be read by `load`."""
    return json.dumps([asdict(service) for service in services], indent=1, default=str) + "\n"


def load(path: Path) -> dict[str, Service]:
    """Return the services by name; FileNotFoundError when nothing was prepared."""
    return {values["name"]: Service.parse(values) for values in json.loads(path.read_text())}
