"""Our own questions to a device, such as its status now and then: one at a time on each link."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from .errors import ShellyError
from .failover import Ask
from .link import Transport


class _UnderWay(NamedTuple):
    ask: Ask
    task: asyncio.Task[None]


class Questions:
    """Asks by `put`, and then tells the outcome by `told`: the error, or `None`.

    A question that is under way already counts as asked; another one waits until its link is free.
    """

    def __init__(
        self, put: Callable[[Ask], Coroutine[Any, Any, None]], told: Callable[[Ask, ShellyError | None], None]
    ) -> None:
        self._put = put
        self._told = told
        self._under_way: dict[Transport, _UnderWay] = {}
        self._next: dict[Transport, Ask] = {}

    def ask(self, ask: Ask) -> None:
        """Ask now, or as soon as the link is free."""
        under_way = self._under_way.get(ask.transport)
        if under_way is None:
            self._under_way[ask.transport] = _UnderWay(ask, asyncio.create_task(self._run(ask)))
        elif under_way.ask != ask:
            self._next[ask.transport] = ask

    async def stop(self, *transports: Transport) -> None:
        """Give up what is asked on these links; nobody is told."""
        tasks = [self._under_way.pop(transport).task for transport in transports if transport in self._under_way]
        for transport in transports:
            self._next.pop(transport, None)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, ask: Ask) -> None:
        error: ShellyError | None = None
        try:
            await self._put(ask)
        except ShellyError as err:
            error = err
        finally:
            following = self._leave(ask.transport)
        self._told(ask, error)
        if following is not None:
            self.ask(following)

    def _leave(self, transport: Transport) -> Ask | None:
        """Free the link, and return what waited for it; after `stop` it may belong to another question."""
        under_way = self._under_way.get(transport)
        if under_way is None or under_way.task is not asyncio.current_task():
            return None
        del self._under_way[transport]
        return self._next.pop(transport, None)
