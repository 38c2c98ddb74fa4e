"""`python -m tests.demo`: the virtual switchboard, live in a real Home Assistant and InfluxDB, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.demo.app import raise_app
from tests.demo.check import check
from tests.demo.dashboard import ICON, URL_PATH, Panel, dashboard, energy_preferences
from tests.demo.live import live_values
from tests.demo.printing import say, step
from tests.stack.fleet import DeviceSpec, SimulatedDevice
from tests.stack.home_assistant import PASSWORD, USER
from tests.stack.processes import Process, StackError, free_port
from tests.stack.stage import Household, Report, raise_household

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Meters of current firmware report about once a second.
# Relays and house meter share a house: what a relay switches on shows on the meter.
SPECS = (
    DeviceSpec(model="pro3", firmware="1.4.4", name="Heating relays", house="house"),
    DeviceSpec(model="pro3em", firmware="1.7.5", name="House meter", cadence_s=1, house="house"),
    DeviceSpec(model="pro3em-mono", firmware="1.7.5", name="Workshop meters", cadence_s=1),
)
HOME_ASSISTANT_PORT = 8123
NO_GRAFANA = "Grafana is not installed here, so its boards are not shown; with a grafana-server on PATH they are."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit code: 0 fine, 1 something differs or did not start."""
    options = arguments(argv)
    try:
        with _directory(options.config_dir) as directory:
            return asyncio.run(run(directory, _port_for(options.port), only_check=options.check))
    except StackError as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt, asyncio.CancelledError:
        say("\nStopped; nothing is left running.")
        return 0 if not options.check else 1


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"{text}: give a number from 1 to 65535")
    return int(text)


def _writable(text: str) -> Path:
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
        raise argparse.ArgumentTypeError(f"{text} ({reason}): give a directory that can be written to") from error
    return path


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare Home Assistant and InfluxDB with the devices, then stop"
    )
    parser.add_argument(
        "--config-dir", type=_writable, help="keep everything in this directory (default: a throw-away one)"
    )
    parser.add_argument(
        "--port", type=_port, help=f"Home Assistant's port (default: {HOME_ASSISTANT_PORT} or a free one)"
    )
    return parser.parse_args(argv)


async def run(directory: Path, port: int, *, only_check: bool) -> int:
    """Start everything, with Home Assistant at `port`, then check, or show and wait for Ctrl-C."""
    this = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        if this is not None:
            # Explicit, because a shell that starts us in the background makes us ignore SIGINT.
            asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    say("Shelly Pro in Home Assistant and InfluxDB, with virtual devices:")
    async with (
        raise_app(directory, SPECS, report=step) as app,
        raise_household(directory, app.fleet, app.broker, port=port, report=step) as household,
    ):
        await furnish(household, household.fleet.devices, report=step)
        if only_check:
            return 0 if await check(household, app.export) else 1
        say(f"\n{await live_values(household)}\n")
        say(f"{app.export.hints}\n")
        say(NO_GRAFANA if app.boards is None else app.boards)
        say(f"Open {household.home_assistant.url} and log in as {USER}, password {PASSWORD}. Ctrl-C stops everything.")
        ended = await first_ended(
            household.home_assistant.process, app.broker.process, app.export.store.process, app.export.exporter.process
        )
        raise StackError(f"{ended.name} ended by itself. The end of its log:\n{ended.tail()}")


async def first_ended(*processes: Process) -> Process:
    """Wait until one of the processes ends by itself, and return it."""
    async with asyncio.TaskGroup() as waits:
        tasks = {waits.create_task(process.ended()): process for process in processes}
        done, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            task.cancel()
    return tasks[done.pop()]


async def furnish(household: Household, devices: Sequence[SimulatedDevice], *, report: Report) -> None:
    """Add `devices` through our config flow and put the first dashboard in place."""
    for device in devices:
        async with report(f"{device.id} at {device.host}:{device.http_port}, through our config flow"):
            await household.add_device(device)
    async with report("First dashboard, energy page"):
        panels = [Panel(title=household.entries[d.id]["title"], entities=await household.entities(d)) for d in devices]
        await household.client.check_pages()
        await household.client.save_dashboard(dashboard(panels), URL_PATH, ICON)
        await household.client.save_energy_preferences(energy_preferences(panels))


@contextlib.contextmanager
def _directory(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="shelly-pro-demo-", ignore_cleanup_errors=True) as name:
            yield Path(name)


def _port_for(asked: int | None) -> int:
    port = free_port(HOME_ASSISTANT_PORT if asked is None else asked)
    if asked not in {None, port}:
        raise StackError(f"Port {asked} is taken: stop what listens there, or leave out --port")
    return port


if __name__ == "__main__":
    sys.exit(main())
