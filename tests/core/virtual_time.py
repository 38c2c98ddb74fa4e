"""An event loop in which time passes only while nothing else happens: minutes of silence take no time at all."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, override


class _Selector(selectors.SelectSelector):
    """Instead of waiting, puts the clock forward."""

    now = 1000.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing will ever happen any more")
            self.now += max(0.0, timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    @override
    def time(self) -> float:
        return self._virtual.now


def virtual_time[**Arguments](
    test: Callable[Arguments, Coroutine[Any, Any, None]],
) -> Callable[Arguments, None]:
    """Run a test in virtual time; it fails if it leaves a task behind, or an exception that nobody looked at."""

    async def watched(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        unnoticed: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unnoticed.append(context))
        await test(*args, **kwargs)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert unnoticed == []

    @wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        asyncio.run(watched(*args, **kwargs), loop_factory=_Loop)

    return run
