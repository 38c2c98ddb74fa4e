"""Certificates for encrypted connections to our broker: those made here, which are kept, and the person's own."""

import datetime as dt
import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from shelly_app.files import File, Files
from shelly_app.options import TlsMode
from shelly_app.places import Places
from shelly_app.setup import Setup

from .authority import LIFE, Identity, make_authority, make_client, make_server

CERTIFICATE = "server.pem"
KEY = "server.key"
CLIENT_AUTHORITY = "clients.pem"
"""Whose certificates clients may show."""
_LEFT = LIFE / 2
"""With less than this left a certificate is renewed at the next start: the app may then run for a year."""

_log = logging.getLogger(__name__)


def authority_path(places: Places) -> Path:
    """Return where the certificate of our authority is, which devices are to trust; `files` has it when it is used."""
    return places.certificates / "ca.pem"


def client_paths(places: Places) -> tuple[Path, Path]:
    """Return where certificate and key for clients are; `files` has them when clients must show one of ours."""
    return places.certificates / "client.pem", places.certificates / "client.key"


def files(setup: Setup, now: dt.datetime | None = None) -> Files:
    """Return what Mosquitto reads, and what was made here, to be kept; OSError if a file of the person is missing."""
    tls, places = setup.options.mqtt.tls, setup.layout.places
    if tls.mode is TlsMode.OFF:
        return {}
    made = _Made(places.certificates, dt.datetime.now(dt.UTC) if now is None else now)
    if tls.mode is TlsMode.OWN:
        read = {CERTIFICATE: (places.ssl / tls.certfile).read_text(), KEY: (places.ssl / tls.keyfile).read_text()}
    else:
        server = made.server(_names(setup))
        read = {CERTIFICATE: server.certificate_pem, KEY: server.key_pem}
    if tls.require_certificate and tls.cafile is not None:
        read[CLIENT_AUTHORITY] = (places.ssl / tls.cafile).read_text()
    elif tls.require_certificate:
        made.client()
        read[CLIENT_AUTHORITY] = made.authority.certificate_pem
    owner = setup.layout.accounts.mosquitto
    return {**made.files, **{places.mosquitto / name: File(text=text, owner=owner) for name, text in read.items()}}


def _names(setup: Setup) -> tuple[str, ...]:
    """Return how the broker is reached, also by those in the same container."""
    return (*setup.home.addresses, setup.home.hostname, "localhost", "127.0.0.1")


class _Made:
    """What was made here before, or is made now because it is missing, near its end, or for other names."""

    def __init__(self, folder: Path, now: dt.datetime) -> None:
        self.files: dict[Path, File] = {}
        """What was asked for so far."""
        self._folder = folder
        self._now = now

    @cached_property
    def authority(self) -> Identity:
        """Our authority; when it is a new one devices have to trust it anew."""
        return self._kept("ca", lambda known: known.lasts(LIFE, self._now), lambda: make_authority(self._now))

    def server(self, names: tuple[str, ...]) -> Identity:
        """Return the broker's own."""
        return self._kept(
            "server",
            lambda known: self._counts(known) and known.is_for(names),
            lambda: make_server(self.authority, names, self._now),
        )

    def client(self) -> Identity:
        """Return the one that clients show."""
        return self._kept("client", self._counts, lambda: make_client(self.authority, "client", self._now))

    def _counts(self, known: Identity) -> bool:
        return known.is_of(self.authority) and known.lasts(_LEFT, self._now)

    def _kept(self, name: str, usable: Callable[[Identity], bool], make: Callable[[], Identity]) -> Identity:
        certificate, key = (self._folder / f"{name}.{ending}" for ending in ("pem", "key"))
        known = _load(certificate, key)
        identity = known if known is not None and usable(known) else make()
        self.files |= {certificate: File(text=identity.certificate_pem), key: File(text=identity.key_pem)}
        return identity


def _load(certificate: Path, key: Path) -> Identity | None:
    try:
        return Identity.parse(certificate.read_text(), key.read_text())
    except FileNotFoundError:
        return None
    except ValueError, TypeError, UnsupportedAlgorithm:
        _log.warning("%s and %s are damaged, they are made anew", certificate, key.name)
        return None
