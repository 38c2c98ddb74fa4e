r"""JSON text as a device writes it: fixed decimals per field, and blanks in some places only.

`{"id":0, "source":"init", "output":true,"temperature":{"tC":31.5, "tF":88.7}}` is how real firmware answers.
A parser must not care, so a simulator must not be tidier than the device.
"""

import json
import re
from collections.abc import Mapping
from typing import Self, override

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


_SURROGATE = re.compile("[\ud800-\udfff]")


class Fixed(float):
    """A number that is always written with the same number of decimals."""

    decimals: int

    def __new__(cls, value: float, decimals: int) -> Self:
        number = super().__new__(cls, round(value, decimals) + 0.0)
        number.decimals = decimals
        return number

    @override
    def __getnewargs__(self) -> tuple[float, int]:  # type: ignore[override]
        return float(self), self.decimals


class Loose(dict[str, Json]):
    """An object that the firmware prints with a blank before these keys, or after the colon of those."""

    def __init__(self, items: Mapping[str, Json], *, before: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> None:
        super().__init__(items)
        self.before = before
        self.after = after


class LooseRow(list[Json]):
    """An array that the firmware prints with a blank before its closing bracket."""


def dumps(value: Json) -> str:
    """The text of a value as a device writes it."""
    match value:
        case Fixed():
            return f"{value:.{value.decimals}f}"
        case dict():
            return _object(value)
        case list():
            return "[" + ",".join(map(dumps, value)) + (" ]" if isinstance(value, LooseRow) else "]")
        case _:
            return _plain(value)


def _plain(value: bool | float | str | None) -> str:
    """Unescaped text, except for half a surrogate pair, which only came escaped and cannot become UTF-8."""
    escaped = isinstance(value, str) and not value.isascii() and _SURROGATE.search(value) is not None
    return json.dumps(value, ensure_ascii=escaped)


def _object(value: dict[str, Json]) -> str:
    before, after = (value.before, value.after) if isinstance(value, Loose) else ((), ())
    pairs = []
    for key, item in value.items():
        blank = " " if key in before else ""
        colon = ": " if key in after else ":"
        pairs.append(f"{blank}{_plain(key)}{colon}{dumps(item)}")
    return "{" + ",".join(pairs) + "}"
