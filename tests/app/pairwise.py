"""Combinations of options in which every two values that matter for rendering meet at least once."""

from itertools import combinations as subsets
from typing import TYPE_CHECKING, Any

from shelly_app.options import Options, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

type Choice = tuple[str, int]
"""A factor, and which of its values."""
type Row = Mapping[str, int]
"""Which value of each factor."""

ODD = "p'\"$${x} %(y)s \\ #ü€:{}"
"""A password that no file may get wrong."""
DEVICES = ("shellypro3em-3ce90e6ff1a0", "shellypro3-3ce90e6f0001", "shellypro3em-3ce90e6f0002")

_LOGIN = {"username": "lab", "password": ODD, "publish": ["lab/#"], "subscribe": ["lab/#", "+/events/rpc"]}
_USER = {"username": "paula@example.com", "subscribe": ["#"]}
_EXTERNAL = {"database.mode": "external", "database.url": "http://127.0.0.1:8086"}
_V1 = {**_EXTERNAL, "database.kind": "influxdb1"}
_V2 = {**_EXTERNAL, "database.kind": "influxdb2", "database.organisation": "home", "database.token": ODD}
_V3 = {**_EXTERNAL, "database.kind": "influxdb3", "database.url": "https://127.0.0.1:8181"}

FACTORS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "broker": (
        {},
        {"mqtt.mode": "internal"},
        {"mqtt.mode": "external", "mqtt.host": "192.0.2.1"},
        {
            "mqtt.mode": "external",
            "mqtt.host": "broker.example",
            "mqtt.port": 8884,
            "mqtt.username": "exporter",
            "mqtt.password": ODD,
        },
    ),
    "tls": (
        {},
        {"mqtt.tls.mode": "generated"},
        {"mqtt.tls.mode": "generated", "mqtt.tls.require_certificate": True},
        {"mqtt.tls.mode": "own"},
        {"mqtt.tls.mode": "own", "mqtt.tls.require_certificate": True},
        {"mqtt.tls.mode": "own", "mqtt.tls.require_certificate": True, "mqtt.tls.cafile": "ca.pem"},
    ),
    "devices": ({}, {"mqtt.devices": DEVICES[:1]}, {"mqtt.devices": DEVICES}),
    "logins": ({}, {"mqtt.logins": [_LOGIN]}, {"mqtt.logins": [_USER]}, {"mqtt.logins": [_LOGIN, _USER]}),
    "database": (
        {},
        {"database.mode": "off"},
        _V1,
        {
            **_V1,
            "database.username": "writer",
            "database.password": ODD,
            "database.reader_username": "reader",
            "database.reader_password": ODD,
        },
        _V2,
        {**_V2, "database.reader_token": "reader", "database.bucket": "house", "database.rollup_bucket": "house_hours"},
        {**_V3, "database.token": "apiv3_writer"},
        _V3,
    ),
    "retention": (
        {},
        {"database.retention_days": 30, "database.rollup_retention_days": 30},
        {"database.retention_days": 90, "database.rollup_retention_days": 36500},
    ),
    "boards": ({}, {"boards.enabled": False}, {"boards.role": "Editor"}),
    "prices": ({}, {"boards.price_per_kwh": 0, "boards.export_price_per_kwh": 100_000}),
    "alerts": (
        {},
        {"alerts.enabled": False},
        {
            "alerts.offline_minutes": 1440,
            "alerts.voltage_min": 90.5,
            "alerts.voltage_max": 132,
            "alerts.breaker_a": 125,
        },
    ),
    "log level": ({}, {"log_level": "debug"}, {"log_level": "warning"}, {"log_level": "error"}),
    "time zone": ({}, {"time_zone": "Europe/Berlin"}, {"time_zone": "America/Argentina/Buenos_Aires"}),
    "device password": ({}, {"device_password": ODD}),
}
"""What is combined: each value is a set of options by key, which make sense with every value of the other factors."""


def combinations() -> list[Options]:
    """Return about fifty options, the same ones at each call."""
    return [load(document(row)) for row in rows(FACTORS)]


def rows(factors: Mapping[str, Sequence[object]]) -> list[Row]:
    """Return rows in which every two values of different factors meet; greedy, so a few more than there could be."""
    missing = dict.fromkeys(_pairs(factors))  # a set that remembers the order, so that each call returns the same
    found: list[Row] = []
    while missing:
        row = dict(next(iter(missing)))
        for factor, values in factors.items():
            if factor not in row:
                row[factor] = max(range(len(values)), key=lambda value: _gain(row, (factor, value), missing))
        for pair in subsets(((factor, row[factor]) for factor in factors), 2):
            missing.pop(pair, None)
        found.append(row)
    return found


def document(row: Row) -> dict[str, Any]:
    """Return the options of a row in sections, as Supervisor keeps them."""
    sections: dict[str, Any] = {}
    for factor, value in row.items():
        for key, option in FACTORS[factor][value].items():
            *path, last = key.split(".")
            place = sections
            for name in path:
                place = place.setdefault(name, {})
            place[last] = option
    return sections


def _pairs(factors: Mapping[str, Sequence[object]]) -> Iterator[tuple[Choice, Choice]]:
    for one, other in subsets(factors, 2):
        for value in range(len(factors[one])):
            yield from (((one, value), (other, second)) for second in range(len(factors[other])))


def _gain(row: Row, choice: Choice, missing: Mapping[tuple[Choice, Choice], None]) -> int:
    """Return how many missing pairs a choice makes with what the row has already."""
    return sum((known, choice) in missing or (choice, known) in missing for known in row.items())
