"""The service definitions of s6-rc, as https://skarnet.org/software/s6-rc/s6-rc-compile.html describes the files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

BASE = "base"
"""What s6-overlay brings; everything depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A folder of s6-rc.d."""

    folder: Path
    kind: str
    """`oneshot`, `longrun` or `bundle`."""
    dependencies: frozenset[str]
    contents: frozenset[str]
    """What a bundle stands for."""

    @property
    def notifies(self) -> bool:
        """Whether it tells when it is ready."""
        return (self.folder / "notification-fd").exists()


type Definitions = Mapping[str, Definition]


def read(folder: Path) -> dict[str, Definition]:
    """Return all definitions by name."""
    return {
        path.name: Definition(
            folder=path,
            kind=(path / "type").read_text().strip(),
            dependencies=_names(path / "dependencies.d"),
            contents=_names(path / "contents.d"),
        )
        for path in sorted(folder.iterdir())
    }


def members(definitions: Definitions, name: str) -> frozenset[str]:
    """Return the services a name stands for: itself, or all in the bundle."""
    if name == BASE:
        return frozenset()
    definition = definitions[name]
    if definition.kind != "bundle":
        return frozenset({name})
    return frozenset[str]().union(*(members(definitions, content) for content in definition.contents))


def needs(definitions: Definitions, name: str) -> frozenset[str]:
    """Return the services that `name` needs directly."""
    return frozenset[str]().union(*(members(definitions, other) for other in definitions[name].dependencies))


def closure(definitions: Definitions, names: Iterable[str]) -> frozenset[str]:
    """Return the services that run when `names` run: they and all they need."""
    found: set[str] = set()
    waiting = [member for name in names for member in members(definitions, name)]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting.extend(needs(definitions, name))
    return frozenset(found)


def order(definitions: Definitions, names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` and all they need, what is needed first; ValueError when they need each other in a circle."""
    left = set(closure(definitions, names))
    ordered: list[str] = []
    while left:
        ready = sorted(name for name in left if not needs(definitions, name) & left)
        if not ready:
            raise ValueError(f"these services need each other: {', '.join(sorted(left))}")
        ordered += ready
        left -= set(ready)
    return tuple(ordered)


def _names(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()
