"""Options that make no sense together, and logins of the broker."""

from typing import TYPE_CHECKING, Any

import pytest

from shelly_app.options import OptionsError, load

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVICE = "shellypro3em-3ce90e6ff1a0"
OTHER = "shellypro3-3ce90e6f0001"
EXTERNAL = {"mode": "external", "url": "http://influx:8086"}
V2 = {**EXTERNAL, "organisation": "home", "token": "t"}
CONTRADICTIONS: Sequence[tuple[dict[str, Any], list[str]]] = [
    (
        {"mqtt": {"mode": "external"}},
        ["mqtt.host: is not given: give the address of your broker, or set mqtt.mode to auto"],
    ),
    (
        {"mqtt": {"mode": "external", "host": "x", "password": "p"}},
        ["mqtt.password: is given without mqtt.username: both are needed to log in"],
    ),
    (
        {"mqtt": {"tls": {"require_certificate": True}}},
        [
            (
                "mqtt.tls.require_certificate: has no effect, as connections are not encrypted: "
                "set mqtt.tls.mode to generated or own"
            )
        ],
    ),
    (
        {"mqtt": {"devices": [DEVICE, OTHER, DEVICE]}},
        [f"mqtt.devices: {DEVICE} is there more than once: take the others away"],
    ),
    (
        {"database": {"mode": "external", "kind": "influxdb1"}},
        ["database.url: is not given: give the address of your database, or set database.mode to internal"],
    ),
    (
        {"database": EXTERNAL},
        [
            "database.organisation: is not given: give its name as InfluxDB 2 shows it",
            "database.token: is not given: make one in InfluxDB 2 that may write, and give it here",
        ],
    ),
    (
        {"database": {**V2, "bucket": "a", "rollup_bucket": "a"}},
        [
            (
                "database.rollup_bucket: is the same as database.bucket, so readings and hourly energy "
                "cannot be kept for different times: give another name"
            )
        ],
    ),
    (
        {"database": {**V2, "username": "u", "password": "p"}},
        [("database.token: is given together with database.username: take one of them away, only one can be used")],
    ),
    (
        {"database": {**V2, "reader_username": "u"}},
        ["database.reader_username: is given without database.reader_password: both are needed to log in"],
    ),
    (
        {"database": {**EXTERNAL, "kind": "influxdb1", "password": "p"}},
        ["database.password: is given without database.username: both are needed to log in"],
    ),
    (
        {"database": {"rollup_retention_days": 59}},
        [
            (
                "database.rollup_retention_days: 59 days are fewer than the 60 of database.retention_days: "
                "give at least as many, or 0 for ever"
            )
        ],
    ),
    (
        {"alerts": {"voltage_max": 207}},
        [("alerts.voltage_min: 207 V is not below alerts.voltage_max, 207 V: give a lower one, or raise the other")],
    ),
]


def problems(document: dict[str, Any]) -> list[str]:
    with pytest.raises(OptionsError) as caught:
        load(document)
    return list(caught.value.problems)


@pytest.mark.parametrize(("document", "said"), CONTRADICTIONS)
def test_contradictions_name_the_remedy(document: dict[str, Any], said: list[str]) -> None:
    assert problems(document) == said


@pytest.mark.parametrize(
    "document",
    [
        {"mqtt": {"mode": "external", "host": "x", "username": "u"}},
        {"mqtt": {"mode": "internal", "password": "left from before"}},
        {"mqtt": {"mode": "external", "host": "x", "tls": {"require_certificate": True}}},
        {"database": {"mode": "internal", "password": "p", "token": "t", "bucket": "shelly_rollups"}},
        {"database": {**EXTERNAL, "kind": "influxdb1"}},
        {"database": {**EXTERNAL, "kind": "influxdb3"}},
        {"database": {**EXTERNAL, "organisation": "home", "username": "u", "password": "p"}},
        {"database": {"retention_days": 30, "rollup_retention_days": 30}},
    ],
)
def test_what_makes_sense_is_taken(document: dict[str, Any]) -> None:
    load(document)


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"mqtt": {"mode": "external", "host": "a b"}}, "mqtt.host"),
        ({"mqtt": {"mode": "extern"}}, "mqtt.mode"),
        ({"mqtt": {"mode": "external", "host": "x", "username": ["u"], "password": "p"}}, "mqtt.username"),
        ({"database": {**EXTERNAL, "kind": "influx"}}, "database.kind"),
        ({"database": {**V2, "token": 7}}, "database.token"),
        ({"database": {"retention_days": 20, "rollup_retention_days": 40}}, "database.retention_days"),
        ({"alerts": {"voltage_max": "high", "voltage_min": 300}}, "alerts.voltage_max"),
    ],
)
def test_a_wrong_value_is_not_taken_for_a_missing_one(document: dict[str, Any], key: str) -> None:
    (problem,) = problems(document)
    assert problem.startswith(f"{key}: ")


