"""The control daemon: each of its tasks goes on whatever happens to the others, until the app stops."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from shelly_app.broker.logins import LoginServer
from shelly_app.supervisor.client import Supervisor
from shelly_app.supervisor.errors import SupervisorError

from .alerts import Alerts
from .persistence import persist
from .publication import Publication
from .roles import REFRESH_S, Roles
from .settings import Settings
from .web import Pages, serve

_WITHDRAWAL_S = 8.0

_log = logging.getLogger(__name__)

type _Works = Mapping[str, Callable[[], Awaitable[None]]]


async def run(settings: Settings, environ: Mapping[str, str]) -> None:
    """Run until SIGTERM; then our broker's registration is taken away, if there is a Supervisor to tell."""
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with aiohttp.ClientSession() as session:
        supervisor = Supervisor.of(environ, session)
        await _work(settings, supervisor, stop)
        if supervisor is not None:
            await _withdraw(Publication(settings, supervisor))


async def _work(settings: Settings, supervisor: Supervisor | None, stop: asyncio.Event) -> None:
    """Do all that is to be done, until `stop`."""
    tasks = [asyncio.create_task(persist(what, work)) for what, work in _works(settings, supervisor).items()]
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _works(settings: Settings, supervisor: Supervisor | None) -> _Works:
    alerts = Alerts(supervisor)
    roles = Roles(settings.role, supervisor)
    pages = Pages(settings, roles, alerts, supervisor)
    works: dict[str, Callable[[], Awaitable[None]]] = {
        "Pages": lambda: serve(pages.application(), settings.port),
        "Alerts": alerts.deliver,
    }
    if supervisor is None:
        return works
    publication = Publication(settings, supervisor)
    works |= {
        "Roles": lambda: _keep_roles(roles, alerts),
        "Publication": publication.publish,
        "Sidebar": publication.show_in_sidebar,
    }
    if settings.logins:
        works["Logins"] = lambda: _answer_logins(settings, supervisor)
    return works


async def _keep_roles(roles: Roles, alerts: Alerts) -> None:
    """Ask each minute who is an administrator; Home Assistant was restarted if it did not answer in between."""
    while True:
        if await roles.refresh():
            alerts.remind()
        await asyncio.sleep(REFRESH_S)


async def _answer_logins(settings: Settings, supervisor: Supervisor) -> None:
    """Answer Mosquitto until cancelled."""
    async with LoginServer(settings.socket, settings.logins, supervisor.check_login):
        await asyncio.Event().wait()


async def _withdraw(publication: Publication) -> None:
    try:
        async with asyncio.timeout(_WITHDRAWAL_S):
            await publication.withdraw()
    except (SupervisorError, TimeoutError) as error:
        _log.warning("The broker is still registered, the next start corrects that: %s", error)
