"""MQTT over TLS with the four values of `ssl_ca`, against a real Mosquitto with a certificate of its own authority."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fidelity.conftest import RunFleet
from tests.stack.processes import Process, accepts, free_port, wait_until
from tests.stack.server import program


@dataclass(frozen=True)
class Secured:
    """A broker that speaks nothing but TLS; `authority` is the PEM of who signed its certificate."""

    process: Process
    port: int
    authority: Path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> bytes:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=authority,
                crl_sign=authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Secured]:
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    (tmp_path / "ca.pem").write_bytes(_certificate("Home CA", root_key, "Home CA", root_key, authority=True))
    (tmp_path / "broker.pem").write_bytes(_certificate("broker.home", key, "Home CA", root_key, authority=False))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    port = free_port()
    lines = (
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        f"certfile {tmp_path / 'broker.pem'}",
        f"keyfile {tmp_path / 'key.pem'}",
        "user root",
        "log_dest stderr",
    )
    (tmp_path / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    argv = (program("mosquitto"), "-c", tmp_path / "mosquitto.conf")
    async with Process("Mosquitto", argv, log=tmp_path / "log") as process:
        await process.wait_until(lambda: accepts(port), 10, "Mosquitto listens")
        yield Secured(process, port, tmp_path / "ca.pem")


@pytest.mark.parametrize("ssl_ca", ["*", "user_ca.pem"])
async def test_connects(run_fleet: RunFleet, secured: Secured, ssl_ca: str) -> None:
    fleet = await run_fleet(
        "pro3", mqtt={"server": f"127.0.0.1:{secured.port}", "ssl_ca": ssl_ca}, user_ca_file=str(secured.authority)
    )
    device = fleet.unit("pro3").device
    await wait_until(lambda: device.mqtt_connected, 10, "the device connects")


@pytest.mark.parametrize("ssl_ca", [None, "ca.pem", "user_ca.pem"], ids=["plain", "built-in", "no CA on the device"])
async def test_refuses(run_fleet: RunFleet, secured: Secured, ssl_ca: str | None) -> None:
    mqtt = {"server": f"127.0.0.1:{secured.port}", "ssl_ca": ssl_ca}
    device = (await run_fleet("pro3", mqtt=mqtt, mqtt_reconnect=0.1)).unit("pro3").device
    log = secured.process
    await wait_until(lambda: log.tail(100).count("rror") >= 2, 10, "the broker sees two failed attempts")
    assert not device.mqtt_connected
