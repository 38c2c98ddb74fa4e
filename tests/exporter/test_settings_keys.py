"""Keys of the YAML file that are wrong, or have another form than theirs."""

import pytest

from tests.exporter.settings_files import Write, problems

WRONG = [
    ("mqtt: {pasword: hunter2}", "mqtt.pasword: is no setting: did you mean mqtt.password (SHELLY_MQTT_PASSWORD)?"),
    ("influx: {token: hunter2}", "influx: is no section: did you mean influxdb?"),
    (
        "timezone: UTC",
        "timezone: is no setting: did you mean time_zone (SHELLY_TIME_ZONE)?",
    ),
    (
        "host: broker",
        "host: is no setting: did you mean mqtt.host (SHELLY_MQTT_HOST) or web.host (SHELLY_WEB_HOST)?",
    ),
    ("mqtt: {url: broker}", "mqtt.url: is no setting: did you mean influxdb.url (SHELLY_INFLUXDB_URL)?"),
    ("web: {zzz: 1}", "web.zzz: is no setting: there are host, port"),
    (
        "zzz: 1",
        "zzz: is no setting: there are time_zone, instance, mqtt, devices, influxdb, spool, web, log, cluster",
    ),
    ("mqtt: broker", "mqtt: is a section: write its keys below it, indented, such as mqtt.host"),
    ("mqtt: [broker]", "mqtt: is a section: write its keys below it, indented, such as mqtt.host"),
    (
        "mqtt: {host: {name: x}}",
        "mqtt.host (SHELLY_MQTT_HOST): a section is too much: give a single value",
    ),
    ("mqtt: {host: [a]}", "mqtt.host (SHELLY_MQTT_HOST): a list is too much: give a single value"),
    (
        "mqtt: {prefixes: []}",
        (
            "mqtt.prefixes (SHELLY_MQTT_PREFIXES): no prefix is given, so no device would be heard: "
            "give + for every prefix of one level"
        ),
    ),
    (
        "mqtt: {prefixes: [house/+, ]}\nlog: {level: [info, ~]}",
        "log.level (SHELLY_LOG_LEVEL): a list is too much: give a single value",
    ),
    (
        "mqtt: {prefixes: [~]}",
        (
            "mqtt.prefixes (SHELLY_MQTT_PREFIXES): '' is no topic prefix: "
            "give what stands before /events/rpc, such as house/+"
        ),
    ),
    (
        "devices: {include: {a: b}}",
        "devices.include (SHELLY_DEVICES_INCLUDE): a section is no list: write - before each entry",
    ),
    (
        "devices: {password: {hunter2: x}}",
        "devices.password (SHELLY_DEVICES_PASSWORD): a list or section is too much: give a single value, in quotes",
    ),
    (
        "devices: {passwords: [[hunter2]]}",
        ("devices.passwords (SHELLY_DEVICES_PASSWORDS): a list or section is too much: give a single value, in quotes"),
    ),
    (
        "devices: {password_file: [hunter2]}",
        (
            "devices.password_file (SHELLY_DEVICES_PASSWORD_FILE): "
            "a list or section is too much: give a single value, in quotes"
        ),
    ),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_a_wrong_key_or_form_is_explained(write: Write, text: str, problem: str) -> None:
    assert problems(write(text)) == [problem]
