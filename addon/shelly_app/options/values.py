"""What the value of an option may look like: from JSON, YAML or a variable to what the code works with.

Every function raises `vol.Invalid` with what was given, unless it is secret, and the remedy.
"""

import difflib
import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import voluptuous as vol

type Validator[T] = Callable[[Any], T]

_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})
_LONGEST_SHOWN = 80
_HOST = re.compile(r"[\w.-]+")
_LAST_PORT = 65535


def text(raw: Any) -> str:
    """Take a single line; spaces around it are taken off."""
    if not isinstance(raw, str):
        raise vol.Invalid(f"{_shown(raw)} is no text: give a single value, in quotes if it is a number")
    value = raw.strip()
    if not value.isprintable():
        raise vol.Invalid("this contains more than one line, or signs that cannot be seen: type it anew")
    return value


def secret(raw: Any) -> str:
    """Take a single line that is never shown, as it is."""
    if not isinstance(raw, str):
        raise vol.Invalid("this is no text: give a single value, in quotes")
    if set(raw) & set("\r\n\0"):
        raise vol.Invalid("this contains more than one line: give a single line")
    return raw


def boolean(raw: Any) -> bool:
    """Take yes or no in all their forms."""
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else None
    if word not in _YES | _NO:
        raise wrong(raw, "yes or no", "give true or false")
    return word in _YES


def whole(what: str, first: int, last: int) -> Validator[int]:
    """Take a whole number from `first` to `last`; `what` it is called."""

    def taken(raw: Any) -> int:
        value = _number(raw)
        if value is None or not value.is_integer() or not first <= value <= last:
            raise wrong(raw, what, f"give a whole number from {first} to {last}")
        return int(value)

    return taken


def number(what: str, first: float, last: float) -> Validator[float]:
    """Take a number from `first` to `last`, which may be a fraction; `what` it is called."""

    def taken(raw: Any) -> float:
        value = _number(raw)
        if value is None or not first <= value <= last:
            raise wrong(raw, what, f"give a number from {first:g} to {last:g}")
        return value

    return taken


def choice[Kind: StrEnum](kinds: type[Kind], what: str) -> Validator[Kind]:
    """Take one of the words of `kinds`, in any case of letters; `what` it is called."""
    known = {str(kind).lower(): kind for kind in kinds}

    def chosen(raw: Any) -> Kind:
        kind = known.get(raw.strip().lower()) if isinstance(raw, str) else None
        if kind is None:
            raise wrong(raw, what, f"give one of {', '.join(kinds)}")
        return kind

    return chosen


def host(raw: Any) -> str:
    """Take a name or an address, without scheme and port."""
    value = text(raw)
    if not (_HOST.fullmatch(value) or _is_address(value)):
        raise wrong(raw, "host", "give a name or an address alone, without scheme, port and path")
    return value


def url(raw: Any) -> str:
    """Take the URL of a server, without user and query; slashes at its end are taken off."""
    value = text(raw)
    if "@" in value:
        raise vol.Invalid("this URL contains a user or password: give them as username and password, or token")
    if not _is_url(value):
        raise wrong(raw, "URL of a server", "give it in the form http://host:port")
    return value.rstrip("/")


def zone(raw: Any) -> str:
    """Take the name of a time zone."""
    name = text(raw)
    try:
        zoneinfo.ZoneInfo(name)
    except OSError, ValueError, LookupError:  # a folder such as Europe, a path, and what is in no database
        near = nearest(name, zoneinfo.available_timezones())
        remedy = "give a name such as Europe/Berlin" if near is None else f"did you mean {near}?"
        raise wrong(raw, "time zone", remedy) from None
    return name


def bucket(raw: Any) -> str:
    """Take the name of a bucket or database: without what would end or change a query or a path."""
    value = text(raw)
    if set(value) & set("/\\\"'+#$"):
        raise wrong(raw, "name of a bucket", "use letters, digits, - and _")
    return value


def file_name(raw: Any) -> str:
    """Take the name of a file below `/ssl`."""
    value = text(raw)
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or path.name in {"", "."}:
        raise wrong(raw, "name of a file in /ssl", "put the file there and give its name alone, such as fullchain.pem")
    return value


def several[T](each: Validator[T]) -> Validator[tuple[T, ...]]:
    """Take a list, or one text with commas; what is wrong with an entry is told with its number."""

    def taken(raw: Any) -> tuple[T, ...]:
        if isinstance(raw, Mapping) or not isinstance(raw, Sequence):
            raise vol.Invalid(f"{_shown(raw)} is no list: write - before each entry")
        good: list[T] = []
        problems: list[vol.Invalid] = []
        for index, item in enumerate(_items(raw) if isinstance(raw, str) else raw):
            try:
                good.append(each(item))
            except vol.Invalid as error:
                error.prepend([index])
                problems += error.errors if isinstance(error, vol.MultipleInvalid) else [error]
        if problems:
            raise vol.MultipleInvalid(problems)
        return tuple(good)

    return taken


def nearest(given: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that `given` was meant to be, if it is like one."""
    lower = {name.lower(): name for name in sorted(known)}
    found = difflib.get_close_matches(given.lower(), lower, n=1, cutoff=cutoff)
    return lower[found[0]] if found else None


def wrong(raw: Any, what: str, remedy: str) -> vol.Invalid:
    """Return the error that says what was given, that it is no `what`, and what to do."""
    return vol.Invalid(f"{_shown(raw)} is no {what}: {remedy}")


def _items(raw: str) -> list[str]:
    return [item for item in raw.split(",") if item.strip()]


def _number(raw: Any) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return None
    try:
        return float(raw)
    except ValueError, OverflowError:
        return None


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        named = parts.hostname is not None and (parts.port is None or 0 < parts.port <= _LAST_PORT)
    except ValueError:
        return False
    return named and parts.scheme in {"http", "https"} and not (set(value) & set("?# \\"))


def _shown(raw: Any) -> str:
    if isinstance(raw, str):
        return "this (not shown, it may contain a password)" if "@" in raw else repr(raw[:_LONGEST_SHOWN])
    if isinstance(raw, bool | int | float):
        return str(raw).lower()[:_LONGEST_SHOWN]
    return "a section" if isinstance(raw, Mapping) else "a list"
