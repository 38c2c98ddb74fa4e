"""A table for a terminal: columns as wide as their texts, the last one wrapped to the width there is."""

import re
import textwrap
from collections.abc import Iterable, Sequence

GAP = "  "
NARROWEST = 30
"""Fewer characters are left to no last column."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def printable(text: str) -> str:
    """Return a text in one line without characters that move a cursor or change colours: names come from devices."""
    return _CONTROL.sub(" ", text).strip()


def row(cells: Sequence[str], widths: Sequence[int], width: int) -> str:
    """Return one row; `widths` are those of all columns but the last, which wraps to stay within `width`."""
    *first, last = map(printable, cells)
    head = "".join(f"{cell:{space}}{GAP}" for cell, space in zip(first, widths, strict=True))
    room = max(NARROWEST, width - sum(widths) - len(GAP) * len(widths))
    lines = textwrap.wrap(last, room, break_on_hyphens=False, break_long_words=False) or [""]
    indent = " " * (sum(widths) + len(GAP) * len(widths))
    return "\n".join(f"{head if number == 0 else indent}{line}".rstrip() for number, line in enumerate(lines))


def table(rows: Iterable[Sequence[str]], width: int) -> str:
    """Return rows of equally many cells, the last column wrapped to stay within `width`."""
    listed = [tuple(map(printable, cells)) for cells in rows]
    widths = [max(map(len, column)) for column in list(zip(*listed, strict=True))[:-1]]
    return "\n".join(row(cells, widths, width) for cells in listed)
