"""The form of nginx's configuration."""

from collections.abc import Mapping
from pathlib import Path

EMPTY = '""'
"""What nothing at all is called."""

_UNSAFE = frozenset('"\\$\n')


def quoted(text: str | Path) -> str:
    """Return `text` as one literal argument; ValueError when nginx would not take it as it is."""
    if _UNSAFE & set(str(text)):
        raise ValueError(f"{str(text)!r} cannot be written to the configuration of nginx: take another name")
    return f'"{text}"'


def block(head: str, *lines: str) -> str:
    """Return `head { lines }`; a line may be a block itself."""
    inner = "\n".join(f"    {line}" if line else line for text in lines for line in text.splitlines())
    return f"{head} {{\n{inner}\n}}"


def mapping(source: str, target: str, default: str, values: Mapping[str, str]) -> str:
    """Return the block that makes the variable `target` of the variable `source`; what has no value gets `default`."""
    rows = (f"{key} {value};" for key, value in values.items())
    return block(f"map {source} {target}", f"default {default};", *rows)
