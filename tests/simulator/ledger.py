"""Ground truth of one device: every watt-minute, edge and frame. Tests compare what others stored with this."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Self

from tests.simulator.wire import Json, dumps

MINUTE_S = 60
ENERGY_ROWS = 3 * 60 * 24 * 7
EDGES = 10_000
FRAMES = 20_000
TOLD = 200_000

KINDS = frozenset({
    "ble", "bthome", "cloud", "em", "em1", "em1data", "emdata", "eth", "input", "knx", "modbus", "mqtt", "switch",
    "sys", "temperature", "wifi", "ws",
})  # fmt: skip
"""Component types; any other key of a frame is something else."""

type Row = dict[str, Any]


class Told(str):
    """The text of a frame with status, and the row that the ledger keeps of it once it has arrived."""

    __slots__ = ("at", "row")
    at: float
    row: str

    def __new__(cls, text: str, at: float, row: str) -> Self:
        told = super().__new__(cls, text)
        told.at, told.row = at, row
        return told


class Ledger:
    """Bounded lists, oldest dropped; `dropped` says how many of each."""

    def __init__(self) -> None:
        self._energy: dict[tuple[int, str], Row] = {}
        self._unsaved: dict[tuple[int, str], Row] = {}
        self._lost: deque[Row] = deque(maxlen=EDGES)
        self._edges: deque[Row] = deque(maxlen=EDGES)
        self._frames: deque[Row] = deque(maxlen=FRAMES)
        self._told: deque[Told] | None = None
        self._http: Counter[int] = Counter()
        self._http_in_flight_max = 0
        self.counters: dict[str, dict[str, float]] = {}
        self.dropped = {"energy": 0, "edges": 0, "frames": 0}
        self.reported: dict[str, dict[str, Any]] = {}
        self.now: Callable[[], float] = lambda: 0.0
        self.before_read: Callable[[], None] = lambda: None

    def energy(self, phase: str, ts: float, act_wh: float, ret_wh: float) -> None:
        """Count what a phase drew and fed in from a true time on, within one minute. Wh, both positive."""
        key = (int(ts // MINUTE_S) * MINUTE_S, phase)
        if key not in self._energy and len(self._energy) >= ENERGY_ROWS:
            self._energy.pop(next(iter(self._energy)))
            self.dropped["energy"] += 1
        for rows in (self._energy, self._unsaved):
            row = rows.setdefault(key, {"minute": key[0], "phase": phase, "act_wh": 0.0, "ret_wh": 0.0})
            row["act_wh"] += act_wh
            row["ret_wh"] += ret_wh

    def energy_saved(self) -> None:
        """The device has written its counters: a power cut cannot take them any more."""
        self._unsaved.clear()

    def energy_lost(self) -> None:
        """A power cut: what flowed since the counters were saved is in no counter and no record."""
        for key, row in self._unsaved.items():
            if kept := self._energy.get(key):
                kept["act_wh"] -= row["act_wh"]
                kept["ret_wh"] -= row["ret_wh"]
            self._lost.append(row)
        self._unsaved.clear()

    def edge(
        self, ts: float, kind: str, number: int, *, source: str, on: bool | None = None, event: str | None = None
    ) -> None:
        """Note that a relay or an input changed, or that a button was pressed."""
        self._note(
            "edges", self._edges, {"ts": ts, "kind": kind, "id": number, "on": on, "event": event, "source": source}
        )

    def frame_sent(self, road: str, kind: str, frame: dict[str, Any]) -> None:
        """Note a frame that left on a road (mqtt, http, ws)."""
        self._note(
            "frames", self._frames, {"ts": self.now(), "road": road, "kind": kind, "components": components(frame)}
        )

    def keep_told(self) -> None:
        """From now on keep the content of every frame with status that arrived: much memory, so only on demand."""
        self._told = deque(maxlen=TOLD)
        self.dropped["told"] = 0

    def telling(self, text: str, road: str, kind: str, ts: Json, params: Json) -> str:
        """Return the text of a frame with status, which `arrived` notes if it comes to it as it is now."""
        if self._told is None:
            return text
        at = self.now()
        return Told(text, at, dumps({"ts": ts, "at": at, "road": road, "kind": kind, "params": params}))

    def answering(self, text: str, road: str, method: str, reply: dict[str, Any]) -> str:
        """As `telling` for the answer to Shelly.GetStatus; every other answer stays as it is."""
        if self._told is None or method.lower() != "shelly.getstatus" or "result" not in reply:
            return text
        result = reply["result"]
        return self.telling(text, road, "Shelly.GetStatus", result["sys"]["unixtime"], result)

    def arrived(self, payload: str | bytes) -> None:
        """Note that a payload has been acknowledged; only what `telling` has returned is kept."""
        if self._told is None or not isinstance(payload, Told):
            return
        if len(self._told) == self._told.maxlen:
            self.dropped["told"] += 1
        self._told.append(payload)

    def told(self, since: float = 0.0) -> str:
        """Return the rows of `telling` that arrived and were made from a true time on, as a JSON array."""
        if self._told is None:
            raise LookupError("what was told is not kept: start the simulator with --keep-told")
        return f"[{','.join(told.row for told in self._told if told.at >= since)}]"

    def http_answered(self, status: int) -> None:
        """Count an answer of the web server by its code."""
        self._http[status] += 1

    def http_in_flight(self, count: int) -> None:
        """Note how many HTTP requests are being served at this moment."""
        self._http_in_flight_max = max(self._http_in_flight_max, count)

    def report(self, key: str, ts: float, status: dict[str, Json]) -> None:
        """Lay what was told about a component over what was told before."""
        told = self.reported.setdefault(key, {"ts": ts, "status": {}})
        told["ts"] = ts
        told["status"].update(status)

    def read(self, since: float = 0.0) -> dict[str, Any]:
        """Everything from a true time on; the minute that contains it included; counts are of all time."""
        self.before_read()
        first = since - MINUTE_S
        return {
            "energy": _after(self._energy.values(), "minute", first),
            "lost": _after(self._lost, "minute", first),
            "counters": {phase: dict(wh) for phase, wh in self.counters.items()},
            "edges": _after(self._edges, "ts", since),
            "frames": _after(self._frames, "ts", since),
            "http": {str(status): count for status, count in sorted(self._http.items())},
            "http_in_flight_max": self._http_in_flight_max,
            "dropped": dict(self.dropped),
        }

    def _note(self, name: str, rows: deque[Row], row: Row) -> None:
        if len(rows) == rows.maxlen:
            self.dropped[name] += 1
        rows.append({key: value for key, value in row.items() if value is not None})


def components(frame: dict[str, Any]) -> list[str]:
    """The component keys that a frame tells about."""
    params = frame.get("params", frame.get("result", frame))
    if not isinstance(params, dict):
        return []
    events = params.get("events")
    if isinstance(events, list):
        return [event["component"] for event in events]
    return [key for key in params if key.partition(":")[0] in KINDS]


def _after(rows: Iterable[Row], column: str, first: float) -> list[Row]:
    return [dict(row) for row in rows if row[column] > first]
