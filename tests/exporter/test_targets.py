"""What every store's answer means, and what is never said aloud."""

import email.utils
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from shelly_exporter.influxdb_v1 import InfluxV1
from shelly_exporter.influxdb_v2 import InfluxV2
from shelly_exporter.settings import Kind, Target
from shelly_exporter.targets import (
    DIALECTS,
    Answer,
    Denied,
    Missing,
    Refused,
    Unavailable,
    base_url,
    compressed,
    fault,
    message_of,
    retentions,
    target_for,
)
from tests.repository.sources import ROOT

ERROR = '{"error":"because"}'


def test_every_kind_is_described() -> None:
    assert set(DIALECTS) == set(Kind)


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        (Kind.INFLUXDB1, InfluxV1),
        (Kind.INFLUXDB2, InfluxV2),
        (Kind.INFLUXDB3, InfluxV2),
        (Kind.VICTORIAMETRICS, InfluxV2),
    ],
)
async def test_every_kind_has_its_target(kind: Kind, cls: type) -> None:
    async with aiohttp.ClientSession() as session:
        target = target_for(Target(kind=kind), session)
        assert isinstance(target, cls)
        await target.close()


def test_influxdb_1_does_without_the_library() -> None:
    """It takes 30 MB."""
    code = "import shelly_exporter.sender, shelly_exporter.influxdb_v1, sys; sys.exit('influxdb_client' in sys.modules)"
    path = os.pathsep.join(("addon", "custom_components/shelly_pro"))
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, check=True)


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


@pytest.mark.parametrize(
    ("url", "gzip", "expected"),
    [
        ("http://127.0.0.1:8086", None, False),
        ("http://localhost:8086", None, False),
        ("http://[::1]:8086", None, False),
        ("http://192.168.1.5:8086", None, True),
        ("https://influx.lan", None, True),
        ("https://influx.lan", False, False),
        ("http://127.0.0.1:8086", True, True),
    ],
)
def test_bodies_are_compressed_where_it_helps(url: str, gzip: bool | None, expected: bool) -> None:
    assert compressed(Target(url=url, gzip=gzip)) is expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Target(retention_days=60), {"shelly": 60, "shelly_rollups": 0}),
        (Target(bucket="one", rollup_bucket="one", retention_days=60), {"one": 0}),
        (Target(bucket="one", rollup_bucket="one", retention_days=60, rollup_retention_days=90), {"one": 90}),
    ],
)
def test_retentions(settings: Target, expected: dict[str, int]) -> None:
    assert retentions(settings) == expected
