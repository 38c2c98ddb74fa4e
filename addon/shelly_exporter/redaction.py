"""What never leaves the exporter: passwords, tokens and logins, also where they stand in the middle of a text."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "***"

_MAX_DEPTH = 8
"""Deeper nesting is no log entry of ours, and may have no end."""

_WORDS = r"passwords?|passwd|passphrase|secret|token|api_?key|private_?key|cookie"
_KEY = re.compile(f"{_WORDS}|authorization", re.IGNORECASE)
_HARMLESS = re.compile(r"[\w.-]*")
"""A single word, as most texts are."""
_IN_TEXT = (
    # A login in a URL; a password may contain another @.
    (re.compile(r"(?P<kept>\b[a-z][a-z0-9+.-]*://)[^/?#\s\"'<>]*@", re.IGNORECASE), rf"\g<kept>{HIDDEN}@"),
    # A header, to the end of its line: digest has many parts.
    (re.compile(r"(?P<kept>authorization[\"']?\s*[:=]\s*).+", re.IGNORECASE), rf"\g<kept>{HIDDEN}"),
    (re.compile(r"\b(?P<kept>Bearer|Token|Basic) +[A-Za-z0-9+/=_.~-]{20,}", re.IGNORECASE), rf"\g<kept> {HIDDEN}"),
    # key=value, and "key": "value". A colon alone is a sentence such as "token: is not given".
    (
        re.compile(
            rf"(?P<kept>(?:{_WORDS})[\"']?\s*(?:=|:\s*(?=[\"'])))\s*"
            r"(?:\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[^\s\"',;&)]+)",
            re.IGNORECASE,
        ),
        rf"\g<kept>{HIDDEN}",
    ),
)


def without_secrets(value: Any) -> Any:
    """Return `value` as plain data, with secrets hidden: by the name of their key, and by their form in texts.

    A mapping becomes a dict, a sequence a list, a number that JSON does not know None, and all else its own text.
    """
    return _plain(value, 0)


def scrubbed(text: str) -> str:
    """Return a text without the secrets in it."""
    if _HARMLESS.fullmatch(text):
        return text
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _plain(value: Any, depth: int) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case None | bool() | int() | float():
            return value
        case str():
            return scrubbed(value)
        case _ if depth == _MAX_DEPTH:
            return "…"
        case Mapping():
            return {str(key): _entry(str(key), item, depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item, depth + 1) for item in value]
        case BaseException():
            return scrubbed(f"{type(value).__name__}: {value}")
        case _:
            return scrubbed(str(value))


def _entry(key: str, value: Any, depth: int) -> Any:
    # Whether a password was refused is no secret.
    if value is None or isinstance(value, bool) or not _names_secret(key):
        return _plain(value, depth)
    return HIDDEN


@lru_cache(maxsize=1024)
def _names_secret(key: str) -> bool:
    return _KEY.search(key) is not None
