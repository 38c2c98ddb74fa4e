"""Certificate and key of the person's own: seen to be usable before a broker is started with them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from shelly_app.options import BrokerMode, Mqtt, Options, OptionsError, Tls, TlsMode, check_files
from shelly_app.places import Places

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = NoEncryption()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A folder with certificate and key that belong together."""
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "fullchain.pem").write_bytes(certificate(key))
    (tmp_path / "privkey.pem").write_bytes(pem(key))
    return Places(ssl=tmp_path)


def certificate(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def pem(key: ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption = PLAIN) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def options(mode: BrokerMode = BrokerMode.AUTO, cafile: str | None = None) -> Options:
    return Options(mqtt=Mqtt(mode=mode, tls=Tls(mode=TlsMode.OWN, cafile=cafile)))


def problems(given: Options, places: Places) -> list[str]:
    with pytest.raises(OptionsError) as caught:
        check_files(given, places)
    return list(caught.value.problems)


def test_files_that_can_be_used(places: Places) -> None:
    check_files(options(), places)
    check_files(options(cafile="fullchain.pem"), places)


@pytest.mark.parametrize("given", [Options(), options(BrokerMode.EXTERNAL)])
def test_files_that_nobody_reads_need_not_be_there(given: Options, tmp_path: Path) -> None:
    check_files(given, Places(ssl=tmp_path))


def test_all_missing_files_are_told(tmp_path: Path) -> None:
    remedy = "put the file there, or give another name"
    assert problems(options(cafile="ca.pem"), Places(ssl=tmp_path)) == [
        f"mqtt.tls.certfile: {tmp_path}/fullchain.pem cannot be read (No such file or directory): {remedy}",
        f"mqtt.tls.keyfile: {tmp_path}/privkey.pem cannot be read (No such file or directory): {remedy}",
        f"mqtt.tls.cafile: {tmp_path}/ca.pem cannot be read (No such file or directory): {remedy}",
    ]


def test_files_with_something_else(places: Places) -> None:
    for name in ("fullchain.pem", "privkey.pem"):
        (places.ssl / name).write_text("hunter2")
    assert problems(options(), places) == [
        f"mqtt.tls.certfile: {places.ssl}/fullchain.pem is not what it should be: give a file in PEM format",
        f"mqtt.tls.keyfile: {places.ssl}/privkey.pem is not what it should be: give a file in PEM format",
    ]


def test_a_key_with_a_password(places: Places) -> None:
    locked = pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"hunter2"))
    (places.ssl / "privkey.pem").write_bytes(locked)
    assert problems(options(), places) == [
        f"mqtt.tls.keyfile: {places.ssl}/privkey.pem is locked with a password: give a key without one"
    ]


def test_a_key_of_another_certificate(places: Places) -> None:
    (places.ssl / "privkey.pem").write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    assert problems(options(), places) == [
        "mqtt.tls.keyfile: privkey.pem does not belong to fullchain.pem: give the key it was made with"
    ]
