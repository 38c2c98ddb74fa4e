"""Certificates for our broker: when they are kept, when they are made anew."""

import datetime as dt
import logging
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from shelly_app.broker import certificates
from shelly_app.broker.authority import Identity
from shelly_app.files import write
from shelly_app.options import Mqtt, Options, Tls, TlsMode
from shelly_app.setup import Setup
from tests.stack.app_broker import broker_setup

NOW = dt.datetime(2027, 3, 1, 12, tzinfo=dt.UTC)
YEAR = dt.timedelta(days=365)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return encrypted(tmp_path, Tls(mode=TlsMode.GENERATED))


def encrypted(folder: Path, tls: Tls) -> Setup:
    return broker_setup(folder, Options(mqtt=Mqtt(tls=tls)))


def made(setup: Setup, now: dt.datetime = NOW) -> dict[str, str]:
    """Write what a start at `now` writes, and return it by folder and name."""
    files = certificates.files(setup, now)
    write(files)
    return {f"{path.parent.name}/{path.name}": file.text for path, file in files.items()}


def parsed(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(text.encode())


def names(certificate: x509.Certificate) -> set[str]:
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in alternatives}


def test_nothing_without_encryption(tmp_path: Path) -> None:
    assert made(encrypted(tmp_path, Tls())) == {}


def test_the_certificate_is_for_all_names_of_the_broker(setup: Setup) -> None:
    certificate = parsed(made(setup)["mosquitto/server.pem"])
    assert names(certificate) == {"homeassistant.local", "192.0.2.7", "shelly-pro", "localhost", "127.0.0.1"}


def test_what_cannot_be_in_a_certificate_is_left_out(setup: Setup) -> None:
    home = replace(setup.home, addresses=("", "fd00::7", "küche.local", "fd00:0::7"))
    certificate = parsed(made(replace(setup, home=home))["mosquitto/server.pem"])
    assert names(certificate) == {"fd00::7", "shelly-pro", "localhost", "127.0.0.1"}


def test_the_keys_are_secret(setup: Setup) -> None:
    files = made(setup)
    keys = [text for text in files.values() if "PRIVATE KEY" in text]
    assert len(keys) == 3
    folder = setup.layout.places.certificates
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    identity = Identity.parse(files["certificates/ca.pem"], files["certificates/ca.key"])
    assert "key" not in repr(identity)


def test_the_authoritys_key_is_not_where_mosquitto_reads(setup: Setup) -> None:
    files = made(setup)
    assert files["certificates/ca.key"] not in {files[name] for name in files if name.startswith("mosquitto/")}


def test_they_are_kept_over_starts(setup: Setup) -> None:
    assert made(setup) == made(setup, NOW + YEAR)


def test_the_broker_gets_a_new_one_of_the_same_authority_in_time(setup: Setup) -> None:
    first = made(setup)
    second = made(setup, NOW + 1.2 * YEAR)
    assert first["certificates/ca.pem"] == second["certificates/ca.pem"]
    assert first["mosquitto/server.pem"] != second["mosquitto/server.pem"]
    assert parsed(second["mosquitto/server.pem"]).not_valid_after_utc > NOW + 3 * YEAR


def test_the_authority_is_renewed_before_what_it_makes_outlives_it(setup: Setup) -> None:
    first = made(setup)
    second = made(setup, NOW + 18 * YEAR)
    assert first["certificates/ca.pem"] != second["certificates/ca.pem"]
    authority, server = (parsed(second[name]) for name in ("certificates/ca.pem", "mosquitto/server.pem"))
    server.verify_directly_issued_by(authority)
    assert server.not_valid_after_utc < authority.not_valid_after_utc


def test_new_names_need_a_new_certificate_and_fewer_do_not(setup: Setup) -> None:
    first = made(setup)
    fewer = replace(setup, home=replace(setup.home, addresses=()))
    assert made(fewer) == first
    more = replace(setup, home=replace(setup.home, addresses=("192.0.2.8",)))
    second = made(more)
    assert first["certificates/ca.pem"] == second["certificates/ca.pem"]
    assert "192.0.2.8" in names(parsed(second["mosquitto/server.pem"]))


