"""Nonces and counters of firmware 1.x and 2.0, with a digest computed here by hand."""

import hashlib
import json
import re

import pytest

from tests.simulator.auth import (
    NONCE_LIFETIME_S,
    NONCE_SLOTS,
    THROTTLE_S,
    Authenticator,
    AuthRefusedError,
    Credentials,
    from_frame,
    from_header,
    ha1,
)
from tests.simulator.clock import ManualClock

DEVICE = "shellypro3em-0a1b2c3d4e5f"
PASSWORD = "correct horse"
SECRET = ha1(DEVICE, PASSWORD)
TARGET = "/rpc/Switch.Set?id=0&on=true"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def header(nonce: str, nc: int, *, password: str = PASSWORD, target: str = TARGET, method: str = "GET") -> str:
    secret = digest(f"admin:{DEVICE}:{password}")
    response = digest(f"{secret}:{nonce}:{nc:08x}:abcdef:auth:{digest(f'{method}:{target}')}")
    return (
        f'Digest username="admin", realm="{DEVICE}", nonce="{nonce}", uri="{target}", '
        f'response="{response}", algorithm=SHA-256, qop=auth, nc={nc:08x}, cnonce="abcdef"'
    )


def shown(nonce: str, nc: int, *, password: str = PASSWORD) -> Credentials:
    credentials = from_header(header(nonce, nc, password=password), "GET", TARGET)
    assert credentials is not None
    return credentials


def in_frame(nonce: str | int, nc: int, *, password: str = PASSWORD) -> Credentials:
    secret = digest(f"admin:{DEVICE}:{password}")
    response = digest(f"{secret}:{nonce}:{nc}:xyz:auth:{digest('dummy_method:dummy_uri')}")
    return from_frame(
        {
            "realm": DEVICE,
            "username": "admin",
            "nonce": nonce,
            "nc": nc,
            "cnonce": "xyz",
            "response": response,
            "algorithm": "SHA-256",
        }
    )


class Door:
    """An authenticator with its clock, and the refusal it gives."""

    def __init__(self, *, strict: bool) -> None:
        self.clock = ManualClock()
        self.authenticator = Authenticator(DEVICE, self.clock.now, self.clock.now, strict=strict)

    def refusal(self, credentials: Credentials | None = None) -> AuthRefusedError:
        with pytest.raises(AuthRefusedError) as caught:
            self.authenticator.check(SECRET, credentials)
        return caught.value

    def nonce(self) -> str:
        nonce = self.refusal().nonce
        assert nonce is not None
        return nonce

    def passes(self, credentials: Credentials) -> None:
        self.authenticator.check(SECRET, credentials)


@pytest.fixture
def old() -> Door:
    return Door(strict=False)


@pytest.fixture
def new() -> Door:
    return Door(strict=True)


def test_no_password_no_question(old: Door) -> None:
    old.authenticator.check(None, None)


def test_old_challenge_is_worded_as_captured(old: Door) -> None:
    refusal = old.refusal()
    assert refusal.code == 401
    assert old.authenticator.challenge_header(refusal) == (
        f'Digest qop="auth", realm="{DEVICE}", nonce="{int(old.clock.now())}", algorithm=SHA-256'
    )
    assert old.authenticator.challenge_text(refusal) == (
        f'{{"auth_type": "digest", "nonce": {int(old.clock.now())}, "nc": 1, "realm": "{DEVICE}", '
        '"algorithm": "SHA-256"}'
    )


def test_old_firmware_takes_any_count_for_days(old: Door) -> None:
    nonce = old.nonce()
    for nc in (1, 1, 7, 2):
        old.passes(shown(nonce, nc))
        old.clock.move(86400)


@pytest.mark.parametrize("strict", [False, True])
def test_wrong_password_is_refused_and_right_one_opens(strict: bool) -> None:
    door = Door(strict=strict)
    refusal = door.refusal(shown(door.nonce(), 1, password="wrong"))
    assert refusal.code == 401
    assert not refusal.stale
    assert refusal.nonce is not None
    door.passes(shown(refusal.nonce, 1))


