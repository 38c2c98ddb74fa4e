"""Home Assistant's first visit: the owner's account and what the welcome pages ask, through the API those pages use."""

import secrets
from http import HTTPStatus
from typing import Any

import aiohttp

from tests.stack.hass_socket import HassSocket
from tests.stack.processes import StackError


async def frontend_is_up(base_url: str) -> bool:
    """Tell whether Home Assistant serves its pages, and with them what onboarding and login need."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{base_url}/manifest.json") as response:
            return response.ok
    except aiohttp.ClientError:
        return False


async def long_lived_token(base_url: str, user: str, password: str) -> str:
    """Return an administrator's token, onboarding first where that is to do; StackError when a step is refused."""
    async with aiohttp.ClientSession(base_url) as session:
        client = {"client_id": f"{base_url}/"}
        to_do = await _steps_to_do(session)
        enter = _create_owner if "user" in to_do else _log_in
        access = await _access_token(session, client, await enter(session, client, user, password))
        headers = {"Authorization": f"Bearer {access}"}
        for step in to_do & {"core_config", "analytics"}:
            await _ask(session, "POST", f"/api/onboarding/{step}", headers=headers, json={})
        if "integration" in to_do:
            answers = client | {"redirect_uri": f"{base_url}/?auth_callback=1"}
            await _ask(session, "POST", "/api/onboarding/integration", headers=headers, json=answers)
        async with HassSocket(session, base_url, access) as socket:
            # The access token of a login lives half an hour; demo and benchmarks may run longer.
            name = f"stack {secrets.token_hex(4)}"
            token: str = await socket.command("auth/long_lived_access_token", client_name=name, lifespan=30)
        return token


async def _steps_to_do(session: aiohttp.ClientSession) -> set[str]:
    async with session.get("/api/onboarding") as response:
        if response.status == HTTPStatus.NOT_FOUND:  # all done: the view is gone
            return set()
        return {step["step"] for step in await response.json() if not step["done"]}


async def _create_owner(session: aiohttp.ClientSession, client: dict[str, str], user: str, password: str) -> str:
    owner = {"name": user.title(), "username": user, "password": password, "language": "en"}
    answer = await _ask(session, "POST", "/api/onboarding/users", json=client | owner)
    return str(answer["auth_code"])


async def _log_in(session: aiohttp.ClientSession, client: dict[str, str], user: str, password: str) -> str:
    begin = client | {"handler": ["homeassistant", None], "redirect_uri": client["client_id"]}
    flow = await _ask(session, "POST", "/auth/login_flow", json=begin)
    answers = client | {"username": user, "password": password}
    end = await _ask(session, "POST", f"/auth/login_flow/{flow['flow_id']}", json=answers)
    if end["type"] != "create_entry":
        raise StackError(f"Home Assistant does not know {user} with this password: use another configuration directory")
    return str(end["result"])


async def _access_token(session: aiohttp.ClientSession, client: dict[str, str], code: str) -> str:
    grant = client | {"grant_type": "authorization_code", "code": code}
    answer = await _ask(session, "POST", "/auth/token", data=grant)
    return str(answer["access_token"])


async def _ask(session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> Any:
    async with session.request(method, path, **options) as response:
        if not response.ok:
            raise StackError(f"Home Assistant refused {path} with {response.status}: {await response.text()}")
        return await response.json()
