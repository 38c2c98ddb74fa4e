"""What is Shelly-specific about digest authentication.

RFC 7616 with SHA-256, the user is always `admin`, the realm is the device's id. Firmware 2.0 counts on a
well-behaved client: one nonce per device for about an hour, `nc` from 1 for each new nonce, one retry when a nonce
is stale, and silence for more than two seconds after a 429.
https://shelly-api-docs.shelly.cloud/gen2/General/Authentication
"""

import re
from http import HTTPStatus
from typing import NamedTuple, Self

import orjson

from .errors import AuthError, FrameError, LinkError, ShellyError

USERNAME = "admin"

THROTTLE_S = 2.5
"""Firmware 2.0 refuses new nonces for 2 s; asking again within them prolongs it."""

_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Challenge(NamedTuple):
    """What the device wants to be answered; `nonce` was a Unix time before firmware 2.0, opaque since."""

    realm: str
    nonce: str
    algorithm: str
    stale: bool

    @classmethod
    def from_header(cls, header: str) -> Self:
        """Read a `WWW-Authenticate` header; raises `FrameError` if it is no digest challenge."""
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() != "digest":
            raise FrameError("no digest challenge")
        parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
        return cls._of(
            parameters.get("realm"), parameters.get("nonce"), parameters.get("algorithm"), parameters.get("stale")
        )

    @classmethod
    def from_message(cls, message: str) -> Self:
        """Read the message of a framed error 401, a JSON text; raises `FrameError` if it is no digest challenge."""
        try:
            raw = orjson.loads(message)
        except orjson.JSONDecodeError as err:
            raise FrameError("no digest challenge") from err
        if type(raw) is not dict or raw.get("auth_type") != "digest":
            raise FrameError("no digest challenge")
        return cls._of(raw.get("realm"), raw.get("nonce"), raw.get("algorithm"), raw.get("stale"))

    @classmethod
    def _of(cls, realm: object, nonce: object, algorithm: object, stale: object) -> Self:
        if type(realm) is not str or type(algorithm) is not str or type(nonce) not in (str, int) or nonce == "":
            raise FrameError("no digest challenge")
        return cls(realm, str(nonce), algorithm, str(stale).lower() == "true")


def refusal(status: int, header: str | None) -> ShellyError | None:
    """Return what an HTTP status of a request *with* credentials means; `None` if it is no refusal.

    A stale nonce is no wrong password: `header` is the `WWW-Authenticate` of the answer, if it has one.
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return LinkError("the device is throttling authentication", retry_after_s=THROTTLE_S)
    if status != HTTPStatus.UNAUTHORIZED:
        return None
    try:
        stale = header is not None and Challenge.from_header(header).stale
    except FrameError:
        stale = False
    if stale:
        return LinkError("the device takes no nonce", retry_after_s=THROTTLE_S)
    return AuthError("the device refused the password")