@pytest.mark.parametrize("name", ["homeassistant", "addons", "shelly-exporter"])
def test_logins_of_the_app_cannot_be_given(name: str) -> None:
    login = {"username": name, "publish": ["#"]}
    assert problems({"mqtt": {"logins": [login]}}) == [
        f"mqtt.logins: {name} is a login of the app itself: give another name"
    ]


def test_a_login_cannot_have_the_name_of_a_device() -> None:
    login = {"username": DEVICE, "publish": ["#"]}
    assert problems({"mqtt": {"devices": [DEVICE], "logins": [login]}}) == [
        f"mqtt.logins: {DEVICE} is in mqtt.devices, which makes a login: take one of them away"
    ]
    assert load({"mqtt": {"devices": [OTHER], "logins": [login]}}).mqtt.logins[0].username == DEVICE


def test_a_login_is_there_once() -> None:
    login = {"username": "lab", "publish": ["#"]}
    assert problems({"mqtt": {"logins": [login, {**login, "username": "Lab"}, login]}}) == [
        "mqtt.logins: lab is there more than once: write its topics into one login"
    ]


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (
            "shellypro3em",
            (
                "mqtt.devices, entry 2: 'shellypro3em' is no id of a device: "
                "give it in the form shellypro3em-3ce90e6ff1a0, as the device shows it"
            ),
        ),
        (
            "shelly pro-3ce90e6ff1a0",
            (
                "mqtt.devices, entry 2: 'shelly pro-3ce90e6ff1a0' is no id of a device: "
                "give it in the form shellypro3em-3ce90e6ff1a0, as the device shows it"
            ),
        ),
    ],
)
def test_an_id_has_the_form_of_an_id(device: str, said: str) -> None:
    assert problems({"mqtt": {"devices": [OTHER, device]}}) == [said]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a/#/b", "'a/#/b' is no topic filter: # can stand at the end only, such as house/#"),
        ("a#", "'a#' is no topic filter: + and # stand for whole levels, such as house/+/state or house/#"),
        ("a/b+/c", "'a/b+/c' is no topic filter: + and # stand for whole levels, such as house/+/state or house/#"),
        (" ", "this is empty: give a topic such as house/#, or take the entry away"),
        ("ü" * 32768, "this is too long for a topic: give at most 65535 bytes"),
        ("a\nuser addons", "this contains more than one line, or signs that cannot be seen: type it anew"),
        (7, "7 is no text: give a single value, in quotes if it is a number"),
    ],
)
def test_topics_are_topics(given: Any, said: str) -> None:
    logins = [{"username": "a", "publish": ["#"]}, {"username": "b", "subscribe": ["x", given]}]
    assert problems({"mqtt": {"logins": logins}}) == [f"mqtt.logins, entry 2, subscribe, entry 2: {said}"]


@pytest.mark.parametrize("topic", ["#", "+", "a/+/b/#", "+/+", "/a//b", "$SYS/#", "with space", "a" * 65535])
def test_every_topic_filter_is_taken(topic: str) -> None:
    assert load({"mqtt": {"logins": [{"username": "a", "publish": [topic]}]}}).mqtt.logins[0].publish == (topic,)


def test_all_that_is_wrong_with_logins_is_told() -> None:
    logins = [
        "lab",
        {"username": "lab"},
        {"publish": ["#"]},
        {"username": "a b", "password": ["hunter2"], "publish": ["a#", "ok", "+b"], "subscribe": {"x": "y"}},
        {"username": "c", "topics": ["#"], "publish": ["#"]},
    ]
    said = problems({"mqtt": {"logins": logins}})
    assert sorted(said) == [
        "mqtt.logins, entry 1: this is no login: give username, password, publish and subscribe",
        (
            "mqtt.logins, entry 2: this login may do nothing: "
            "give topics to publish or subscribe to, such as house/# (# is all)"
        ),
        "mqtt.logins, entry 3, username: is missing: give the name to log in with",
        "mqtt.logins, entry 4, password: this is no text: give a single value, in quotes",
        (
            "mqtt.logins, entry 4, publish, entry 1: 'a#' is no topic filter: "
            "+ and # stand for whole levels, such as house/+/state or house/#"
        ),
        (
            "mqtt.logins, entry 4, publish, entry 3: '+b' is no topic filter: "
            "+ and # stand for whole levels, such as house/+/state or house/#"
        ),
        "mqtt.logins, entry 4, subscribe: a section is no list: write - before each entry",
        (
            "mqtt.logins, entry 4, username: 'a b' is no name for a login: "
            "use letters without accents, digits and _ . @ -, at most 64"
        ),
        "mqtt.logins, entry 5, topics: is no part of a login: there are username, password, publish, subscribe",
    ]
