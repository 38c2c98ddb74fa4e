"""A certificate authority of one's own, and the certificates it makes."""

import datetime as dt
import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = dt.timedelta(days=20 * 365)
LIFE = dt.timedelta(days=800)
"""Of a certificate; Apple takes none that live longer than 825 days."""
_OVERLAP = dt.timedelta(days=1)
"""Certificates count from yesterday on: clocks differ."""
_RELEASE = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
"""A clock that shows less was never set, as on a Raspberry Pi that starts without a network."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def parse(cls, certificate: str, key: str) -> Self:
        """Read both from PEM; ValueError if they are none, or do not belong to each other."""
        parsed, secret = x509.load_pem_x509_certificate(certificate.encode()), load_pem_private_key(key.encode(), None)
        if not isinstance(secret, ec.EllipticCurvePrivateKey) or parsed.public_key() != secret.public_key():
            raise ValueError("The key does not belong to the certificate")
        return cls(parsed, secret)

    @property
    def certificate_pem(self) -> str:
        """The certificate as text."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The key as text: a secret."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def lasts(self, life: dt.timedelta, now: dt.datetime) -> bool:
        """Tell whether it still counts after `life`."""
        return self.certificate.not_valid_after_utc >= _set(now) + life

    def is_of(self, authority: Identity) -> bool:
        """Tell whether `authority` made it."""
        try:
            self.certificate.verify_directly_issued_by(authority.certificate)
        except ValueError, InvalidSignature:
            return False
        return True

    def is_for(self, names: Iterable[str]) -> bool:
        """Tell whether it is made for all of `names`."""
        extension = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return set(_general_names(names)) <= set(extension.value)


def make_authority(now: dt.datetime) -> Identity:
    """Return a new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject("Shelly Pro: our broker's authority")
    return Identity(_build(name, key, name, key, now, AUTHORITY_LIFE, _authority_extensions()), key)


def make_server(authority: Identity, names: Collection[str], now: dt.datetime) -> Identity:
    """Return a new certificate for a server that is reached by `names`, some of which may be addresses."""
    alternatives = x509.SubjectAlternativeName(_general_names(names))
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return _issue(authority, "Shelly Pro: our broker", (alternatives, usage), now)


def make_client(authority: Identity, name: str, now: dt.datetime) -> Identity:
    """Return a new certificate for somebody who connects; the broker asks for a password all the same."""
    return _issue(authority, name, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),), now)


def _issue(authority: Identity, name: str, extensions: Iterable[x509.ExtensionType], now: dt.datetime) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    usual = (x509.BasicConstraints(ca=False, path_length=None), _key_usage(signs=False), *extensions)
    issuer = authority.certificate.subject
    return Identity(_build(_subject(name), key, issuer, authority.key, now, LIFE, usual), key)


def _build(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    life: dt.timedelta,
    extensions: Iterable[x509.ExtensionType],
) -> x509.Certificate:
    begins = _set(now) - _OVERLAP
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    for extension in extensions:
        critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _authority_extensions() -> tuple[x509.ExtensionType, ...]:
    return x509.BasicConstraints(ca=True, path_length=0), _key_usage(signs=True)


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    """Return names in the order given; those that no certificate can hold are left out."""
    return [_general_name(name) for name in dict.fromkeys(names) if name and name.isascii()]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _set(clock: dt.datetime) -> dt.datetime:
    """Return what a clock shows once it is set."""
    return max(clock, _RELEASE)
