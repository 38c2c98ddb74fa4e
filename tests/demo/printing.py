"""What the demo tells the person in front of the terminal."""

import contextlib
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


def say(text: str = "") -> None:
    """Print a line now, even into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextlib.asynccontextmanager
async def step(what: str) -> AsyncIterator[None]:
    """Print a line when a step is done, with its seconds."""
    begun = time.monotonic()
    if sys.stdout.isatty():
        sys.stdout.write(f"  ·  {what} …\r")
        sys.stdout.flush()
    yield
    say(f"  ok {time.monotonic() - begun:5.1f} s  {what}" + " " * 4)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns under a header."""
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