@pytest.mark.parametrize("strict", [False, True])
def test_frame_and_header_share_nonces(strict: bool) -> None:
    door = Door(strict=strict)
    nonce = door.nonce()
    door.passes(in_frame(nonce if strict else int(nonce), 1))
    door.passes(shown(nonce, 2))


def test_header_is_bound_to_its_request_line(old: Door) -> None:
    assert from_header(header("1", 1), "GET", "/rpc/Switch.Set?id=1&on=true") is None
    other_method = from_header(header(old.nonce(), 1), "POST", TARGET)
    assert other_method is not None
    assert old.refusal(other_method).code == 401


def test_made_up_nonce_is_refused(old: Door, new: Door) -> None:
    assert old.refusal(shown("12345", 1)).code == 401
    assert new.refusal(shown("12345", 1)).stale


def test_new_nonce_is_opaque_and_64_characters(new: Door) -> None:
    nonce = new.nonce()
    assert re.fullmatch(r"[A-Za-z0-9+/]{64}", nonce)
    assert nonce != new.nonce()
    assert json.loads(new.authenticator.challenge_text(new.refusal()))["nc"] == 1


@pytest.mark.parametrize("counts", [[2], [0], [1, 1], [1, 3], [1, 2, 1]])
def test_new_firmware_wants_counts_from_one_in_steps_of_one(new: Door, counts: list[int]) -> None:
    nonce = new.nonce()
    *good, bad = counts
    for nc in good:
        new.passes(shown(nonce, nc))
    assert new.refusal(shown(nonce, bad)).code == 401


def test_new_nonce_lives_an_hour_then_is_stale(new: Door) -> None:
    nonce = new.nonce()
    new.passes(shown(nonce, 1))
    new.clock.move(NONCE_LIFETIME_S - 1)
    new.passes(shown(nonce, 2))
    new.clock.move(1)
    refusal = new.refusal(shown(nonce, 3))
    assert refusal.code == 401
    assert refusal.stale
    assert new.authenticator.challenge_header(refusal).endswith(", algorithm=SHA-256, stale=true")
    assert json.loads(new.authenticator.challenge_text(refusal))["stale"] is True
    assert refusal.nonce is not None
    new.passes(shown(refusal.nonce, 1))


def test_full_slots_throttle_two_seconds_then_evict_the_least_used(new: Door) -> None:
    nonces = [new.nonce() for _ in range(NONCE_SLOTS)]
    for nonce in nonces[1:]:
        new.passes(shown(nonce, 1))
    refusal = new.refusal()
    assert refusal.code == 429
    assert new.authenticator.challenge_text(refusal) == "Too many failed authentication attempts"
    new.passes(shown(nonces[5], 2))
    new.clock.move(THROTTLE_S - 0.1)
    assert new.refusal().code == 429
    new.clock.move(0.1)
    assert new.refusal().code == 401
    new.passes(shown(nonces[1], 2))
    assert new.refusal(shown(nonces[0], 1)).code == 429, "the unused one was evicted"


def test_dead_nonce_feeds_the_throttle(new: Door) -> None:
    dead = new.nonce()
    new.clock.move(NONCE_LIFETIME_S)
    for _ in range(NONCE_SLOTS):
        new.nonce()
    for _ in range(3):  # it never starts the window that would free a slot
        assert new.refusal(shown(dead, 1)).code == 429
        new.clock.move(THROTTLE_S * 2)
    assert new.refusal().code == 429  # starts the window
    new.clock.move(THROTTLE_S - 0.5)
    assert new.refusal(shown(dead, 1)).code == 429  # keeps it open
    new.clock.move(1.0)
    assert new.refusal().code == 429
    new.clock.move(THROTTLE_S)
    assert new.refusal().code == 401


def test_reboot_forgets_nonces(new: Door) -> None:
    nonce = new.nonce()
    new.authenticator.reset()
    assert new.refusal(shown(nonce, 1)).stale
