"""The program of the app: prepares it, becomes each of its services, says how they are."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from .places import Layout

# What a command needs is imported when it is run: each service passes through here when it starts.
# ruff: noqa: PLC0415

USAGE = """\
usage: shelly-app COMMAND

  prepare                  write the files of all services from what is set
  launch SERVICE           become a service: mosquitto control exporter gateway influxdb database grafana
  ended SERVICE CODE SIGNAL  say how a service has ended
  health                   tell whether the broker and the gateway answer; exit code 0 if so
  control                  talk with Home Assistant, as long as the app runs
  database                 set InfluxDB up, then idle
"""


def main(arguments: Sequence[str] | None = None, layout: Layout | None = None) -> int:
    """Do what the command line says; return the exit code."""
    given = tuple(sys.argv[1:] if arguments is None else arguments)
    where = Layout() if layout is None else layout
    match given:
        case ("prepare",):
            from . import prepare

            return prepare.main(os.environ, where)
        case ("launch", name):
            return _launch(name, where)
        case ("ended", name, code, number):
            from .services.ended import ended

            ended(name, int(code), int(number), where)
            return 0
        case ("health",):
            return _health(where)
        case ("control",):
            return _control(where, os.environ)
        case ("database",):
            return _database(where)
        case ("--help",):
            sys.stdout.write(USAGE)
            return 0
    sys.stderr.write(USAGE)
    return 2


def _launch(name: str, layout: Layout) -> int:
    from .services.launch import LaunchError, launch

    try:
        launch(name, layout, os.environ)
    except LaunchError as error:
        sys.stderr.write(f"{name}: {error}\n")
    return 1


def _health(layout: Layout) -> int:
    from .services.health import problems

    wrong = problems(layout)
    sys.stdout.writelines(f"{problem}\n" for problem in wrong)
    return 1 if wrong else 0


def _control(layout: Layout, environ: Mapping[str, str]) -> int:
    from .control.daemon import run
    from .control.settings import load

    asyncio.run(run(load(layout.places.control), environ))
    return 0


def _database(layout: Layout) -> int:
    from .database.service import main as set_up
    from .services.launch import idle

    set_up(layout)
    idle()


if __name__ == "__main__":
    sys.exit(main())
