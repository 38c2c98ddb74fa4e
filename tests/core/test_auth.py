import pytest

from shelly_core import AuthError, FrameError, LinkError, ShellyError
from shelly_core.auth import THROTTLE_S, USERNAME, Challenge, refusal

HEADER = 'Digest qop="auth", realm="shellypro3em-fce8c0d41a90", nonce="1694692867", algorithm=SHA-256'


def test_the_user_is_always_admin() -> None:
    assert USERNAME == "admin"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HEADER, Challenge("shellypro3em-fce8c0d41a90", "1694692867", "SHA-256", stale=False)),
        (HEADER + ", stale=true", Challenge("shellypro3em-fce8c0d41a90", "1694692867", "SHA-256", stale=True)),
        (HEADER + ', stale="TRUE"', Challenge("shellypro3em-fce8c0d41a90", "1694692867", "SHA-256", stale=True)),
        (HEADER + ", stale=false", Challenge("shellypro3em-fce8c0d41a90", "1694692867", "SHA-256", stale=False)),
        (
            ' digest nonce="a, b=\\"c\\"",Realm = "r" , ALGORITHM=SHA-256',
            Challenge("r", 'a, b=\\"c\\"', "SHA-256", stale=False),
        ),
    ],
)
def test_reads_a_challenge_header(header: str, expected: Challenge) -> None:
    assert Challenge.from_header(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Digest",
        'Basic realm="r"',
        'Digest realm="r", algorithm=SHA-256',
        'Digest realm="r", nonce="", algorithm=SHA-256',
        'Digest nonce="1", algorithm=SHA-256',
        'Digest realm="r", nonce="1"',
    ],
)
def test_other_headers_are_no_challenge(header: str) -> None:
    with pytest.raises(FrameError):
        Challenge.from_header(header)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # Before firmware 2.0 the nonce is a number.
        (
            '{"auth_type": "digest", "nonce": 1725185413, "nc": 1, "realm": "shellypro3-1", "algorithm": "SHA-256"}',
            Challenge("shellypro3-1", "1725185413", "SHA-256", stale=False),
        ),
        (
            '{"auth_type":"digest","nonce":"b3f2","nc":1,"realm":"shellypro3-1","algorithm":"SHA-256","stale":true}',
            Challenge("shellypro3-1", "b3f2", "SHA-256", stale=True),
        ),
    ],
)
def test_reads_a_framed_challenge(message: str, expected: Challenge) -> None:
    assert Challenge.from_message(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Unauthorized",
        "[]",
        "{}",
        '{"auth_type":"basic","nonce":1,"realm":"r","algorithm":"SHA-256"}',
        '{"auth_type":"digest","nonce":null,"realm":"r","algorithm":"SHA-256"}',
        '{"auth_type":"digest","nonce":true,"realm":"r","algorithm":"SHA-256"}',
        '{"auth_type":"digest","nonce":1,"realm":5,"algorithm":"SHA-256"}',
        '{"auth_type":"digest","nonce":1,"realm":"r","algorithm":null}',
        '{"auth_type":"digest","nonce":"\ud800","realm":"r","algorithm":"SHA-256"}',
    ],
)
def test_other_messages_are_no_challenge(message: str) -> None:
    with pytest.raises(FrameError):
        Challenge.from_message(message)


@pytest.mark.parametrize(
    ("status", "header", "expected", "retry_after_s"),
    [
        (200, None, None, None),
        (404, None, None, None),
        (503, HEADER, None, None),
        (401, HEADER, AuthError, None),
        (401, None, AuthError, None),
        (401, "nonsense", AuthError, None),
        (401, HEADER + ", stale=true", LinkError, THROTTLE_S),
        (429, None, LinkError, THROTTLE_S),
        (429, HEADER + ", stale=true", LinkError, THROTTLE_S),
    ],
)
def test_what_a_refusal_means(
    status: int, header: str | None, expected: type[ShellyError] | None, retry_after_s: float | None
) -> None:
    error = refusal(status, header)
    assert (None if error is None else type(error)) is expected
    assert getattr(error, "retry_after_s", None) == retry_after_s


def test_a_throttled_device_is_left_alone_for_more_than_its_two_seconds() -> None:
    assert THROTTLE_S > 2
