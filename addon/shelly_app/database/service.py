"""The service `database`: sets our InfluxDB up as soon as it answers, however long that takes."""

import asyncio
import itertools
import logging
import sys
from collections.abc import Iterable

import aiohttp

from shelly_app.places import Layout
from shelly_app.secret_store import SecretStore

from .api import DatabaseAwayError, DatabaseError, LoginRefusedError
from .provision import provision
from .recovery import forget
from .settings import Settings, load

PAUSES_S = (0.5, 0.5, 1.0, 1.0, 2.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""How long to wait after each failure; the last one again and again."""
_PATIENT = 5
"""So often InfluxDB may be away without a line: it needs some seconds to start."""

_log = logging.getLogger(__name__)


def main(layout: Layout) -> None:
    """Set InfluxDB up as `prepare` has written down."""
    settings = load(layout.places)
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    asyncio.run(run(settings, SecretStore(layout.places.secrets)))


async def run(settings: Settings, store: SecretStore, pauses_s: Iterable[float] = PAUSES_S) -> None:
    """Return when all is set up; try again until then, and say what is wrong whenever that has changed."""
    told: str | None = None
    waits = itertools.chain(pauses_s, itertools.repeat(PAUSES_S[-1]))
    count = 0
    async with aiohttp.ClientSession() as session:
        while True:
            count += 1
            try:
                await provision(settings, store, session)
            except DatabaseError as error:
                if isinstance(error, LoginRefusedError):
                    forget(store)
                patient = isinstance(error, DatabaseAwayError) and count < _PATIENT
                if not patient and str(error) != told:
                    told = str(error)
                    _log.error("%s", told)
            else:
                _log.info("InfluxDB is ready for the exporter and Grafana")
                return
            await asyncio.sleep(next(waits))
