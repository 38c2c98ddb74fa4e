"""A store in memory that refuses as InfluxDB does: what must be left in it is known without asking a server."""

from shelly_exporter.line_protocol import parse
from shelly_exporter.targets import Refused


class MemoryStore:
    """Points older than `oldest` are refused, and fields of another type than in `types`, by (measurement, field).

    With `partial` the good lines of a refused body are stored, as InfluxDB 1 does; without, none, as for lines that
    InfluxDB 2 cannot parse. With `mute` it does not say what is wrong.
    """

    def __init__(self, *, oldest: int = 0, partial: bool = True, mute: bool = False) -> None:
        self.oldest = oldest
        self.partial = partial
        self.mute = mute
        self.types: dict[tuple[str, str], str] = {}
        self.points: dict[tuple[bytes, int], dict[str, bytes]] = {}
        """Fields by key and time."""
        self.writes = 0

    async def write(self, body: bytes) -> None:
        """Take what is good, and raise `Refused` for the rest."""
        self.writes += 1
        problems: list[str] = []
        good: list[bytes] = []
        for line in body.split(b"\n"):
            problem = self._problem(line)
            if problem is None:
                good.append(line)
            else:
                problems.append(problem)
        if self.partial or not problems:
            for line in good:
                self._store(line)
        if problems:
            raise Refused("no" if self.mute else self._reason(problems))

    def _problem(self, line: bytes) -> str | None:
        parts = parse(line)
        if parts is None:
            return f"unable to parse '{line.decode()}': invalid field format"
        measurement = parts.key.partition(b",")[0].decode()
        for name, value in (field.decode().split("=", 1) for field in parts.fields):
            kind, known = _kind(value), self.types.get((measurement, name))
            if known not in {None, kind}:
                where = f'input field "{name}" on measurement "{measurement}"'
                return f"field type conflict: {where} is type {kind}, already exists as type {known}"
        if int(parts.time or 0) < self.oldest:
            return "points beyond retention policy"
        return None

    def _reason(self, problems: list[str]) -> str:
        """InfluxDB speaks of all lines it cannot parse, else of one thing only, and counts what it has dropped."""
        unparsable = [problem for problem in problems if problem.startswith("unable")]
        if unparsable:
            return "partial write: " + "\n".join(unparsable) + " dropped=0"
        conflicts = [problem for problem in problems if problem.startswith("field")]
        said = conflicts[-1] if conflicts else problems[0]
        return f"partial write: {said} dropped={len(conflicts) or len(problems)}"

    def _store(self, line: bytes) -> None:
        parts = parse(line)
        assert parts is not None
        point = self.points.setdefault((parts.key, int(parts.time or 0)), {})
        measurement = parts.key.partition(b",")[0].decode()
        for name, value in (field.split(b"=", 1) for field in parts.fields):
            point[name.decode()] = value
            self.types.setdefault((measurement, name.decode()), _kind(value.decode()))


def _kind(value: str) -> str:
    return "integer" if value.endswith("i") else "float"
