"""Under which names the web server answers, so that no page in a browser learns anything."""

import asyncio
from typing import Any

import aiohttp
import pytest

from shelly_exporter.settings import Web as Settings
from tests.exporter.web_stage import WELL, get, web


@pytest.mark.parametrize("path", ["/health", "/metrics", "/"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:9433", "127.0.0.1.evil.example", "[fe80::1]:80", ""])
async def test_a_page_that_has_its_own_name_resolve_to_us_learns_nothing(host: str, path: str) -> None:
    asked: list[str] = []

    def health() -> dict[str, Any]:
        asked.append("health")
        return WELL

    def metrics() -> bytes:
        asked.append("metrics")
        return b"up 1\n"

    async with web(health=health, metrics=metrics) as server:
        status, text = await get(server, path, host=host)
    assert (status, text, asked) == (421, "This server answers to localhost only.\n", [])


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9433", "127.0.0.1", "127.0.0.1:9433", "[::1]", "[::1]:9433", "127.0.0.2:1"]
)
async def test_local_names_and_the_configured_one_are_answered(host: str) -> None:
    async with web(Settings(host="127.0.0.2", port=0)) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.2:{server.port}/health"
        async with session.get(url, headers={"Host": host}) as response:
            assert response.status == 200


async def test_who_sends_no_host_is_no_browser() -> None:
    async with web() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"200"
        writer.close()


async def test_who_listens_for_the_network_answers_under_every_name() -> None:
    async with web(Settings(host="0.0.0.0", port=0)) as server:  # noqa: S104
        assert (await get(server, "/health", host="exporter.lan:9433"))[0] == 200
