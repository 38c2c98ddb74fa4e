"""What the settings may say of devices: lists and sections of ids, passwords, addresses and topic prefixes."""

import re
from collections.abc import Mapping

import voluptuous as vol

from .values import Raw, has_host, is_address, secret, text, wrong

_ID = re.compile(r"[a-z0-9_.-]+")
_PATTERN = re.compile(r"[a-z0-9_.*?-]+")


def prefixes(raw: Raw) -> tuple[str, ...]:
    """Take topic prefixes, which may contain `+`; none at all is an error."""
    given = _items(raw)
    if not given:
        raise vol.Invalid("no prefix is given, so no device would be heard: give + for every prefix of one level")
    for item in given:
        _check_prefix(item)
    return given


def patterns(raw: Raw) -> tuple[str, ...]:
    """Take device ids with `*` and `?`."""
    return tuple(_device(item, _PATTERN, "; * and ? stand for what differs") for item in _items(raw))


def passwords(raw: Raw) -> dict[str, str]:
    """Take passwords by device id, never shown."""
    return {_device(key, _ID): secret(value) for key, value in _pairs(raw, "password")}


def addresses(raw: Raw) -> dict[str, str]:
    """Take `host` or `host:port` by device id."""
    return {_device(key, _ID): _address(value) for key, value in _pairs(raw, "address")}


def _items(raw: Raw) -> tuple[str, ...]:
    """Return the texts of a list, or of one value with commas."""
    if isinstance(raw, Mapping):
        raise vol.Invalid("a section is no list: write - before each entry")
    return tuple(item.strip() for item in (raw.split(",") if isinstance(raw, str) else map(text, raw)))


def _pairs(raw: Raw, what: str) -> list[tuple[str, Raw]]:
    """Return the entries of a section by device id, or those of a list or text with `id=value`."""
    if isinstance(raw, Mapping):
        return list(raw.items())
    pairs: list[tuple[str, Raw]] = []
    for number, item in enumerate(raw.split(",") if isinstance(raw, str) else raw, 1):
        key, separator, value = secret(item).partition("=")
        if not separator:
            raise vol.Invalid(f"entry {number} is no {what} of a device: give it in the form device-id={what}")
        pairs.append((key.strip(), value.strip()))
    return pairs


def _device(given: str, form: re.Pattern[str], more: str = "") -> str:
    value = given.lower()
    if not form.fullmatch(value):
        raise wrong(given, "device id", f"give it in the form shellypro3em-3ce90e6ff1a0{more}")
    return value


def _address(raw: Raw) -> str:
    value = text(raw)
    if value.count(":") > 1 and is_address(value):
        value = f"[{value}]"
    if value.endswith("]"):
        value += ":80"  # what follows the last colon is a port, whatever the address
    parts = f"http://{value}"
    if "@" in value or set(value) & set("/?#") or not has_host(parts, ("http",)):
        raise wrong(raw, "address of a device", "give host or host:port")
    return value


def _check_prefix(prefix: str) -> None:
    levels = prefix.split("/")
    if not prefix or prefix.endswith("/"):
        raise wrong(prefix, "topic prefix", "give what stands before /events/rpc, such as house/+")
    if any("#" in level or ("+" in level and level != "+") for level in levels):
        raise wrong(prefix, "topic prefix", "+ stands for one whole level, and # cannot be used")
    if prefix.startswith("$") or not prefix.isprintable():
        raise wrong(prefix, "topic prefix of a device", "take off what begins with $; cluster.group shares the load")
