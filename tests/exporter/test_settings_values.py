"""One wrong value after the other: what is said, and what is not."""

from typing import Any

import pytest

from shelly_exporter.settings import Kind, LogLevel, Protocol, Settings, SettingsError
from shelly_exporter.settings.schema import KEYS, SECRETS, VARIABLES, variable
from shelly_exporter.settings.source import load
from tests.exporter.settings_wrong_values import WRONG


def problems(**given: str) -> tuple[str, ...]:
    """What is said of the variables `given`."""
    with pytest.raises(SettingsError) as caught:
        load(None, given)
    return caught.value.problems


def settings(key: str, given: str) -> Settings:
    return load(None, {variable(key): given})


@pytest.mark.parametrize(("key", "given", "said"), WRONG)
def test_a_wrong_value_is_explained_under_both_of_its_names(key: str, given: str, said: str) -> None:
    (problem,) = [each for each in problems(**{variable(key): given}) if "is given without" not in each]
    assert problem.startswith(f"{key} ({variable(key)}): {said}")
    assert "hunter2" not in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("key", "given", "meant"),
    [
        ("mqtt.host", "fe80::1", "fe80::1"),
        ("mqtt.host", "core-mosquitto.local_1", "core-mosquitto.local_1"),
        ("mqtt.port", "65535", 65535),
        ("mqtt.protocol", "5", Protocol.V5),
        ("mqtt.protocol", "AUTO", Protocol.AUTO),
        ("mqtt.prefixes", "+, house/+,/attic", ("+", "house/+", "/attic")),
        ("devices.include", "shellypro3-*,ShellyPro3EM-3CE90E6FF1A0", ("shellypro3-*", "shellypro3em-3ce90e6ff1a0")),
        ("devices.http", "off", False),
        ("devices.http", "Yes", True),
        ("devices.passwords", "A=p=q,b= x ", {"a": "p=q", "b": "x"}),
        (
            "devices.addresses",
            "a=10.0.0.1:8080,b=plug.lan,c=fe80::1,d=[::1],e=[::1]:81",
            {"a": "10.0.0.1:8080", "b": "plug.lan", "c": "[fe80::1]:80", "d": "[::1]:80", "e": "[::1]:81"},
        ),
        ("influxdb.kind", "VictoriaMetrics", Kind.VICTORIAMETRICS),
        ("influxdb.url", "https://influx.lan/insert/0/influx/", "https://influx.lan/insert/0/influx"),
        ("influxdb.retention_days", "0", 0),
        ("influxdb.batch_s", "0.25", 0.25),
        ("influxdb.gzip", "false", False),
        ("log.level", "debug", LogLevel.DEBUG),
    ],
)
def test_a_right_value_becomes_what_the_code_works_with(key: str, given: str, meant: Any) -> None:
    section, _, name = key.partition(".")
    found = getattr(settings(key, given), section.replace("influxdb", "target"))
    assert getattr(found, name) == meant


@pytest.mark.parametrize("given", ["redis://:p@host:6379/0", "rediss://host", "unix:///run/redis.sock?db=1"])
def test_urls_of_a_redis(given: str) -> None:
    found = load(None, {"SHELLY_CLUSTER_GROUP": "a", "SHELLY_CLUSTER_REDIS_URL": given})
    assert found.cluster.redis_url == given


def test_all_problems_are_told_at_once() -> None:
    found = problems(SHELLY_MQTT_PORT="x", SHELLY_WEB_PORT="y", SHELLY_MQTT_PASSWORD="z", SHELLY_LOG_FORMT="json")
    assert [each.partition(" ")[0] for each in found] == ["SHELLY_LOG_FORMT:", "mqtt.port", "web.port", "mqtt.password"]


def test_every_key_has_a_variable_of_its_own() -> None:
    assert len(VARIABLES) == len(KEYS) + len(SECRETS)
    assert VARIABLES["SHELLY_TIME_ZONE"] == "time_zone"


def test_no_secret_is_shown_when_settings_are_printed() -> None:
    given = {variable(key): "redis://hunter2" if key.endswith("url") else "a=hunter2" for key in SECRETS}
    given |= {"SHELLY_MQTT_USERNAME": "me", "SHELLY_CLUSTER_GROUP": "g"}
    del given["SHELLY_INFLUXDB_PASSWORD"]
    assert "hunter2" not in repr(load(None, given))
    found = load(None, {"SHELLY_INFLUXDB_USERNAME": "me", "SHELLY_INFLUXDB_PASSWORD": "hunter2"})
    assert found.target.password == "hunter2"
    assert "hunter2" not in repr(found)
