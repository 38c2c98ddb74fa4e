"""Where log entries go and what they look like: JSON for machines, lines for people; never a secret, never a local.

What others log with the standard library (the core, paho, aiohttp, urllib3) takes the same way as our own.
"""

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from .redaction import without_secrets
from .settings import Log, LogFormat

_FIRST = ("timestamp", "level", "logger", "event")
_MULTILINE = frozenset({"exception", "stack"})
# All that moves a cursor, changes colours or begins a line that nobody logged; devices choose names and topics.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def set_up(settings: Log, stream: TextIO | None = None) -> None:
    """Send all log entries to `stream`, by default stderr. May be called again, such as after a reload."""
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        _time_stamper(settings.format),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = _Handler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Before secrets are hidden: an error may have one in its text.
                structlog.processors.format_exc_info,
                _hide_secrets,
                *_renderers(settings.format, colours=out.isatty()),
            ],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    for known in [known for known in root.handlers if isinstance(known, _Handler)]:
        root.removeHandler(known)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    logging.captureWarnings(capture=True)


class _Handler(logging.StreamHandler[TextIO]):
    """The handler that `set_up` replaces when it is called again."""


def _time_stamper(form: LogFormat) -> structlog.processors.TimeStamper:
    if form is LogFormat.JSON:
        return structlog.processors.TimeStamper(fmt="iso", utc=True)
    return structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False)


def _renderers(form: LogFormat, *, colours: bool) -> tuple[Processor, ...]:
    if form is LogFormat.JSON:
        return _in_order, structlog.processors.JSONRenderer(ensure_ascii=False)
    plain = structlog.dev.plain_traceback
    return _visible, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain, pad_event_to=0)


def _hide_secrets(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    entry: EventDict = without_secrets(event_dict)
    return entry


def _in_order(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    return {**{key: event_dict[key] for key in _FIRST if key in event_dict}, **event_dict}


def _visible(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Show control characters as what they are."""
    return {key: _shown(key, value) for key, value in event_dict.items()}


def _shown(key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    pattern = _CONTROL_BUT_LAYOUT if key in _MULTILINE else _CONTROL
    return pattern.sub(_escape, value)


def _escape(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
