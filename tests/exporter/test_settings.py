"""Settings as a whole: defaults, what keys mean together, variables that are none, secrets in files of their own."""

from dataclasses import FrozenInstanceError
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shelly_exporter.settings import Devices, Mqtt, Settings, SettingsError, Target, Tls
from shelly_exporter.settings_source import load

FOR_INFLUXDB2 = {"SHELLY_INFLUXDB_ORGANISATION": "home", "SHELLY_INFLUXDB_TOKEN": "t"}


def settings(**environ: str) -> Settings:
    return load(None, FOR_INFLUXDB2 | environ)


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(None, environ)
    return list(caught.value.problems)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    return path


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


def test_tls_is_on_when_asked_for() -> None:
    assert settings().mqtt.tls is None
    assert settings(SHELLY_MQTT_TLS="false").mqtt == Mqtt()
    assert settings(SHELLY_MQTT_TLS="true").mqtt == Mqtt(port=8883, tls=Tls())
    assert settings(SHELLY_MQTT_TLS="true", SHELLY_MQTT_PORT="1883").mqtt == Mqtt(port=1883, tls=Tls())


def test_tls_is_on_when_a_file_for_it_is_given(secret: Path) -> None:
    assert settings(SHELLY_MQTT_TLS_CA=str(secret)).mqtt == Mqtt(port=8883, tls=Tls(ca=secret))
    both = settings(SHELLY_MQTT_TLS_CERTIFICATE=str(secret), SHELLY_MQTT_TLS_KEY=str(secret))
    assert both.mqtt.tls == Tls(certificate=secret, key=secret)
    off = settings(SHELLY_MQTT_TLS_CA=str(secret), SHELLY_MQTT_TLS="no")
    assert off.mqtt == Mqtt()
    assert off.warnings == (
        (
            "mqtt.tls (SHELLY_MQTT_TLS): is false, so mqtt.tls_ca (SHELLY_MQTT_TLS_CA) has no effect: "
            "take away one of them"
        ),
    )


@pytest.mark.parametrize(("given", "missing"), [("CERTIFICATE", "KEY"), ("KEY", "CERTIFICATE")])
def test_a_certificate_needs_its_key(secret: Path, given: str, missing: str) -> None:
    (problem,) = problems(**{f"SHELLY_MQTT_TLS_{given}": str(secret)})
    assert (
        f"(SHELLY_MQTT_TLS_{given}): is given without mqtt.tls_{missing.lower()} (SHELLY_MQTT_TLS_{missing})" in problem
    )


def test_a_file_that_may_not_be_read(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert problems(SHELLY_MQTT_TLS_CA=str(secret)) == [
        f"mqtt.tls_ca (SHELLY_MQTT_TLS_CA): {secret} cannot be read: give the exporter's user the right to"
    ]


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


def test_a_secret_in_a_file_of_its_own(secret: Path) -> None:
    found = settings(SHELLY_MQTT_USERNAME="a", SHELLY_MQTT_PASSWORD_FILE=str(secret))
    assert found.mqtt.password == "hunter2"


def test_passwords_of_devices_in_a_file(secret: Path) -> None:
    secret.write_text("a=with,comma\r\n\nB=with=sign\n")
    found = settings(SHELLY_DEVICES_PASSWORDS_FILE=str(secret))
    assert found.devices == Devices(passwords={"a": "with,comma", "b": "with=sign"})


def test_a_variable_replaces_the_secret_of_the_file_and_its_file(secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "exporter.yaml"
    path.write_text("influxdb: {organisation: home, token_file: nowhere}")
    assert load(path, {"SHELLY_INFLUXDB_TOKEN": "t"}).target == Target(organisation="home", token="t")
    path.write_text("influxdb: {organisation: home, token: t}")
    assert load(path, {"SHELLY_INFLUXDB_TOKEN_FILE": str(secret)}).target.token == "hunter2"
    path.write_text("influxdb: {organisation: home, token_file: secret}")
    assert load(path, {}).target.token == "hunter2"


def test_a_secret_given_twice_in_one_place(secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "exporter.yaml"
    path.write_text(f"influxdb: {{token: hunter3, token_file: {secret}}}")
    said = (
        "influxdb.token_file (SHELLY_INFLUXDB_TOKEN_FILE): is given together with "
        "influxdb.token (SHELLY_INFLUXDB_TOKEN): take one of them away"
    )
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    assert caught.value.problems == (said,)
    assert problems(SHELLY_INFLUXDB_TOKEN="hunter3", SHELLY_INFLUXDB_TOKEN_FILE=str(secret)) == [said]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "this file is empty: write the secret into it"),
        (b"\n", "this file is empty: write the secret into it"),
        (b"hunter2\nhunter3\n", "this file has 2 lines: write the secret alone into it"),
        (b"\xff\xfe", "this file holds no text in UTF-8: write the secret into it as text"),
    ],
)
def test_a_file_that_holds_no_secret(secret: Path, content: bytes, said: str) -> None:
    secret.write_bytes(content)
    assert problems(SHELLY_DEVICES_PASSWORD_FILE=str(secret)) == [
        f"devices.password_file (SHELLY_DEVICES_PASSWORD_FILE): {said}"
    ]


def test_a_secret_given_in_place_of_its_file_is_not_shown(tmp_path: Path) -> None:
    name = "devices.password_file (SHELLY_DEVICES_PASSWORD_FILE)"
    assert problems(SHELLY_DEVICES_PASSWORD_FILE="hunter2") == [
        f"{name}: there is no such file: give the path of a file with the secret in it"
    ]
    assert problems(SHELLY_DEVICES_PASSWORD_FILE=str(tmp_path)) == [
        f"{name}: this file cannot be read (Is a directory): give the exporter's user the right to"
    ]
    assert "hunter2" not in str(problems(SHELLY_DEVICES_PASSWORD_FILE="~hunter2/x"))
    assert "hunter2" not in str(problems(SHELLY_DEVICES_PASSWORD_FILE="hunter2" * 100))
