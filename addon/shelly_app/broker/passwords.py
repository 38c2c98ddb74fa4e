"""Mosquitto's password file: `name:$7$iterations$salt$hash`, PBKDF2 with SHA-512."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Iterable

from .access import Account

_ITERATIONS = 1_000
"""A millisecond on a small machine: all devices log in at once when the broker starts, and it does so one by one."""
_SALT_BYTES = 12
"""Mosquitto 2.0 takes no other length."""


def text(accounts: Iterable[Account]) -> str:
    """Return the file for all accounts that have a password; ValueError if it would read a name as something else."""
    return "".join(
        f"{_name(account.name)}:{hashed(account.password)}\n" for account in accounts if account.password is not None
    )


def hashed(password: str) -> str:
    """Return a password as Mosquitto keeps it, with a new salt each time."""
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def _name(name: str) -> str:
    if ":" in name or not name.isprintable():
        raise ValueError(f"{name!r} cannot be written to Mosquitto's password file: take another name")
    return name
