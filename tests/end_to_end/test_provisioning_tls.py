"""MQTT is set up with encryption: the device is given the authority that Home Assistant trusts, or none."""

import datetime as dt
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.stack.fleet import DeviceSpec, Fleet
from tests.stack.mosquitto import DEVICES, HOME_ASSISTANT, Broker
from tests.stack.processes import free_port
from tests.stack.stage import Household, enter_address, raise_household

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stack.hass_client import HassClient

PROVISIONED_S = 150.0
FILES = {"certfile": "broker.pem", "keyfile": "key.pem"}
SPECS = (
    DeviceSpec(model="pro3", firmware="1.4.4", mqtt=False),
    DeviceSpec(model="pro3em", firmware="2.0.1", mqtt=False),
)


@dataclass(frozen=True)
class Encrypted:
    """A household whose Home Assistant trusts the authority of its broker alone, which listens on `port`."""

    household: Household
    broker: Broker
    port: int


def certify(subject: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, *, ca: bool) -> bytes:
    """Return a certificate of the home's authority: its own, or one for the broker on loopback."""
    now, names = dt.datetime.now(dt.UTC), {}
    for role, text in (("subject", subject), ("issuer", "Home CA")):
        names[role] = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    usage = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    ) | {"digital_signature": True, "key_encipherment": False, "key_cert_sign": ca, "crl_sign": ca}
    builder = (
        x509.CertificateBuilder()
        .subject_name(names["subject"])
        .issuer_name(names["issuer"])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    if not ca:
        address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
        builder = builder.add_extension(address, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def write_certificates(directory: Path) -> str:
    """Write the broker's certificate and key, and return the authority that signed them."""
    directory.mkdir()
    root, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    (directory / "broker.pem").write_bytes(certify("Broker", key, root, ca=False))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "key.pem").write_bytes(secret)
    return certify("Home CA", root, root, ca=True).decode()


async def set_up_mqtt(client: HassClient, broker: Broker, port: int, authority: str) -> None:
    """Connect Home Assistant with encryption, as a person does who uploads the authority."""
    form = aiohttp.FormData()
    form.add_field("file", authority.encode(), filename="ca.pem", content_type="application/x-pem-file")
    headers = {"Authorization": f"Bearer {client.token}"}
    url = f"{client.base_url}/api/file_upload"
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=form) as response:
        uploaded = (await response.json())["file_id"]
    other = {"set_client_cert": False, "set_ca_cert": "custom", "certificate": uploaded, "transport": "tcp"}
    answers = {"broker": broker.host, "port": port, "protocol": "5", "username": HOME_ASSISTANT}
    await client.set_up("mqtt", {**answers, "password": broker.password(HOME_ASSISTANT), "other_settings": other})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def encrypted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Encrypted]:
    directory, port = tmp_path_factory.mktemp("tls"), free_port()
    authority = write_certificates(directory / "certificates")
    files = (f"{name} {directory / 'certificates' / file}" for name, file in FILES.items())
    extra = (f"listener {port} 127.0.0.1", *files)
    async with (
        Broker(directory / "mosquitto", extra=extra) as broker,
        Fleet(directory / "simulator", SPECS, options=("--mqtt-reconnect", "1")) as fleet,
        raise_household(directory, fleet, None) as household,
    ):
        await set_up_mqtt(household.client, broker, port, authority)
        yield Encrypted(household, broker, port)


async def settings(url: str) -> dict[str, Any]:
    """Return what a device says of its MQTT."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/rpc/Mqtt.GetConfig") as response:
        told: dict[str, Any] = await response.json()
        return told


@pytest.mark.parametrize(("number", "tls", "ssl_ca"), [(0, "verified", "user_ca.pem"), (1, "unverified", "*")])
async def test_the_device_is_brought_to_an_encrypted_broker(
    encrypted: Encrypted, number: int, tls: str, ssl_ca: str
) -> None:
    client, device = encrypted.household.client, encrypted.household.fleet.devices[number]
    step = await client.submit(
        await enter_address(client, device.host, device.http_port), {"next_step_id": "mqtt_broker"}
    )
    login = {"username": DEVICES, "password": encrypted.broker.password(DEVICES)}
    step = await client.submit(step, {"host": "127.0.0.1", "port": encrypted.port, "tls": tls, **login})
    assert f"| ssl_ca | - | {ssl_ca} |" in step.placeholders["changes"]
    step = await client.progressed(await client.submit(step, {}), PROVISIONED_S)
    assert step.entry is not None, step
    told = await settings(f"http://{device.host}:{device.http_port}")
    assert (told["server"], told["ssl_ca"]) == (f"127.0.0.1:{encrypted.port}", ssl_ca)
