"""The running exporter: signals, and one life after the other; what makes up a life is in `exporter`."""

import asyncio
import signal
from collections.abc import Callable

import structlog

from .cluster.errors import ClusterError
from .exporter import Exporter
from .logs import set_up
from .settings import Settings, SettingsError
from .spool import SpoolError

_LOGGER = structlog.get_logger(__name__)


async def run(settings: Settings, reload: Callable[[], Settings]) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP reads the settings again. Returns the exit code."""
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, signals.put_nowait, number)
    proven: Settings | None = None
    """The settings that it ran with before."""
    while True:
        set_up(settings.log)
        try:
            async with Exporter(settings) as exporter:
                number = await _next_signal(signals, exporter)
        except (SpoolError, SettingsError, ClusterError) as error:
            _LOGGER.critical("Cannot run: %s", error)
            if proven is None or settings is proven:
                return 1
            _LOGGER.warning("The exporter goes on with the old settings")
            settings = proven
            continue
        proven = settings
        if number is not signal.SIGHUP:
            _LOGGER.info("Stopped")
            return 0
        settings = _reloaded(settings, reload)


async def _next_signal(signals: asyncio.Queue[signal.Signals], exporter: Exporter) -> signal.Signals:
    """Wait for a signal; raises what a part of the exporter ended with, if one ends by itself."""
    told = asyncio.ensure_future(signals.get())
    try:
        done, _ = await asyncio.wait((told, *exporter.running), return_when=asyncio.FIRST_COMPLETED)
        for part in done - {told}:
            await part
        return told.result()
    finally:
        told.cancel()


def _reloaded(settings: Settings, reload: Callable[[], Settings]) -> Settings:
    try:
        fresh = reload()
    except SettingsError as error:
        for problem in error.problems:
            _LOGGER.warning(problem)
        _LOGGER.warning("The settings were not reloaded: the exporter goes on with the old ones")
        return settings
    for warning in fresh.warnings:
        _LOGGER.warning(warning)
    _LOGGER.info("The settings were reloaded")
    return fresh
