"""Settings of TLS: when it is on, and what its files must be."""

from pathlib import Path

import pytest

from shelly_exporter.settings import Mqtt, Tls
from tests.exporter.settings_variables import problems, settings


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
