"""What a device demands before it answers: RFC 7616 digest with SHA-256, in a header or inside a frame.

Until firmware 1.7 a nonce is the Unix time, never expires and `nc` is not looked at. Firmware 2.0 keeps 32 opaque
nonces of one hour, wants `nc` to count up by one from 1, and answers 429 when all slots are taken.
https://shelly-api-docs.shelly.cloud/gen2/General/Authentication; home-assistant/core#177257 and #178327 tell what 2.0.0
really does.
"""

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

USER = "admin"
TOO_MANY = "Too many failed authentication attempts"
NONCE_SLOTS = 32
REMEMBERED_TIMES = 256
NONCE_LIFETIME_S = 3600.0
NONCE_REQUESTS = 30_000
THROTTLE_S = 2.0
FRAME_HA2_TEXT = "dummy_method:dummy_uri"

_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


def sha256(text: str) -> str:
    """Return the hexadecimal SHA-256 of UTF-8 `text`."""
    return hashlib.sha256(text.encode()).hexdigest()


def ha1(device_id: str, password: str) -> str:
    """Return what `Shelly.SetAuth` stores for `password`."""
    return sha256(f"{USER}:{device_id}:{password}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client showed; `nc` None when it is no number."""

    username: str
    realm: str
    nonce: str
    nc: int | None
    nc_text: str
    cnonce: str
    response: str
    ha2: str

    def proves(self, secret: str) -> bool:
        """Whether the client knows the password behind `secret` (HA1)."""
        expected = sha256(f"{secret}:{self.nonce}:{self.nc_text}:{self.cnonce}:auth:{self.ha2}")
        return hmac.compare_digest(expected, self.response)


def from_header(value: str, method: str, target: str) -> Credentials | None:
    """Read an Authorization header; None when it is no digest for this request line (`target` with its query)."""
    scheme, _, rest = value.partition(" ")
    fields = {name: quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
    if scheme.lower() != "digest" or fields.get("uri") != target or fields.get("qop") != "auth":
        return None
    nc_text = fields.get("nc", "")
    return Credentials(
        username=fields.get("username", ""),
        realm=fields.get("realm", ""),
        nonce=fields.get("nonce", ""),
        nc=int(nc_text, 16) if re.fullmatch("[0-9a-fA-F]{8}", nc_text) else None,
        nc_text=nc_text,
        cnonce=fields.get("cnonce", ""),
        response=fields.get("response", ""),
        ha2=sha256(f"{method}:{target}"),
    )


def from_frame(auth: dict[str, Any]) -> Credentials:
    """Read the `auth` object of a request frame."""
    nc_text = str(auth.get("nc", 1))
    return Credentials(
        username=str(auth.get("username", "")),
        realm=str(auth.get("realm", "")),
        nonce=str(auth.get("nonce", "")),
        nc=int(nc_text) if nc_text.isdecimal() else None,
        nc_text=nc_text,
        cnonce=str(auth.get("cnonce", "")),
        response=str(auth.get("response", "")),
        ha2=sha256(FRAME_HA2_TEXT),
    )


class AuthRefusedError(Exception):
    """The request is not served; `nonce` is the fresh challenge of a 401, None with 429."""

    def __init__(self, nonce: str | None, *, stale: bool = False) -> None:
        super().__init__(TOO_MANY if nonce is None else "Unauthorized")
        self.code = 429 if nonce is None else 401
        self.nonce = nonce
        self.stale = stale


@dataclass(slots=True)
class _Slot:
    issued: float
    used: int = 0


class Authenticator:
    """One device's nonces, shared by all its roads; `strict` are the rules of firmware 2.0.

    `now` only moves forward and measures lifetimes; `unix_time` is what the device believes: older firmware's nonce.
    """

    def __init__(
        self, device_id: str, now: Callable[[], float], unix_time: Callable[[], float], *, strict: bool
    ) -> None:
        self._realm = device_id
        self._now = now
        self._unix_time = unix_time
        self._strict = strict
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._issued = 0
        self._throttled_until: float | None = None

    def reset(self) -> None:
        """Forget all nonces, as a reboot does."""
        self._slots.clear()
        self._throttled_until = None

    def check(self, secret: str | None, shown: Credentials | None) -> None:
        """Return when `shown` opens a device with HA1 `secret` (None: no password), else AuthRefusedError."""
        if secret is None:
            return
        if shown is None:
            raise AuthRefusedError(self._fresh_nonce())
        slot = self._live_slot(shown.nonce)
        if slot is None:
            raise self._dead_nonce()
        known = (shown.username, shown.realm) == (USER, self._realm) and shown.proves(secret)
        if not known or (self._strict and shown.nc != slot.used + 1):
            raise AuthRefusedError(self._fresh_nonce())
        slot.used += 1

    def reject(self) -> AuthRefusedError:
        """Return a refusal with a fresh challenge whatever was shown (the fault `auth_rejected`)."""
        return AuthRefusedError(self._fresh_nonce())

    def challenge_header(self, refusal: AuthRefusedError) -> str:
        """Return the WWW-Authenticate value, its parameters in the order real devices use."""
        text = f'Digest qop="auth", realm="{self._realm}", nonce="{refusal.nonce}", algorithm=SHA-256'
        return f"{text}, stale=true" if refusal.stale else text

    def challenge_text(self, refusal: AuthRefusedError) -> str:
        """Return the `message` of an error frame: JSON in a string with 401, a sentence with 429."""
        if refusal.nonce is None:
            return TOO_MANY
        nonce = f'"{refusal.nonce}"' if self._strict else refusal.nonce
        stale = ', "stale": true' if refusal.stale else ""
        head = f'"auth_type": "digest", "nonce": {nonce}, "nc": 1, "realm": "{self._realm}"'
        return f'{{{head}, "algorithm": "SHA-256"{stale}}}'

    def _live_slot(self, nonce: str) -> _Slot | None:
        slot = self._slots.get(nonce)
        if slot is None or not self._strict:
            return slot
        if self._now() - slot.issued >= NONCE_LIFETIME_S or slot.used >= NONCE_REQUESTS:
            del self._slots[nonce]
            return None
        return slot

    def _dead_nonce(self) -> AuthRefusedError:
        if not self._strict:
            return AuthRefusedError(self._fresh_nonce())
        self._drop_expired()
        if len(self._slots) >= NONCE_SLOTS:
            # A dead nonce never starts the window that would free a slot, it only keeps a running one open.
            if self._throttled_until is not None:
                self._throttled_until = self._now() + THROTTLE_S
            return AuthRefusedError(None)
        return AuthRefusedError(self._fresh_nonce(), stale=True)

    def _fresh_nonce(self) -> str | None:
        now = self._now()
        if not self._strict:
            nonce = str(int(self._unix_time()))
            self._slots.setdefault(nonce, _Slot(now))
            while len(self._slots) > REMEMBERED_TIMES:
                self._slots.popitem(last=False)
            return nonce
        self._drop_expired()
        if len(self._slots) >= NONCE_SLOTS:
            if self._throttled_until is None:
                self._throttled_until = now + THROTTLE_S
            if now < self._throttled_until:
                return None
            least_used = min(self._slots, key=lambda nonce: self._slots[nonce].used)
            del self._slots[least_used]
        self._throttled_until = None
        self._issued += 1
        seed = f"{self._realm}:{self._issued}:{now}"
        nonce = base64.b64encode(hashlib.sha384(seed.encode()).digest()).decode()
        self._slots[nonce] = _Slot(now)
        return nonce

    def _drop_expired(self) -> None:
        limit = self._now() - NONCE_LIFETIME_S
        for nonce in [nonce for nonce, slot in self._slots.items() if slot.issued <= limit]:
            del self._slots[nonce]
