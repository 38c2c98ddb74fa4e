"""What every store's answer means, and what is never said aloud."""

import email.utils
from datetime import UTC, datetime, timedelta

import pytest

from shelly_exporter.settings import Kind, Target
from shelly_exporter.targets import Answer, Denied, Missing, Refused, Unavailable, base_url, fault, message_of

ERROR = '{"error":"because"}'


@pytest.mark.parametrize(
    ("status", "body", "expected", "text"),
    [
        (400, ERROR, Refused, "because"),
        (422, '{"code":"unprocessable entity","message":"because"}', Refused, "because"),
        (413, "<html>", Refused, "the body is too large"),
        (413, ERROR, Refused, "because"),
        (401, ERROR, Denied, "check influxdb.token"),
        (403, ERROR, Denied, "check the rights that influxdb.token has"),
        (404, ERROR, Missing, "because"),
        (404, "404 page not found", Missing, "check influxdb.url and influxdb.kind"),
        (400, "The plain HTTP request was sent to HTTPS port", Missing, "check influxdb.url"),
        (200, "<html>Welcome", Missing, "check influxdb.url"),
        (302, "", Missing, "check influxdb.url"),
        (429, ERROR, Unavailable, "because"),
        (500, "", Unavailable, "cannot take points now (500)"),
        (503, "[1]", Unavailable, "cannot take points now (503)"),
    ],
)
def test_answers(status: int, body: str, expected: type[Exception], text: str) -> None:
    found = fault(Target(kind=Kind.INFLUXDB2), Answer(status, body))
    assert type(found) is expected
    assert text in str(found)


def test_a_login_in_the_url_is_told_nobody() -> None:
    settings = Target(url="https://joe:geheim@influx.lan:8086/sub/", token="geheim", password="geheim")
    assert base_url(settings) == "https://influx.lan:8086/sub"
    for status in (200, 400, 401, 403, 404, 500):
        assert "geheim" not in str(fault(settings, Answer(status, "")))
    assert "geheim" not in repr(settings).replace(settings.url, "")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("30", 30.0), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    found = fault(Target(), Answer(503, "", header))
    assert isinstance(found, Unavailable)
    assert found.retry_after_s == seconds


def test_retry_after_may_be_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    found = fault(Target(), Answer(429, "", email.utils.format_datetime(later, usegmt=True)))
    assert isinstance(found, Unavailable)
    assert found.retry_after_s == pytest.approx(90, abs=3)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", None),
        ("null", None),
        ("[]", None),
        ('{"error": 5}', None),
        ('{"code": "invalid", "message": "no"}', "no"),
        ('{"error": "no", "data": {"x": 1}}', "no"),
        ('{"error": "partial", "data": [{"line_number": 2, "error_message": "no"}, 5]}', "partial; no"),
    ],
)
def test_messages(body: str, message: str | None) -> None:
    assert message_of(body) == message
