"""What a value in the settings may look like: from the text in the file or variable to what the code works with.

Every function raises `vol.Invalid` with what was given, unless it is secret, and the remedy.
"""

import difflib
import ipaddress
import os
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import voluptuous as vol

from .zone import zone_named

type Raw = str | Sequence[Raw] | Mapping[str, Raw]
"""A value as it is written; variables give only text."""
type Validator = Callable[[Raw], object]

_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})
_LONGEST_SHOWN = 80
_HOST = re.compile(r"[\w.-]+")
_LAST_PORT = 65535


def text(raw: Raw) -> str:
    """Take a single value."""
    if not isinstance(raw, str):
        raise vol.Invalid(f"{_shown(raw)} is too much: give a single value")
    return raw


def secret(raw: Raw) -> str:
    """Take a single value that is never shown."""
    if not isinstance(raw, str):
        raise vol.Invalid("a list or section is too much: give a single value, in quotes")
    return raw


def boolean(raw: Raw) -> bool:
    """Take yes or no in all their forms."""
    word = text(raw).lower()
    if word not in _YES | _NO:
        raise wrong(raw, "yes or no", "give true or false")
    return word in _YES


def whole(what: str, first: int, last: int) -> Validator:
    """Take a whole number from `first` to `last`; `what` it is called."""

    def number(raw: Raw) -> int:
        remedy = f"give a number from {first} to {last}"
        try:
            value = int(text(raw))
        except ValueError:
            raise wrong(raw, what, remedy) from None
        if not first <= value <= last:
            raise wrong(raw, what, remedy)
        return value

    return number


def seconds(first: float, last: float) -> Validator:
    """Take a duration, which may be a fraction."""

    def number(raw: Raw) -> float:
        remedy = f"give seconds from {first:g} to {last:g}"
        try:
            value = float(text(raw))
        except ValueError:
            raise wrong(raw, "duration", remedy) from None
        if not first <= value <= last:
            raise wrong(raw, "duration", remedy)
        return value

    return number


def choice(kinds: type[StrEnum], what: str) -> Validator:
    """Take one of the words of `kinds`; `what` it is called."""

    def chosen(raw: Raw) -> StrEnum:
        try:
            return kinds(text(raw).lower())
        except ValueError:
            raise wrong(raw, what, f"give one of {', '.join(kinds)}") from None

    return chosen


def host(raw: Raw) -> str:
    """Take a name or an address, without scheme and port."""
    value = text(raw)
    if not (_HOST.fullmatch(value) or is_address(value)):
        raise wrong(raw, "host", "give a name or an address alone, without scheme, port and path")
    return value


def url(*schemes: str) -> Validator:
    """Take a URL with one of `schemes`, without user and query; a slash at its end is taken off."""

    def checked(raw: Raw) -> str:
        value = text(raw)
        if "@" in value:
            raise vol.Invalid("this URL contains a user or password: give them as username and password, or token")
        if not has_host(value, schemes):
            raise wrong(raw, "URL", f"give it in the form {schemes[0]}://host:port")
        if "?" in value or "#" in value:
            raise wrong(raw, "URL of a server", "leave out everything from ? or # on")
        return value.rstrip("/")

    return checked


def redis_url(raw: Raw) -> str:
    """Take the URL of a Redis or Valkey, which may contain a password."""
    value = secret(raw)
    if not (has_host(value, ("redis", "rediss")) or value.startswith("unix://")):
        raise vol.Invalid("this is no URL of a Redis: give it in the form redis://:password@host:6379/0")
    return value


def file(raw: Raw) -> Path:
    """Take the path of a file that is there and can be read."""
    path = directory(raw)
    if not path.is_file():
        raise vol.Invalid(f"there is no file {path}: create it or correct the path")
    if not os.access(path, os.R_OK):
        raise vol.Invalid(f"{path} cannot be read: give the exporter's user the right to")
    return path


def directory(raw: Raw) -> Path:
    """Take a path, whether anything is there or not."""
    try:
        return Path(text(raw)).expanduser()
    except RuntimeError:
        raise vol.Invalid("there is no user with a home folder of that name: give the whole path") from None


def zone(raw: Raw) -> ZoneInfo:
    """Take the name of a time zone."""
    name = text(raw)
    if (found := zone_named(name)) is not None:
        return found
    near = nearest(name, zoneinfo.available_timezones())
    raise wrong(raw, "time zone", "give a name such as Europe/Berlin" if near is None else f"did you mean {near}?")


def name(raw: Raw) -> str:
    """Take something's name: printable, without slashes, quotes and what means something to MQTT."""
    value = text(raw)
    if not value.isprintable() or set(value) & set("/\\\"'+#$"):
        raise wrong(raw, "name", "use letters, digits, - and _")
    return value


def nearest(given: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that `given` was meant to be, if it is like one."""
    lower = {name.lower(): name for name in sorted(known)}
    found = difflib.get_close_matches(given.lower(), lower, n=1, cutoff=cutoff)
    return lower[found[0]] if found else None


def wrong(raw: Raw, what: str, remedy: str) -> vol.Invalid:
    """Return the error that says what was given, that it is no `what`, and what to do."""
    return vol.Invalid(f"{_shown(raw)} is no {what}: {remedy}")


def is_address(value: str) -> bool:
    """Return whether `value` is an address of IPv4 or IPv6."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def has_host(value: str, schemes: Sequence[str]) -> bool:
    """Return whether `value` is a URL with one of `schemes`, a host, and a possible port if any."""
    try:
        parts = urlsplit(value)
        named = parts.hostname is not None and (parts.port is None or 0 < parts.port <= _LAST_PORT)
    except ValueError:
        return False
    return named and parts.scheme in schemes and not re.search(r"\s", value)


def _shown(raw: Raw) -> str:
    if not isinstance(raw, str):
        return "a section" if isinstance(raw, Mapping) else "a list"
    if "@" in raw:
        return "this (not shown, it may contain a password)"
    return raw if re.fullmatch(r"-?\d{1,12}(\.\d{1,12})?", raw) else repr(raw[:_LONGEST_SHOWN])
