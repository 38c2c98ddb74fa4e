"""`shelly-exporter check`: connects to everything that is set, and says step by step what is wrong and what to do."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final, TextIO

from shelly_exporter.logs import set_up
from shelly_exporter.redaction import scrubbed
from shelly_exporter.settings import LogLevel, Settings
from shelly_exporter.table import row

from .devices import LISTEN_S, broker_steps
from .steps import Outcome, Step, redis_step, settings_steps, spool_step, target_steps

WIDTHS: Final = (5, 25)
"""Of the columns before the text. Rows are printed as they come, so nobody knows the longest name; an id has 25."""


async def check(settings: Settings, out: TextIO | None = None, *, listen_s: float = LISTEN_S) -> int:
    """Print each step as soon as it is done; returns 0 if all is well, 1 if something is wrong.

    The exporter may be running meanwhile: neither its session on the broker nor its spool is touched. One point stays
    in each bucket, in the measurement `steps.MEASUREMENT`.
    """
    stream = sys.stdout if out is None else out
    # All that goes wrong is in the table.
    level = LogLevel.DEBUG if settings.log.level is LogLevel.DEBUG else LogLevel.ERROR
    set_up(replace(settings.log, level=level))
    wrong = 0
    async for step in _steps(settings, listen_s):
        wrong += step.outcome is Outcome.WRONG
        stream.write(_shown(step))
        stream.flush()
    if wrong:
        stream.write(f"\n{wrong} {'step is' if wrong == 1 else 'steps are'} wrong; what to do stands there.\n")
    else:
        stream.write("\nAll is well.\n")
    return 1 if wrong else 0


async def _steps(settings: Settings, listen_s: float) -> AsyncIterator[Step]:
    for step in settings_steps(settings):
        yield step
    yield await asyncio.to_thread(spool_step, settings.spool)
    async for step in broker_steps(settings, listen_s):
        yield step
    async for step in target_steps(settings.target):
        yield step
    redis = await redis_step(settings.cluster)
    if redis is not None:
        yield redis


def _shown(step: Step) -> str:
    width = shutil.get_terminal_size().columns
    rows = [row((step.outcome, step.name, scrubbed(step.told)), WIDTHS, width)]
    if step.remedy is not None:
        rows.append(row(("", "", f"-> {step.remedy}"), WIDTHS, width))
    return "\n".join((*rows, ""))
