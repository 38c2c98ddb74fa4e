"""`shelly-exporter`: reads the settings and does what it is asked."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from .settings import Settings, SettingsError
from .settings.source import CONFIG_VARIABLE, load

_EXAMPLE = Path(__file__).with_name("exporter.example.yaml")
_INTERRUPTED = 130
_COMMANDS = {
    "run": "read the devices' messages and write them to InfluxDB until told to stop",
    "check": "connect to the broker and InfluxDB, write a point, read it back, and say what is wrong",
    "replay": "write again the lines that InfluxDB refused, after what it objected to was mended",
    "status": "ask the running exporter how it is",
}
_DESCRIPTION = """\
Writes every reading of the Shelly devices on an MQTT broker to InfluxDB: it finds the devices by itself, keeps
readings on disk while InfluxDB is away, and asks a device over HTTP when MQTT does not deliver.
"""
_EPILOG = f"""\
settings:
  Every setting has a default and can stand in the file or in an environment variable, which wins:
  the key port in the section mqtt is SHELLY_MQTT_PORT. To begin with, four are enough:

    SHELLY_MQTT_HOST=192.168.1.2
    SHELLY_INFLUXDB_URL=http://192.168.1.3:8086
    SHELLY_INFLUXDB_ORGANISATION=home
    SHELLY_INFLUXDB_TOKEN_FILE=/run/secrets/influxdb-token

  All of them, with defaults and explanations, are in
  {_EXAMPLE}

signals while it runs:
  SIGTERM and SIGINT write what is there and end; SIGHUP reads the settings again.

exit codes:
  0  all is well
  1  something is not well (check, replay, status), or it had to give up (run)
  2  the settings or arguments are wrong, or (status) nothing runs or nothing works

examples:
  shelly-exporter --config /etc/shelly-exporter.yaml check
  shelly-exporter --config /etc/shelly-exporter.yaml run
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say and return the exit code; problems with the settings go to stderr, one a line."""
    arguments = _parser(os.environ).parse_args(argv)
    reload = partial(load, arguments.config, os.environ)
    try:
        settings = reload()
    except SettingsError as error:
        _tell(f"shelly-exporter: {problem}" for problem in error.problems)
        return 2
    if arguments.command != "status":
        _tell(f"shelly-exporter: warning: {warning}" for warning in settings.warnings)
    try:
        return asyncio.run(_do(arguments.command, settings, reload))
    except KeyboardInterrupt:
        return _INTERRUPTED


async def _do(command: str, settings: Settings, reload: Callable[[], Settings]) -> int:
    # Imported when needed: `status` is asked often, and has no use for what `run` consists of.
    match command:
        case "run":
            from .daemon import run  # noqa: PLC0415

            return await run(settings, reload)
        case "check":
            from .check import check  # noqa: PLC0415

            return await check(settings)
        case "replay":
            from .replay_command import run_replay  # noqa: PLC0415

            return await run_replay(settings)
        case _:
            from .status import status  # noqa: PLC0415

            return await status(settings)


def _parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    width = max(map(len, _COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {what}" for name, what in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="shelly-exporter",
        usage="shelly-exporter [--config FILE] COMMAND",
        description=f"{_DESCRIPTION}\ncommands:\n{commands}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", metavar="COMMAND", choices=_COMMANDS, help=f"one of {', '.join(_COMMANDS)}")
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=environ.get(CONFIG_VARIABLE) or None,
        help=f"a YAML file with settings (default: {CONFIG_VARIABLE}, else none)",
    )
    return parser


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
