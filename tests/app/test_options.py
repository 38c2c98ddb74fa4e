"""From a document to options: what may be given, and what is said when it is wrong."""

from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import pytest

from shelly_app.options import (
    BrokerMode,
    DatabaseKind,
    DatabaseMode,
    Login,
    LogLevel,
    Options,
    OptionsError,
    Role,
    TlsMode,
    load,
)
from shelly_app.options.schema import KEYS, SECRETS
from tests.app.pairwise import combinations

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICE = "shellypro3em-3ce90e6ff1a0"
SECRET = "hunter2"
NO_FILE = "is no name of a file in /ssl: put the file there and give its name alone, such as fullchain.pem"
NO_HOST = "is no host: give a name or an address alone, without scheme, port and path"
NO_URL = "is no URL of a server: give it in the form http://host:port"


def problems(document: dict[str, Any]) -> list[str]:
    with pytest.raises(OptionsError) as caught:
        load(document)
    return list(caught.value.problems)


def section(key: str, value: Any) -> dict[str, Any]:
    """A document that gives one option."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)


def leaves(kind: type[Any] = Options, above: str = "") -> Iterator[tuple[str, bool]]:
    """The options as the model has them, and whether they are secret."""
    for field in fields(kind):
        if isinstance(field.type, type) and is_dataclass(field.type):
            yield from leaves(field.type, f"{above}{field.name}.")
        else:
            yield f"{above}{field.name}", not field.repr


def test_every_option_of_the_model_can_be_given() -> None:
    assert set(KEYS) == {key for key, _ in leaves()}
    assert set(SECRETS) == {key for key, hidden in leaves() if hidden}


def test_nothing_given_means_the_defaults() -> None:
    assert load({}) == Options()
    assert (
        load({"mqtt": {}, "time_zone": None, "boards": {"role": ""}, "database": {"url": "", "token": None}})
        == Options()
    )


def test_what_is_given_counts() -> None:
    options = load(
        {
            "log_level": "debug",
            "time_zone": "Europe/Berlin",
            "device_password": f" {SECRET} ",
            "mqtt": {
                "mode": "internal",
                "tls": {"mode": "own", "certfile": "live/cert.pem", "require_certificate": True},
                "devices": [DEVICE.upper()],
                "logins": [
                    {"username": "lab", "password": SECRET, "publish": ["lab/#"]},
                    {"username": "paula", "password": "", "subscribe": ["+/events/rpc", "$SYS/#"]},
                ],
            },
            "database": {"mode": "off", "retention_days": 90, "kind": "influxdb3", "url": "https://[fd00::1]:8181/"},
            "boards": {"enabled": False, "role": "Editor", "price_per_kwh": 1, "export_price_per_kwh": 0},
            "alerts": {"voltage_min": 90.5, "voltage_max": 132, "breaker_a": 125, "offline_minutes": 15},
        }
    )
    assert (options.log_level, options.time_zone, options.device_password) == (
        LogLevel.DEBUG,
        "Europe/Berlin",
        f" {SECRET} ",
    )
    assert options.mqtt.mode is BrokerMode.INTERNAL
    assert (options.mqtt.tls.mode, options.mqtt.tls.certfile) == (TlsMode.OWN, "live/cert.pem")
    assert options.mqtt.tls.keyfile == "privkey.pem"
    assert options.mqtt.devices == (DEVICE,)
    assert options.mqtt.logins == (
        Login(username="lab", password=SECRET, publish=("lab/#",)),
        Login(username="paula", subscribe=("+/events/rpc", "$SYS/#")),
    )
    assert (options.database.mode, options.database.kind) == (DatabaseMode.OFF, DatabaseKind.INFLUXDB3)
    assert options.database.url == "https://[fd00::1]:8181"
    assert options.boards.role is Role.EDITOR
    assert options.boards.price_per_kwh == 1.0
    assert isinstance(options.boards.price_per_kwh, float)
    assert options.alerts.voltage_max == 132.0


@pytest.mark.parametrize("host", ["broker", "core-mosquitto", "broker.example", "192.0.2.1", "fd00::1"])
def test_names_and_addresses_are_hosts(host: str) -> None:
    assert load({"mqtt": {"mode": "external", "host": f" {host} "}}).mqtt.host == host


def test_options_come_back_from_what_they_are_written_as() -> None:
    for options in combinations():
        assert load(asdict(options)) == options


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("log_level", "loud", "'loud' is no log level: give one of debug, info, warning, error"),
        ("log_level", 3, "3 is no log level: give one of debug, info, warning, error"),
        ("time_zone", "Europe/Berln", "'Europe/Berln' is no time zone: did you mean Europe/Berlin?"),
        ("time_zone", "Xyz", "'Xyz' is no time zone: give a name such as Europe/Berlin"),
        ("time_zone", "Europe", "'Europe' is no time zone: did you mean Europe/Rome?"),
        ("time_zone", "../../etc/passwd", "'../../etc/passwd' is no time zone: give a name such as Europe/Berlin"),
        ("mqtt.mode", True, "true is no broker: give one of auto, internal, external"),
        ("mqtt.host", "mqtt://x:1", f"'mqtt://x:1' {NO_HOST}"),
        ("mqtt.host", "fd00::1:xyz", f"'fd00::1:xyz' {NO_HOST}"),
        ("mqtt.host", ["a"], "a list is no text: give a single value, in quotes if it is a number"),
        ("mqtt.host", {"a": 1}, "a section is no text: give a single value, in quotes if it is a number"),
        ("mqtt.port", 0, "0 is no port: give a whole number from 1 to 65535"),
        ("mqtt.port", "1883.5", "'1883.5' is no port: give a whole number from 1 to 65535"),
        ("mqtt.port", True, "true is no port: give a whole number from 1 to 65535"),
        ("mqtt.username", "two\nlines", "this contains more than one line, or signs that cannot be seen: type it anew"),
        ("mqtt.tls.certfile", "/ssl/fullchain.pem", f"'/ssl/fullchain.pem' {NO_FILE}"),
        ("mqtt.tls.keyfile", "../data/secrets/x", f"'../data/secrets/x' {NO_FILE}"),
        ("mqtt.tls.cafile", ".", f"'.' {NO_FILE}"),
        ("mqtt.tls.require_certificate", "perhaps", "'perhaps' is no yes or no: give true or false"),
        ("mqtt.devices", {}, "a section is no list: write - before each entry"),
        ("mqtt.devices", 7, "7 is no list: write - before each entry"),
        ("database.retention_days", 29, "29 is no number of days: give a whole number from 30 to 90"),
        ("database.retention_days", 91, "91 is no number of days: give a whole number from 30 to 90"),
        ("database.url", "influx:8086", f"'influx:8086' {NO_URL}"),
        ("database.url", "http://x:99999", f"'http://x:99999' {NO_URL}"),
        ("database.url", "http://x:1/?db=a", f"'http://x:1/?db=a' {NO_URL}"),
        ("database.bucket", 'a"b', "'a\"b' is no name of a bucket: use letters, digits, - and _"),
        ("database.rollup_bucket", "a/b", "'a/b' is no name of a bucket: use letters, digits, - and _"),
        ("boards.price_per_kwh", "much", "'much' is no price: give a number from 0 to 100000"),
        ("boards.price_per_kwh", "nan", "'nan' is no price: give a number from 0 to 100000"),
        ("boards.price_per_kwh", -0.1, "-0.1 is no price: give a number from 0 to 100000"),
        ("alerts.offline_minutes", 0, "0 is no number of minutes: give a whole number from 1 to 1440"),
        ("alerts.breaker_a", 10**400, f"{str(10**400)[:80]} is no rating in A: give a number from 1 to 1000"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_its_option_and_the_remedy(key: str, value: Any, said: str) -> None:
    assert problems(section(key, value)) == [f"{key}: {said}"]


@pytest.mark.parametrize("key", [key for key, hidden in leaves() if hidden])
def test_a_wrong_secret_is_not_shown(key: str) -> None:
    for value in ([SECRET], {SECRET: SECRET}, 7012, f"{SECRET}\nmore"):
        said = "\n".join(problems(section(key, value)))
        assert key in said
        assert SECRET not in said
        assert "7012" not in said


def test_what_may_contain_a_password_is_not_shown() -> None:
    (url,) = problems(section("database.url", f"http://me:{SECRET}@host:8086"))
    assert url == "database.url: this URL contains a user or password: give them as username and password, or token"
    (host,) = problems(section("mqtt.host", f"me:{SECRET}@host"))
    assert host.startswith("mqtt.host: this (not shown, it may contain a password) is no host: ")


def test_secrets_are_not_in_the_representation() -> None:
    login = {"username": "lab", "password": SECRET, "publish": ["lab/#"]}
    options = load({"device_password": SECRET, "mqtt": {"logins": [login]}, "database": {"token": SECRET}})
    assert options.device_password == SECRET
    assert SECRET not in repr(options)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"loglevel": "info"}, "loglevel: is no option: did you mean log_level?"),
        ({"mqtt": {"tls": {"cert": "x"}}}, "mqtt.tls.cert: is no option: did you mean mqtt.tls.certfile?"),
        ({"mqtt": {"retention_days": 1}}, "mqtt.retention_days: is no option: did you mean database.retention_days?"),
        ({"mqtt": {"certfile": 1}}, "mqtt.certfile: is no option: did you mean mqtt.tls.certfile?"),
        (
            {"boards": {"xyz": 1}},
            "boards.xyz: is no option: there are enabled, role, price_per_kwh, export_price_per_kwh",
        ),
        ({"mqtt": "internal"}, "mqtt: is a section: write its options below it, indented, such as mqtt.mode"),
        (
            {"mqtt": {"tls": "own"}},
            "mqtt.tls: is a section: write its options below it, indented, such as mqtt.tls.mode",
        ),
    ],
)
def test_an_unknown_option_leads_to_the_one_that_was_meant(document: dict[str, Any], said: str) -> None:
    assert problems(document) == [said]


def test_all_problems_are_told_at_once() -> None:
    said = problems({"log_level": "x", "mqtt": {"port": 0, "nope": 1}, "alerts": {"voltage_min": 260}})
    assert sorted(problem.partition(":")[0] for problem in said) == [
        "alerts.voltage_min",
        "log_level",
        "mqtt.nope",
        "mqtt.port",
    ]
