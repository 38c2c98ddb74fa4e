"""Work that does not give up: tried until it is done, each time after a longer pause."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator

from shelly_app.supervisor.errors import SupervisorError

_LONGEST_S = 60.0

_log = logging.getLogger(__name__)


def pauses(first_s: float = 1.0) -> Iterator[float]:
    """Yield seconds, each twice the one before, up to a minute."""
    return (min(first_s * 2**number, _LONGEST_S) for number in itertools.chain(range(16), itertools.repeat(16)))


async def persist(what: str, work: Callable[[], Awaitable[None]], first_s: float = 1.0) -> None:
    """Do `work` until it returns; what goes wrong is logged once in a row, and what nobody expected, in full."""
    said = None
    waits = pauses(first_s)
    while True:
        pause = next(waits)
        try:
            await work()
            return  # noqa: TRY300  # the loop has no other way out
        except SupervisorError as error:
            if str(error) != said:
                _log.warning("%s: %s", what, error)
                said = str(error)
        except Exception:  # noqa: BLE001  # the top of a task: nothing but its own success may end it
            _log.exception("%s: failed, tried again in %g s", what, pause)
        await asyncio.sleep(pause)
