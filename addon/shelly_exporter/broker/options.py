"""What is asked of the broker when connecting, and what its refusals mean to the person who set it up."""

import socket
import ssl

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from shelly_exporter.settings import Mqtt, Protocol, Tls

VERSIONS = {
    Protocol.AUTO: (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311),
    Protocol.V5: (MQTTProtocolVersion.MQTTv5,),
    Protocol.V311: (MQTTProtocolVersion.MQTTv311,),
}
"""The versions that are tried, each if the broker does not know the one before."""

MAX_PACKET_BYTES = 16 * 1024 * 1024
"""What a broker that speaks MQTT 5 drops itself. The exporter drops much smaller ones, but counts and tells it."""

UNSUPPORTED_VERSION = 132
"""The reason code; paho gives the codes of MQTT 3.1.1 as those of MQTT 5."""

_EXPIRED = 10
_OTHER_NAME = (62, 64)
"""OpenSSL's codes, for a host name and for an address."""

_REFUSALS = {
    UNSUPPORTED_VERSION: "the broker does not speak this version of MQTT: set mqtt.protocol to 'auto'",
    133: "the broker does not take the client id {client_id!r}: set another one in mqtt.client_id",
    134: "the broker refuses the user name or password: correct mqtt.username and mqtt.password",
    135: "the broker refuses the user name or password: correct mqtt.username and mqtt.password",
    136: "the broker is not available; it is tried again",
    137: "the broker is busy; it is tried again",
    138: "the broker has banned this client: look into the broker's log",
    151: "the broker has no room for another client: raise its limit of connections",
}

_PARTINGS = {
    0: "the broker closed the connection",
    139: "the broker shuts down",
    141: "the broker missed signs of life and closed the connection",
    142: "another program connected as {client_id!r}: give each a mqtt.client_id of its own",
    149: "the broker got a packet that is larger than it allows",
    152: "the broker closed the connection because its administrator wants it",
}

_NO_SUBSCRIPTION = {
    135: "the broker does not let {user} read {topic}: allow it in the broker's access control list",
    143: "the broker takes {topic} for no valid topic filter: correct mqtt.prefixes",
    151: "the broker allows no further subscription, such as to {topic}: raise its limit",
    158: "the broker does not know shared subscriptions such as {topic}: remove cluster.group",
    162: "the broker does not know wildcards, as in {topic}: name the devices in mqtt.prefixes",
}


def connect_properties(settings: Mqtt) -> Properties:
    """Return what MQTT 5 lets a client ask for: to be remembered, and a window that does not throttle."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = settings.session_expiry_s
    properties.ReceiveMaximum = settings.receive_maximum
    properties.MaximumPacketSize = MAX_PACKET_BYTES
    return properties


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Read the files and return how to encrypt. Raises `ValueError` with a sentence."""
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except OSError as err:
        raise ValueError(f"mqtt.tls.ca: {tls.ca} is no readable certificate ({_cause(err)})") from err
    if tls.ca is not None:
        # Strictness is for public authorities; those made at home often lack the extensions that it wants.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if tls.certificate is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.key)
        except OSError as err:
            files = f"{tls.certificate} and {tls.key}"
            raise ValueError(f"mqtt.tls.certificate and mqtt.tls.key: {files} do not work ({_cause(err)})") from err
    return context


def refusal(code: int, settings: Mqtt) -> str:
    """Say why the broker refused the connection."""
    if settings.username is None and code in {134, 135}:
        return "the broker wants a user name and a password: set mqtt.username and mqtt.password"
    text = _REFUSALS.get(code, f"the broker refuses the connection with reason code {code}: look into its log")
    return text.format(client_id=settings.client_id)


def no_greeting(settings: Mqtt) -> str:
    """Say why the broker may have closed the connection before it said anything."""
    wish = "TLS, set mqtt.tls" if settings.tls is None else "a client certificate, set mqtt.tls.certificate"
    return f"the broker closed the connection without an answer: if it wants {wish}"


def parting(code: int | None, settings: Mqtt) -> str:
    """Say why the broker ended the connection."""
    text = _PARTINGS.get(code or 0, f"the broker closed the connection with reason code {code}: look into its log")
    return text.format(client_id=settings.client_id)


def no_subscription(code: int, topic: str, settings: Mqtt) -> str:
    """Say why the broker refused a subscription; MQTT 3.1.1 gives no other reason than 128."""
    text = _NO_SUBSCRIPTION.get(
        code, "the broker refuses {user} the subscription to {topic} (reason code {code}): look into its log"
    )
    user = "an anonymous client" if settings.username is None else f"user {settings.username!r}"
    return text.format(user=user, topic=topic, code=code)


def no_connection(err: OSError, settings: Mqtt) -> str:
    """Say why there is no connection, or none any more."""
    where = f"{settings.host}:{settings.port}"
    match err:
        case ssl.SSLCertVerificationError():
            return _distrust(err, settings)
        case ssl.SSLError():
            return _tls_trouble(err, where)
        case socket.gaierror():
            return f"the broker's name {settings.host!r} is not known here: correct mqtt.host, or give an address"
        case ConnectionRefusedError():
            return f"no broker listens on {where}: start it, or correct mqtt.host and mqtt.port"
        case TimeoutError():
            return f"{where} does not answer: correct mqtt.host and mqtt.port, or look at network and firewall"
        case ConnectionResetError() | BrokenPipeError():
            return f"the connection to {where} was broken off"
        case _:
            return f"no connection to {where}: {_cause(err)}"


def _distrust(err: ssl.SSLCertVerificationError, settings: Mqtt) -> str:
    if err.verify_code in _OTHER_NAME:
        return f"the broker's certificate is not for {settings.host!r}: set mqtt.host to the name that it is for"
    if err.verify_code == _EXPIRED:
        return "the broker's certificate has expired: renew it on the broker"
    return f"the broker's certificate is not trusted ({err.verify_message}): set mqtt.tls.ca to who signed it"


def _tls_trouble(err: ssl.SSLError, where: str) -> str:
    # Only those that OpenSSL raises have one.
    reason: str = getattr(err, "reason", None) or ""
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "HANDSHAKE_FAILURE" in reason:
        told = reason.replace("_", " ").lower()
        return f"the broker wants another client certificate ({told}): correct mqtt.tls.certificate and mqtt.tls.key"
    return f"{where} does not speak TLS ({_cause(err)}): correct mqtt.port, or remove mqtt.tls"


def _cause(err: OSError) -> str:
    return err.strerror or str(err) or type(err).__name__
