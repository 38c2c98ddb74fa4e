"""Who may log in at our broker, and which topics a login may use."""

import re
from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from . import values
from .model import Login

_DEVICE = re.compile(r"[a-z0-9]+-[0-9a-f]{12}")
_USERNAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_LONGEST_TOPIC = 65535


def device(raw: Any) -> str:
    """Take the id of a device, which is its login and the first part of its topics."""
    value = values.text(raw).lower()
    if not _DEVICE.fullmatch(value):
        raise values.wrong(
            raw, "id of a device", "give it in the form shellypro3em-3ce90e6ff1a0, as the device shows it"
        )
    return value


def topic_filter(raw: Any) -> str:
    """Take a topic in which `+` stands for one level and a `#` at the end for all that follow."""
    value = values.text(raw)
    levels = value.split("/")
    if not value:
        raise vol.Invalid("this is empty: give a topic such as house/#, or take the entry away")
    if any(("+" in level and level != "+") or ("#" in level and level != "#") for level in levels):
        raise values.wrong(raw, "topic filter", "+ and # stand for whole levels, such as house/+/state or house/#")
    if "#" in levels[:-1]:
        raise values.wrong(raw, "topic filter", "# can stand at the end only, such as house/#")
    if len(value.encode()) > _LONGEST_TOPIC:
        raise vol.Invalid(f"this is too long for a topic: give at most {_LONGEST_TOPIC} bytes")
    return value


def login(raw: Any) -> Login:
    """Take one login; all that is wrong with it is told at once."""
    if not isinstance(raw, Mapping):
        raise vol.Invalid("this is no login: give username, password, publish and subscribe")
    given = {key: value for key, value in raw.items() if value not in (None, "")}
    taken = Login(**_LOGIN(given))
    if not (taken.publish or taken.subscribe):
        raise vol.Invalid(
            "this login may do nothing: give topics to publish or subscribe to, such as house/# (# is all)"
        )
    return taken


def _username(raw: Any) -> str:
    value = values.text(raw)
    if not _USERNAME.fullmatch(value):
        raise vol.Invalid(
            f"{value!r} is no name for a login: use letters without accents, digits and _ . @ -, at most 64"
        )
    return value


_PARTS = {
    vol.Required("username", msg="is missing: give the name to log in with"): _username,
    "password": values.secret,
    "publish": values.several(topic_filter),
    "subscribe": values.several(topic_filter),
}
_LOGIN = vol.Schema(_PARTS)
PARTS = tuple(map(str, _PARTS))
"""The keys of a login."""
