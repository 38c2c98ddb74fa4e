"""What is written to InfluxDB: one table of measurements, from which lines, SCHEMA.md and checks are made.

Rules of the table. A tag never changes for the same component and has few values; what may change is a field. Every
number is a float, unless it counts or stands for a state, so that a type never changes. A point has the device's own
time, and holds what one frame told, so that writing it twice changes nothing. Names are the device's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from shelly_core import Phase

from .spool import Stream


class Type(StrEnum):
    """The type of a field, as line protocol knows it."""

    FLOAT = "float"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    STRING = "string"


class Column(NamedTuple):
    """A field: its name, what it means, and where the device tells it; `{}` stands for the phase, a dot for an object.

    `source` is `None` where the exporter knows it by itself.
    """

    name: str
    source: str | None
    meaning: str
    unit: str = ""
    type: Type = Type.FLOAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A measurement: one point for each frame of a component, or for each phase of it if `phases` are named."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    kind: str | None = None
    """The kind of component that it is made of; `None`: of something else."""
    phases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("channel", "device")
    stream: Stream = Stream.RAW
    rollup: bool = False
    """Whether it is kept with the rollups."""


PHASES = tuple(map(str, Phase))
TOTAL = "total"
"""The phase of what is true of all phases together."""

_ORIGIN = Column("origin", None, "the road of the frame: mqtt, http or backfill", type=Type.STRING)
_ERRORS = Column("errors", "errors", "errors the device names, by comma; empty once they are over", type=Type.STRING)


def _measured(prefix: str = "") -> tuple[Column, ...]:
    return (
        Column("voltage", f"{prefix}voltage", "voltage to neutral", "V"),
        Column("current", f"{prefix}current", "current", "A"),
        Column("act_power", f"{prefix}act_power", "active power, negative when fed in", "W"),
        Column("aprt_power", f"{prefix}aprt_power", "apparent power", "VA"),
        Column("pf", f"{prefix}pf", "power factor"),
        Column("freq", f"{prefix}freq", "frequency", "Hz"),
        Column("errors", f"{prefix}errors", _ERRORS.meaning, type=Type.STRING),
    )


_COUNTERS = (
    Column("total_act_energy", "{}_total_act_energy", "drawn since the counter began", "Wh"),
    Column("total_act_ret_energy", "{}_total_act_ret_energy", "fed in since the counter began", "Wh"),
)
_EXTREMES = tuple(
    Column(f"{which}_{name}", f"{{}}_{which}_{name}", f"{word} {meaning} in the minute", unit)
    for name, meaning, unit in (
        ("act_power", "active power", "W"),
        ("aprt_power", "apparent power", "VA"),
        ("voltage", "voltage", "V"),
        ("current", "current", "A"),
    )
    for which, word in (("max", "highest"), ("min", "lowest"), ("avg", "mean"))
    if which != "avg" or name in {"voltage", "current"}
)
_RECORDED = (
    Column("total_act_energy", "{}_total_act_energy", "drawn in the minute", "Wh"),
    Column("fund_act_energy", "{}_fund_act_energy", "drawn in the minute, fundamental wave", "Wh"),
    Column("total_act_ret_energy", "{}_total_act_ret_energy", "fed in during the minute", "Wh"),
    Column("fund_act_ret_energy", "{}_fund_act_ret_energy", "fed in during the minute, fundamental wave", "Wh"),
    Column("lag_react_energy", "{}_lag_react_energy", "lagging reactive energy of the minute", "varh"),
    Column("lead_react_energy", "{}_lead_react_energy", "leading reactive energy of the minute", "varh"),
    *_EXTREMES,
)


def _bare(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Return the columns of a component that has no phases."""
    return tuple(column._replace(source=f"{column.source}".replace("{}_", "")) for column in columns)


_ENERGY = (
    Column("import_kwh", None, "drawn", "kWh"),
    Column("export_kwh", None, "fed in", "kWh"),
    Column("resets", None, "how often the counter began anew", type=Type.INTEGER),
)

