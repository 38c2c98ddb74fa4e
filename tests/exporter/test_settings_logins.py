"""Settings of logins: what is given together, what is missing, and who shares the devices."""

import pytest

from tests.exporter.settings_variables import problems, settings


def test_token_and_username_together() -> None:
    assert problems(SHELLY_INFLUXDB_USERNAME="a", SHELLY_INFLUXDB_PASSWORD="b", SHELLY_INFLUXDB_TOKEN="c") == [
        (
            "influxdb.token (SHELLY_INFLUXDB_TOKEN): is given together with "
            "influxdb.username (SHELLY_INFLUXDB_USERNAME): take one of them away, only one can be used"
        )
    ]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("influxdb.username", "influxdb.password"),
        ("influxdb.password", "influxdb.username"),
        ("mqtt.password", "mqtt.username"),
    ],
)
def test_one_half_of_a_login(given: str, missing: str) -> None:
    def label(key: str) -> str:
        return f"{key} (SHELLY_{key.replace('.', '_').upper()})"

    (problem,) = problems(**{f"SHELLY_{given.replace('.', '_').upper()}": "hunter2"})
    assert problem.startswith(f"{label(given)}: is given without {label(missing)}: ")
    assert "hunter2" not in problem


def test_a_broker_may_want_a_name_only() -> None:
    assert settings(SHELLY_MQTT_USERNAME="me").mqtt.username == "me"


def test_redis_without_a_group() -> None:
    assert problems(SHELLY_CLUSTER_REDIS_URL="redis://:hunter2@r") == [
        (
            "cluster.redis_url (SHELLY_CLUSTER_REDIS_URL): is given without cluster.group (SHELLY_CLUSTER_GROUP): "
            "give all instances that share the devices the same group"
        )
    ]
