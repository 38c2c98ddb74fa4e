"""What a person is told about a broker, and what the broker is asked for."""

import ssl

import pytest

from shelly_exporter.broker.options import (
    connect_properties,
    no_connection,
    no_subscription,
    parting,
    refusal,
)
from shelly_exporter.settings import Mqtt

SETTINGS = Mqtt(host="nas", username="exporter", receive_maximum=500, session_expiry_s=3600)


def test_the_broker_is_asked_to_remember_and_not_to_throttle() -> None:
    asked = connect_properties(SETTINGS).json()  # type: ignore[no-untyped-call]
    assert asked == {"SessionExpiryInterval": 3600, "ReceiveMaximum": 500, "MaximumPacketSize": 16 * 1024 * 1024}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "the connection to nas:1883 was broken off"),
        (OSError(101, "Network is unreachable"), "no connection to nas:1883: Network is unreachable"),
        (OSError(), "no connection to nas:1883: OSError"),
        (TimeoutError(), "nas:1883 does not answer: correct mqtt.host and mqtt.port, or look at network and firewall"),
        (ssl.SSLError(1, "strange"), "nas:1883 does not speak TLS (strange): correct mqtt.port, or remove mqtt.tls"),
    ],
)
def test_no_connection(error: OSError, words: str) -> None:
    assert no_connection(error, SETTINGS) == words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (133, "the broker does not take the client id 'shelly-exporter': set another one in mqtt.client_id"),
        (136, "the broker is not available; it is tried again"),
        (157, "the broker refuses the connection with reason code 157: look into its log"),
    ],
)
def test_refusals(code: int, words: str) -> None:
    assert refusal(code, SETTINGS) == words


def test_partings() -> None:
    assert parting(0, SETTINGS) == parting(None, SETTINGS) == "the broker closed the connection"
    assert parting(152, SETTINGS) == "the broker closed the connection because its administrator wants it"


def test_subscriptions_of_an_anonymous_client_are_told_as_such() -> None:
    assert no_subscription(135, "a/#", Mqtt()) == (
        "the broker does not let an anonymous client read a/#: allow it in the broker's access control list"
    )