@pytest.mark.parametrize("damaged", ["ca.pem", "ca.key", "server.pem", "server.key"])
def test_what_is_damaged_is_made_anew(setup: Setup, caplog: pytest.LogCaptureFixture, damaged: str) -> None:
    made(setup)
    (setup.layout.places.certificates / damaged).write_text("-----BEGIN NONSENSE-----\n")
    with caplog.at_level(logging.WARNING):
        files = made(setup)
    assert "damaged, they are made anew" in caplog.text
    authority, server = (parsed(files[name]) for name in ("certificates/ca.pem", "mosquitto/server.pem"))
    server.verify_directly_issued_by(authority)
    assert made(setup) == files


@pytest.mark.parametrize("damaged", ["certificate", "another key", "a key of another kind"])
def test_what_does_not_belong_together_is_made_anew(setup: Setup, damaged: str) -> None:
    files = made(setup)
    folder = setup.layout.places.certificates
    if damaged == "certificate":
        (folder / "server.pem").write_text(files["certificates/ca.pem"])
    elif damaged == "another key":
        (folder / "server.key").write_text(files["certificates/ca.key"])
    else:
        key = rsa.generate_private_key(65537, 2048)
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        (folder / "server.key").write_text(text)
    again = made(setup)
    assert again["certificates/ca.pem"] == files["certificates/ca.pem"]
    Identity.parse(again["mosquitto/server.pem"], again["mosquitto/server.key"])


def test_what_an_authority_before_has_made_does_not_count(setup: Setup) -> None:
    first = made(setup)
    for name in ("ca.pem", "ca.key"):
        (setup.layout.places.certificates / name).unlink()
    assert made(setup)["mosquitto/server.pem"] != first["mosquitto/server.pem"]


def test_a_clock_that_was_never_set(setup: Setup) -> None:
    first = made(setup, dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    certificate = parsed(first["mosquitto/server.pem"])
    assert certificate.not_valid_after_utc > dt.datetime(2028, 12, 1, tzinfo=dt.UTC)
    assert made(setup) == first


def test_ones_own_are_handed_over_and_nothing_is_made(tmp_path: Path) -> None:
    setup = encrypted(tmp_path, Tls(mode=TlsMode.OWN, cafile="people.pem", require_certificate=True))
    setup.layout.places.ssl.mkdir()
    for name in ("fullchain.pem", "privkey.pem", "people.pem"):
        (setup.layout.places.ssl / name).write_text(f"my {name}")
    assert made(setup) == {
        "mosquitto/server.pem": "my fullchain.pem",
        "mosquitto/server.key": "my privkey.pem",
        "mosquitto/clients.pem": "my people.pem",
    }
    assert not setup.layout.places.certificates.exists()


def test_ones_own_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"fullchain\.pem"):
        made(encrypted(tmp_path, Tls(mode=TlsMode.OWN)))


def test_clients_show_one_of_ours_unless_an_authority_is_named(tmp_path: Path) -> None:
    setup = encrypted(tmp_path, Tls(mode=TlsMode.GENERATED, require_certificate=True))
    files = made(setup)
    places = setup.layout.places
    assert files["mosquitto/clients.pem"] == certificates.authority_path(places).read_text()
    certificate, key = certificates.client_paths(places)
    client = Identity.parse(certificate.read_text(), key.read_text())
    client.certificate.verify_directly_issued_by(parsed(files["mosquitto/clients.pem"]))
    usage = client.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert made(setup) == files


def test_ones_own_certificate_and_our_authority_for_clients(tmp_path: Path) -> None:
    setup = encrypted(tmp_path, Tls(mode=TlsMode.OWN, require_certificate=True))
    setup.layout.places.ssl.mkdir()
    for name in ("fullchain.pem", "privkey.pem"):
        (setup.layout.places.ssl / name).write_text(f"my {name}")
    files = made(setup)
    assert files["mosquitto/server.pem"] == "my fullchain.pem"
    assert set(files) == {
        "certificates/ca.pem",
        "certificates/ca.key",
        "certificates/client.pem",
        "certificates/client.key",
        "mosquitto/server.pem",
        "mosquitto/server.key",
        "mosquitto/clients.pem",
    }
