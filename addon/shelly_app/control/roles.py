"""Who may do what in Grafana: administrators of Home Assistant everything, everybody else what is set."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from shelly_app.supervisor.client import Supervisor
from shelly_app.supervisor.errors import SupervisorError

ADMIN = "Admin"
REFRESH_S = 60.0
_PATIENCE_S = 1.5
"""How long somebody waits for a page until Home Assistant has told who it is; the gateway waits 2 s."""
_ASK_AGAIN_S = 5.0
"""How long an unknown user is not asked for again."""

_log = logging.getLogger(__name__)


class Roles:
    """The users of Home Assistant as they were told last; while it is away they stay as they were."""

    def __init__(self, role: str, supervisor: Supervisor | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`role` is that of everybody who is not known to be an administrator."""
        self._role = role
        self._supervisor = supervisor
        self._clock = clock
        self._administrators: dict[str, bool] = {}
        self._asked: float | None = None
        self._asking = asyncio.Lock()
        self._away = False

    async def role(self, user: str) -> str:
        """Return the role of the user with this id."""
        if user not in self._administrators:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await self._look_for(user)
        return ADMIN if self._administrators.get(user, False) else self._role

    async def refresh(self) -> bool:
        """Ask for all users; return whether Home Assistant answers again after it did not."""
        if self._supervisor is None:
            return False
        self._asked = self._clock()
        try:
            people = await self._supervisor.people()
        except SupervisorError as error:
            if not self._away:
                _log.info("Who is an administrator stays as it is known: %s", error)
            self._away = True
            return False
        self._administrators = {person.id: person.administrator for person in people}
        was_away, self._away = self._away, False
        return was_away

    async def _look_for(self, user: str) -> None:
        async with self._asking:
            recently = self._asked is not None and self._clock() - self._asked < _ASK_AGAIN_S
            if user not in self._administrators and not recently:
                await self.refresh()
