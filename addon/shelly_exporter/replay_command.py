"""`shelly-exporter replay`: the dead letters once more, also while the exporter runs."""

import sys
from collections.abc import Iterator
from functools import partial

import aiohttp

from .line_protocol import by_bucket
from .replay import ReplayResult, replay
from .settings import Settings
from .settings import Target as TargetSettings
from .spool.dead_letters import DeadLetters
from .targets import Target, target_for


async def run_replay(settings: Settings) -> int:
    """Write the dead letters again and say what became of them: 0 if none is left of those there were, else 1."""
    directory = settings.spool.directory / "dead-letters"
    async with aiohttp.ClientSession() as session:
        target = target_for(settings.target, session)
        try:
            result = await replay(DeadLetters(directory), partial(_write, target, settings.target))
        except OSError as err:
            sys.stdout.write(f"The dead letters in {directory} cannot be used: {err}\n")
            return 1
        finally:
            await target.close()
    sys.stdout.writelines(f"{line}\n" for line in _report(result))
    return 1 if result.refused or result.stopped is not None else 0


async def _write(target: Target, settings: TargetSettings, body: bytes) -> None:
    for bucket, lines in by_bucket(body, settings).items():
        await target.write(bucket, b"\n".join(lines))


def _report(result: ReplayResult) -> Iterator[str]:
    refused = result.refused.total()
    if not result.written and not refused and result.stopped is None:
        yield "There are no dead letters."
        return
    yield f"{result.written} written, {refused} refused again"
    for reason, count in result.refused.most_common():
        yield f"  {count} refused: {reason}"
    if result.stopped is not None:
        yield f"Stopped, the rest is kept: {result.stopped}"
