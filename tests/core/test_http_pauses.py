"""A device that wants to be left alone is, and is asked again as soon as it may be; against a real web server."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from shelly_core import AuthError, LinkError, LinkTimeoutError, auth, http_link
from shelly_core.auth import THROTTLE_S
from shelly_core.http_link import BUSY_S, LONGEST_PAUSE_S
from tests.core.http_road import OpenRoad
from tests.core.shelly_server import ShellyServer, status_503

PASSWORD = "correct horse"
PAUSE_S = 0.2


def busy(retry_after: str | None, status: int = 503) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={} if retry_after is None else {"Retry-After": retry_after})

    return answer


async def test_a_throttled_device_is_asked_afresh_after_the_pause(
    device: ShellyServer, road: OpenRoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "THROTTLE_S", PAUSE_S)
    device.password = PASSWORD
    way = await road(PASSWORD)
    await way.ask()
    device.throttled = 1
    with pytest.raises(LinkError, match="throttling") as caught:
        await way.ask()
    refused_at = time.monotonic()
    assert caught.value.retry_after_s == PAUSE_S
    assert not isinstance(caught.value, LinkTimeoutError | AuthError)
    await way.ask()
    assert time.monotonic() - refused_at >= PAUSE_S * 0.9
    assert device.record[2:] == [(429, "n1", "00000002"), (401, None, None), (200, "n2", "00000001")]


async def test_throttling_without_a_password_is_no_question_of_the_password(
    device: ShellyServer, road: OpenRoad
) -> None:
    device.password = PASSWORD
    device.throttled = 1
    way = await road()
    with pytest.raises(LinkError) as caught:
        await way.ask()
    assert caught.value.retry_after_s == THROTTLE_S


@pytest.mark.parametrize(
    ("retry_after", "status", "pause_s"),
    [
        (None, 503, BUSY_S),
        ("7", 503, 7.0),
        ("0", 503, 0.0),
        ("999999999999", 503, LONGEST_PAUSE_S),
        ("9" * 400, 503, LONGEST_PAUSE_S),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 503, BUSY_S),
        ("-1", 503, BUSY_S),
        ("7", 500, 7.0),
        (None, 500, None),
        (None, 429, THROTTLE_S),
        ("1", 429, THROTTLE_S),
        ("30", 429, 30.0),
    ],
)
async def test_how_long_a_device_wants_to_be_left_alone(
    device: ShellyServer, road: OpenRoad, retry_after: str | None, status: int, pause_s: float | None
) -> None:
    device.answer = busy(retry_after, status)
    way = await road()
    with pytest.raises(LinkError) as caught:
        await way.ask()
    assert type(caught.value) is LinkError
    assert caught.value.retry_after_s == pause_s
    assert way.frames == []


async def test_a_pause_that_fits_into_the_time_allowed_is_waited_for(
    device: ShellyServer, road: OpenRoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_link, "BUSY_S", PAUSE_S)
    device.answer = status_503
    way = await road()
    with pytest.raises(LinkError, match="503"):
        await way.ask()
    begun = time.monotonic()
    device.answer = None
    await asyncio.gather(way.ask(), way.ask())
    assert time.monotonic() - begun >= PAUSE_S * 0.9
    assert way.answered == [2, 3]
    assert device.most_in_flight == 1


async def test_a_longer_pause_fails_at_once_without_a_request(device: ShellyServer, road: OpenRoad) -> None:
    device.answer = busy("60")
    way = await road()
    with pytest.raises(LinkError):
        await way.ask()
    device.answer = None
    begun = time.monotonic()
    with pytest.raises(LinkError, match="left alone") as caught:
        await way.ask()
    assert time.monotonic() - begun < 2
    assert caught.value.retry_after_s is not None
    assert 50 < caught.value.retry_after_s <= 60
    assert len(device.record) == 1


async def test_a_stale_nonce_that_is_not_replaced_makes_a_pause_too(
    device: ShellyServer, road: OpenRoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "THROTTLE_S", PAUSE_S)
    device.password = PASSWORD
    device.always_stale = True
    way = await road(PASSWORD)
    with pytest.raises(LinkError, match="no nonce"):
        await way.ask()
    assert device.statuses == [401, 401]
    device.always_stale = False
    begun = time.monotonic()
    await way.ask()
    assert time.monotonic() - begun >= PAUSE_S * 0.9
    assert device.statuses[2:] == [401, 200]
