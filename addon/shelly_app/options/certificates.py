"""The person's own certificate, key and authority in `/ssl`: whether a broker could use them."""

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shelly_app.places import Places

from .errors import OptionsError
from .model import BrokerMode, Options, TlsMode


def check_files(options: Options, places: Places) -> None:
    """Raise `OptionsError` if encryption with files of one's own is set and those in `/ssl` cannot be used."""
    tls = options.mqtt.tls
    if tls.mode is not TlsMode.OWN or options.mqtt.mode is BrokerMode.EXTERNAL:
        return
    problems: list[str] = []
    certificate = _read("mqtt.tls.certfile", places.ssl / tls.certfile, _certificate, problems)
    key = _read("mqtt.tls.keyfile", places.ssl / tls.keyfile, _key, problems)
    if tls.cafile is not None:
        _read("mqtt.tls.cafile", places.ssl / tls.cafile, _certificate, problems)
    if certificate is not None and key is not None and certificate.public_key() != key.public_key():
        problems.append(
            f"mqtt.tls.keyfile: {tls.keyfile} does not belong to {tls.certfile}: give the key it was made with"
        )
    if problems:
        raise OptionsError(problems)


def _read[T](option: str, path: Path, parse: Callable[[bytes], T], problems: list[str]) -> T | None:
    try:
        return parse(path.read_bytes())
    except OSError as error:
        problems.append(f"{option}: {path} cannot be read ({error.strerror}): put the file there, or give another name")
    except TypeError:
        problems.append(f"{option}: {path} is locked with a password: give a key without one")
    except ValueError:
        problems.append(f"{option}: {path} is not what it should be: give a file in PEM format")
    return None


def _certificate(content: bytes) -> x509.Certificate:
    """Return the first certificate of the file, which is the server's own."""
    return x509.load_pem_x509_certificates(content)[0]


def _key(content: bytes) -> PrivateKeyTypes:
    return load_pem_private_key(content, password=None)