MEASUREMENTS: tuple[Measurement, ...] = (
    Measurement(
        name="em",
        meaning="A three-phase meter, by phase.",
        kind="em",
        phases=PHASES,
        tags=("channel", "device", "phase"),
        columns=_measured("{}_"),
    ),
    Measurement(
        name="em_wide",
        meaning="A three-phase meter as a whole.",
        kind="em",
        columns=(
            Column("total_act_power", "total_act_power", "active power of all phases", "W"),
            Column("total_aprt_power", "total_aprt_power", "apparent power of all phases", "VA"),
            Column("total_current", "total_current", "sum of the currents of all phases", "A"),
            *(Column(f"{phase}_current", f"{phase}_current", f"current of phase {phase}", "A") for phase in PHASES),
            Column("n_current", "n_current", "current of the neutral, if it has a clamp", "A"),
            _ERRORS._replace(name="n_errors", source="n_errors"),
            _ERRORS,
            _ORIGIN,
        ),
    ),
    Measurement(
        name="emdata",
        meaning="The energy counters of a three-phase meter, by phase. They only grow, unless they begin anew.",
        kind="emdata",
        phases=PHASES,
        tags=("channel", "device", "phase"),
        stream=Stream.COUNTERS,
        columns=_COUNTERS,
    ),
    Measurement(
        name="emdata_wide",
        meaning="The energy counters of a three-phase meter as a whole.",
        kind="emdata",
        stream=Stream.COUNTERS,
        columns=(
            Column("total_act", "total_act", "drawn by all phases since the counter began", "Wh"),
            Column("total_act_ret", "total_act_ret", "fed in by all phases since the counter began", "Wh"),
            _ERRORS,
            _ORIGIN,
        ),
    ),
    Measurement(
        name="emdata_1m",
        meaning="The meter's own record of each minute, by phase; its time is the start of the minute.",
        kind="record em",
        phases=PHASES,
        tags=("channel", "device", "phase"),
        stream=Stream.COUNTERS,
        columns=_RECORDED,
    ),
    Measurement(
        name="emdata_1m_wide",
        meaning="What the meter's record of a minute tells of the neutral conductor.",
        kind="record em",
        stream=Stream.COUNTERS,
        columns=(
            Column("max_n_current", "n_max_current", "highest current in the neutral", "A"),
            Column("min_n_current", "n_min_current", "lowest current in the neutral", "A"),
            Column("avg_n_current", "n_avg_current", "mean current in the neutral", "A"),
            _ORIGIN,
        ),
    ),
    Measurement(
        name="em1",
        meaning="A single-phase meter.",
        kind="em1",
        columns=(*_measured(), _ORIGIN),
    ),
    Measurement(
        name="em1data",
        meaning="The energy counters of a single-phase meter.",
        kind="em1data",
        stream=Stream.COUNTERS,
        columns=(*_bare(_COUNTERS), _ERRORS, _ORIGIN),
    ),
    Measurement(
        name="em1data_1m",
        meaning="A single-phase meter's own record of each minute.",
        kind="record em1",
        stream=Stream.COUNTERS,
        columns=(*_bare(tuple(column for column in _RECORDED if "fund" not in column.name)), _ORIGIN),
    ),
    Measurement(
        name="switch",
        meaning="A relay. The electrical quantities are there only if it has a meter, the counts since firmware 2.0.",
        kind="switch",
        stream=Stream.COUNTERS,
        columns=(
            Column("output", "output", "whether it is on", type=Type.BOOLEAN),
            Column("output_i", "output", "1 if it is on, else 0", type=Type.INTEGER),
            Column("source", "source", "who switched last", type=Type.STRING),
            Column("temperature", "temperature.tC", "temperature inside", "°C"),
            Column("timer_started_at", "timer_started_at", "start of its timer, Unix time", "s"),
            Column("timer_duration", "timer_duration", "length of its timer", "s"),
            Column("apower", "apower", "active power", "W"),
            Column("voltage", "voltage", "voltage", "V"),
            Column("current", "current", "current", "A"),
            Column("pf", "pf", "power factor"),
            Column("freq", "freq", "frequency", "Hz"),
            Column("act_energy", "aenergy.total", "drawn since the counter began", "Wh"),
            Column("act_ret_energy", "ret_aenergy.total", "fed in since the counter began", "Wh"),
            Column("on_time", "counts.on_time", "time it has been on", "s"),
            Column("switch_on", "counts.switch_on", "how often it was switched on", type=Type.INTEGER),
            Column(
                "on_above_thr", "counts.on_above_thr", "how often its load was above the threshold", type=Type.INTEGER
            ),
            _ERRORS,
            _ORIGIN,
        ),
    ),
    Measurement(
        name="input",
        meaning="An input.",
        kind="input",
        stream=Stream.COUNTERS,
        columns=(
            Column("state", "state", "whether it is on; not told by a push-button", type=Type.BOOLEAN),
            Column("state_i", "state", "1 if it is on, else 0", type=Type.INTEGER),
            _ORIGIN,
        ),
    ),
    Measurement(
        name="event",
        meaning="Something that happened at a component, such as a press of a button.",
        tags=("channel", "component", "device"),
        stream=Stream.COUNTERS,
        columns=(Column("event", None, "the device's name for it, such as single_push", type=Type.STRING),),
    ),
    Measurement(
        name="temperature",
        meaning="A temperature sensor.",
        kind="temperature",
        columns=(Column("temperature", "tC", "temperature", "°C"), _ERRORS, _ORIGIN),
    ),
    Measurement(
        name="device",
        meaning="The device itself; what several of its components tell.",
        tags=("device",),
        stream=Stream.COUNTERS,
        columns=(
            Column("uptime", "sys/uptime", "time since it started", "s"),
            Column("restart_required", "sys/restart_required", "whether it wants a restart", type=Type.BOOLEAN),
            Column("ram_size", "sys/ram_size", "memory", "B"),
            Column("ram_free", "sys/ram_free", "free memory", "B"),
            Column("fs_size", "sys/fs_size", "file system", "B"),
            Column("fs_free", "sys/fs_free", "free file system", "B"),
            Column("reset_reason", "sys/reset_reason", "why it started, the maker's number", type=Type.INTEGER),
            Column("rssi", "wifi/rssi", "strength of the wireless signal", "dBm"),
            Column("wifi_ip", "wifi/sta_ip", "address in the wireless network", type=Type.STRING),
            Column("eth_ip", "eth/ip", "address in the wired network", type=Type.STRING),
            Column("cloud", "cloud/connected", "whether it is connected to the maker's cloud", type=Type.BOOLEAN),
            Column("firmware", None, "version of its firmware", type=Type.STRING),
            Column("model", None, "the maker's model number", type=Type.STRING),
            Column("name", None, "the name its owner gave it", type=Type.STRING),
        ),
    ),
    Measurement(
        name="link",
        meaning="How the exporter reaches a device, twice a minute.",
        tags=("device",),
        columns=(
            Column("level", None, "ok, degraded or down", type=Type.STRING),
            Column("level_i", None, "0 ok, 1 degraded, 2 down", type=Type.INTEGER),
            Column("transport", None, "the link in use: mqtt, http or none", type=Type.STRING),
            Column("mqtt", None, "whether MQTT works", type=Type.BOOLEAN),
            Column("http", None, "whether HTTP works", type=Type.BOOLEAN),
            Column("data_age", None, "age of the newest reading", "s"),
            Column("mqtt_round_trip", None, "time of the last answer over MQTT", "s"),
            Column("http_round_trip", None, "time of the last answer over HTTP", "s"),
            Column("clock_offset", None, "the device's clock minus ours", "s"),
            Column("switchovers", None, "how often the link changed", type=Type.INTEGER),
            Column("rejects", None, "implausible or damaged readings so far", type=Type.INTEGER),
            Column("drops", None, "late or repeated frames so far", type=Type.INTEGER),
        ),
    ),
    Measurement(
        name="exporter",
        meaning="The exporter itself, twice a minute; the counts are of the time since the point before.",
        tags=("instance",),
        columns=(
            Column("messages", None, "MQTT messages taken", type=Type.INTEGER),
            Column("points", None, "lines put into the spool", type=Type.INTEGER),
            Column("rejects", None, "implausible or damaged readings", type=Type.INTEGER),
            Column("errors", None, "failed writes, refused lines and lines given up", type=Type.INTEGER),
            Column("dead_letters", None, "lines that InfluxDB refused", type=Type.INTEGER),
            Column("spool_bytes", None, "what waits in the spool", "B"),
            Column("spool_age", None, "how long the oldest of it has waited", "s"),
            Column("write_time", None, "time of the last write to InfluxDB", "s"),
            Column("broker", None, "whether the broker is connected", type=Type.BOOLEAN),
            Column("devices", None, "devices known", type=Type.INTEGER),
            Column("devices_down", None, "devices that nothing reaches", type=Type.INTEGER),
        ),
    ),
    Measurement(
        name="energy_1h",
        meaning=(
            "Energy of each hour, from the counters; its time is the start of the hour. The present hour still grows."
        ),
        tags=("channel", "device", "dow", "hour", "phase"),
        stream=Stream.COUNTERS,
        rollup=True,
        columns=_ENERGY,
    ),
    Measurement(
        name="energy_1d",
        meaning="Energy of each day, from the counters; its time is the start of the day.",
        tags=("channel", "device", "dow", "month", "phase", "year"),
        stream=Stream.COUNTERS,
        rollup=True,
        columns=_ENERGY,
    ),
)

TAGS = {
    "device": "the device's id, such as `shellypro3em-0cb815fcaf3c`",
    "channel": "the number of the component: `0` in `em:0`",
    "phase": "`a`, `b`, `c`; in the rollups also `total`",
    "component": "the kind of component, such as `input`",
    "instance": "the name of the exporter",
    "hour": "hour of the day, `00` to `23`, in the time zone that is set",
    "dow": "day of the week, `1` Monday to `7` Sunday",
    "month": "`01` to `12`",
    "year": "such as `2026`",
}


def of_kind(kind: str) -> Iterator[Measurement]:
    """Return the measurements that are made of a kind of component, such as `em`, or of its records: `record em`."""
    return (measurement for measurement in MEASUREMENTS if measurement.kind == kind)
