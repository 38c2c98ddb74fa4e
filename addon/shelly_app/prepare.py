"""`shelly-app prepare`: from what is set to files on disk, before any service starts."""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp

from . import broker, control, database, exporter_settings, gateway, grafana, handouts, services
from .files import File, write
from .options import OptionsError, check_files, read
from .places import Layout
from .secret_store import SecretStore
from .setup import Setup
from .supervisor import SupervisorError, choose_broker, gather


def main(environ: Mapping[str, str], layout: Layout | None = None) -> int:
    """Return the exit code; what is wrong goes to stderr, one problem a line."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    os.umask(0o022)  # services must reach their files through the folders above them
    try:
        setup = asyncio.run(_set_up(environ, Layout() if layout is None else layout))
        # Before anything is in it, or it would be for the owner of the first file alone.
        setup.layout.places.run.mkdir(parents=True, exist_ok=True)
        write(render(setup))
    except OptionsError as error:
        return _complain(error.problems)
    except SupervisorError as error:
        return _complain((str(error),))
    except OSError as error:
        reason = error.strerror
        return _complain((f"{error.filename} cannot be written ({reason}): make room on the disk, and start again",))
    return 0


def render(setup: Setup) -> dict[Path, File]:
    """Return every file that the services read, and those for people."""
    areas = (broker, control, database, exporter_settings, gateway, grafana, services)
    rendered = {path: file for area in areas for path, file in area.files(setup).items()}
    return {**rendered, **handouts.files(setup, rendered)}


async def _set_up(environ: Mapping[str, str], layout: Layout) -> Setup:
    options = read(layout.places, environ)
    check_files(options, layout.places)
    async with aiohttp.ClientSession() as session:
        remembered = layout.places.data / "addresses.json"
        home, registered = await gather(options, environ, session, remembered)
    store = SecretStore(layout.places.secrets)
    secrets = store.load(options.mqtt.devices)
    access = choose_broker(options, home, registered, secrets, layout)
    setup = Setup(options=options, secrets=secrets, layout=layout, home=home, broker=access)
    await database.adopt(setup, store)
    return replace(setup, secrets=store.load(options.mqtt.devices))


def _complain(problems: tuple[str, ...]) -> int:
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 2
