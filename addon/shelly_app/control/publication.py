"""What other apps and Home Assistant are told about this one, from when the broker answers until the app stops."""

import asyncio
import logging
from http import HTTPStatus

from shelly_app.services.ports import listening
from shelly_app.supervisor.answers import Registered
from shelly_app.supervisor.client import Supervisor
from shelly_app.supervisor.errors import SupervisorError

from .settings import Settings

HOME_ASSISTANT = "homeassistant"
APPS = "addons"
_LOOK_S = 0.2

_log = logging.getLogger(__name__)


class Publication:
    """Registers our broker, and never touches the registration of another app."""

    def __init__(self, settings: Settings, supervisor: Supervisor) -> None:
        self._settings = settings
        self._supervisor = supervisor

    async def publish(self) -> None:
        """Tell what there is. May be repeated after `SupervisorError`: what is done is not done twice."""
        if self._settings.broker:
            await self._publish_broker()
        await self._supervisor.discover("shelly_pro", self._settings.offer)

    async def show_in_sidebar(self) -> None:
        """Switch the entry in the sidebar on at the very first start; later it is as the person wants it."""
        mark = self._settings.memory / "shown-in-sidebar"
        if mark.exists():
            return
        await self._supervisor.set_own_options({"ingress_panel": True})
        mark.touch()

    async def withdraw(self) -> None:
        """Take our registration away, if it still is ours."""
        if not self._settings.broker:
            return
        own = await self._supervisor.own_info()
        registered = await self._supervisor.mqtt_service()
        if registered is not None and registered.owner == own.slug:
            await self._supervisor.withdraw_mqtt()

    async def _publish_broker(self) -> None:
        while not listening(self._settings.mqtt_port):  # noqa: ASYNC110  # only the kernel knows
            await asyncio.sleep(_LOOK_S)
        own = await self._supervisor.own_info()
        if await self._register(own.slug):
            await self._supervisor.discover_mqtt(
                host=self._settings.hostname,
                port=self._settings.mqtt_port,
                username=HOME_ASSISTANT,
                password=self._settings.homeassistant_password,
            )

    async def _register(self, slug: str) -> bool:
        """Register our broker with its present password; return false if another app has registered one."""
        registered = await self._supervisor.mqtt_service()
        if registered is not None:
            if registered.owner != slug:
                _log.warning(
                    "Home Assistant uses the broker of the app %s: ours is not registered",
                    registered.owner,
                )
                return False
            if registered == self._ours(slug):
                return True
            # Left behind by a crash, from before something was changed.
            await self._supervisor.withdraw_mqtt()
        try:
            await self._supervisor.register_mqtt(
                host=self._settings.hostname,
                port=self._settings.mqtt_port,
                username=APPS,
                password=self._settings.apps_password,
            )
        except SupervisorError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            # Another app was quicker, just now: it is asked who when this is tried again.
            raise SupervisorError("Another app has registered its broker at the same time: looking again") from error
        return True

    def _ours(self, slug: str) -> Registered:
        return Registered(
            host=self._settings.hostname,
            port=self._settings.mqtt_port,
            username=APPS,
            password=self._settings.apps_password,
            ssl=False,
            owner=slug,
        )
