"""`python -m tests.simulator`: run a fleet until SIGINT or SIGTERM; README.md has the options."""

import asyncio
import json
import logging
import signal
import sys

from tests.simulator.fleet import Fleet
from tests.simulator.options import OptionError, Options, parse


async def run(options: Options) -> None:
    """Start the fleet, print its one line of JSON, wait for the end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with Fleet(options) as fleet:
        sys.stdout.write(json.dumps(fleet.as_json()) + "\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> int:
    """Return the exit code: 0 after an orderly end, 2 for a wrong option."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    try:
        asyncio.run(run(parse()))
    except OptionError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
