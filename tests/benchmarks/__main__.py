"""`python -m tests.benchmarks`: measure, print a table, keep the figures as JSON."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

from tests.benchmarks import core, exporter, home_assistant, outage
from tests.benchmarks.report import Section
from tests.demo.printing import say
from tests.stack.processes import StackError

type Benchmark = Callable[..., Awaitable[Section]]

BENCHMARKS: dict[str, Benchmark] = {
    "core": core.benchmark,
    "home-assistant": home_assistant.benchmark,
    "outage": outage.benchmark,
    "exporter": exporter.benchmark,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for. Exit code: 0 measured, 1 not measured; a missed target is a result, not a failure."""
    options = arguments(argv)
    try:
        asyncio.run(run(options.which, quick=options.quick))
    except (StackError, core.BrokenRunError) as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt, asyncio.CancelledError:
        say("\nStopped; nothing is left running.")
        return 1
    return 0


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description=__doc__)
    parser.add_argument("which", nargs="?", default="all", choices=(*BENCHMARKS, "all"), help="default: all")
    parser.add_argument("--quick", action="store_true", help="few rounds, few devices: does it run, not how fast")
    return parser.parse_args(argv)


async def run(which: str, *, quick: bool) -> None:
    """Measure, print and save one benchmark after the other."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    for name, benchmark in BENCHMARKS.items():
        if which in {name, "all"}:
            section = await benchmark(quick=quick)
            say(f"\n{section.text()}\nKept in {section.save(quick=quick)}")


if __name__ == "__main__":
    sys.exit(main())
