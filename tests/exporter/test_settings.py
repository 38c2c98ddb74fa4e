"""Settings as a whole: defaults, what keys mean together, variables that are none."""

from dataclasses import FrozenInstanceError
from zoneinfo import ZoneInfo

import pytest

from shelly_exporter.settings import Mqtt, Settings
from shelly_exporter.settings.source import load
from tests.exporter.settings_variables import problems, settings


def test_everything_has_a_default() -> None:
    found = load(None, {})
    assert found == Settings(time_zone=found.time_zone)
    assert (found.mqtt.host, found.mqtt.port, found.mqtt.prefixes) == ("127.0.0.1", 1883, ("+",))
    assert (found.target.url, found.target.bucket) == ("http://127.0.0.1:8086", "shelly")
    assert found.web.host == "127.0.0.1"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Mqtt().port = 1  # type: ignore[misc]


def test_what_is_enough_gives_no_warning() -> None:
    assert settings().warnings == ()


def test_influxdb_2_without_organisation_and_token_is_worth_a_warning() -> None:
    end = "is not given: InfluxDB 2 takes no points without it"
    assert load(None, {}).warnings == (
        f"influxdb.organisation (SHELLY_INFLUXDB_ORGANISATION): {end}",
        f"influxdb.token (SHELLY_INFLUXDB_TOKEN): {end}",
    )
    assert load(None, {"SHELLY_INFLUXDB_KIND": "influxdb1"}).warnings == ()
    assert load(None, {"SHELLY_INFLUXDB_USERNAME": "a", "SHELLY_INFLUXDB_PASSWORD": "b"}).warnings == ()


def test_one_bucket_cannot_keep_points_for_two_times() -> None:
    (warning,) = settings(SHELLY_INFLUXDB_ROLLUP_BUCKET="shelly").warnings
    assert warning.startswith("influxdb.rollup_bucket (SHELLY_INFLUXDB_ROLLUP_BUCKET): is the same as influxdb.bucket")
    assert settings(SHELLY_INFLUXDB_ROLLUP_BUCKET="shelly", SHELLY_INFLUXDB_RETENTION_DAYS="0").warnings == ()


def test_the_client_id_is_its_own_for_each_of_several_exporters() -> None:
    assert settings().mqtt.client_id == "shelly-exporter"
    assert settings(SHELLY_INSTANCE="a").mqtt.client_id == "shelly-exporter-a"
    several = settings(SHELLY_CLUSTER_GROUP="g")
    assert several.mqtt.client_id == f"shelly-exporter-{several.instance}"
    assert settings(SHELLY_INSTANCE="a", SHELLY_MQTT_CLIENT_ID="mine").mqtt.client_id == "mine"


def test_the_time_zone_is_the_system_s_unless_given() -> None:
    assert settings(TZ="Asia/Kathmandu").time_zone == ZoneInfo("Asia/Kathmandu")
    assert settings(TZ="Asia/Kathmandu", SHELLY_TIME_ZONE="Europe/Berlin").time_zone == ZoneInfo("Europe/Berlin")


def test_a_tz_without_a_name_is_worth_a_warning() -> None:
    assert settings(TZ="CET-1CEST").warnings == (
        "time_zone (SHELLY_TIME_ZONE): TZ holds no name of a time zone: give one such as Europe/Berlin",
    )
    assert settings(TZ="CET-1CEST", SHELLY_TIME_ZONE="UTC").warnings == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SHELLY_MQTT_PASWORD", "did you mean mqtt.password (SHELLY_MQTT_PASSWORD)?"),
        ("SHELLY_MQTT_USER", "did you mean mqtt.username (SHELLY_MQTT_USERNAME)?"),
        ("SHELLY_TIMEZONE", "did you mean time_zone (SHELLY_TIME_ZONE)?"),
        ("SHELLY_WEB_XYZ", "there are SHELLY_WEB_HOST, SHELLY_WEB_PORT"),
    ],
)
def test_a_variable_that_is_almost_one_of_ours(name: str, said: str) -> None:
    assert problems(**{name: "hunter2"}) == [f"{name}: is no setting: {said}"]


def test_a_variable_that_is_another_program_s_is_worth_a_warning() -> None:
    """Kubernetes gives SHELLY_EXPORTER_SERVICE_HOST to whoever runs beside a service called shelly-exporter."""
    (warning,) = settings(SHELLY_EXPORTER_SERVICE_HOST="10.0.0.1", OTHER_PORT="1").warnings
    assert warning.startswith("SHELLY_EXPORTER_SERVICE_HOST: is no setting, so it is ignored")
