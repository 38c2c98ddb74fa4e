"""How much memory InfluxDB may take, from how much there is."""

from dataclasses import dataclass
from pathlib import Path

_MIB = 1024 * 1024
_FALLBACK = 1024 * _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All in bytes but `queries`."""

    heap: int
    """When Go begins to collect garbage in earnest; what is mapped from files is not in it."""
    cache: int
    """What a shard may hold in memory; it refuses points beyond that."""
    snapshot: int
    """From what size on it is written to disk, so that `cache` is reached only if the disk does not keep up."""
    query: int
    """What a Flux query may take; InfluxQL knows no such limit."""
    queries: int
    """How many of those run at the same time."""


def limits(memory: int) -> Limits:
    """Return what suits a machine with `memory` bytes that InfluxDB shares with Home Assistant and Grafana."""
    return Limits(
        heap=_within(192, memory // 4, 2048),
        cache=_within(64, memory // 16, 512),
        snapshot=_within(8, memory // 160, 25),
        query=_within(32, memory // 32, 256),
        queries=2 if memory < 1536 * _MIB else 4,
    )


def available(meminfo: Path = Path("/proc/meminfo"), cap: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """Return the bytes of memory of this machine, or of this container if it may have less."""
    given = [size for size in (_total(meminfo), _cap(cap)) if size is not None]
    return min(given, default=_FALLBACK)


def _within(smallest: int, wanted: int, largest: int) -> int:
    """Return `wanted`, in whole MiB, within limits in MiB."""
    return min(max(wanted // _MIB, smallest), largest) * _MIB


def _total(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")), None)


def _cap(path: Path) -> int | None:
    """Return the limit of the container; the file says `max` if there is none."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
