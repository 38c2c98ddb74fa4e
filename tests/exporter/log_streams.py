"""Logs that are written into memory, with a secret that must not be in them."""

import io
import json
from collections.abc import Callable
from typing import Any, override

from shelly_exporter.logs import set_up
from shelly_exporter.settings import Log, LogFormat, LogLevel

SECRET = "hunter2"


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def json_logs(level: LogLevel = LogLevel.INFO) -> io.StringIO:
    stream = io.StringIO()
    set_up(Log(format=LogFormat.JSON, level=level), stream)
    return stream


def console_logs(stream: io.StringIO | None = None) -> io.StringIO:
    chosen = io.StringIO() if stream is None else stream
    set_up(Log(format=LogFormat.CONSOLE, level=LogLevel.INFO), chosen)
    return chosen


def fail(text: str, *tell: Callable[[str], None]) -> None:
    """Let each of `tell` log an exception with `text`, where a local variable holds the secret."""
    held = SECRET
    try:
        int(text)
    except ValueError:
        for each in tell:
            each(f"it broke after {len(held)} letters")
