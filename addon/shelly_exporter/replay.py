"""Dead letters once more: what the store takes now is removed, what it still refuses stays with the new reason."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import batched
from typing import NamedTuple

from .spool.dead_letters import DeadLetters, Letter
from .targets import Refused, Unavailable

_LINES = 500
"""What is written at once; where something in it is refused, it is halved until that is found."""

type Write = Callable[[bytes], Awaitable[None]]


class ReplayResult(NamedTuple):
    """What became of the letters."""

    written: int
    refused: Counter[str]
    """Letters that stay, by reason."""
    stopped: str | None
    """Why not all were tried; None: they were."""


async def replay(dead_letters: DeadLetters, write: Write) -> ReplayResult:
    """Write the letters again, the oldest first; doing it twice changes nothing.

    `write` takes lines with line feeds between them and raises `Refused` or `Unavailable`, which ends it. When it is
    cancelled, what was delivered is removed. Raises `OSError` for the letters' own files.
    """
    written = 0
    refused: Counter[str] = Counter()
    for number, letters in dead_letters.read():
        outcomes: dict[Letter, str | None] = {}
        stopped: str | None = None
        try:
            for portion in batched(dict.fromkeys(letters), _LINES, strict=False):
                await _try(portion, write, outcomes)
        except Unavailable as err:
            stopped = str(err)
        finally:
            dead_letters.settle(number, outcomes)
        tried = [outcomes[letter] for letter in letters if letter in outcomes]
        written += tried.count(None)
        refused.update(reason for reason in tried if reason is not None)
        if stopped is not None:
            return ReplayResult(written, refused, stopped)
    return ReplayResult(written, refused, None)


async def _try(letters: Sequence[Letter], write: Write, outcomes: dict[Letter, str | None]) -> None:
    """Write letters and note what became of each. Lines are written twice where others were refused: no harm."""
    try:
        await write(b"\n".join(letter.line for letter in letters))
    except Refused as err:
        if len(letters) == 1:
            outcomes[letters[0]] = err.reason
            return
        middle = len(letters) // 2
        await _try(letters[:middle], write, outcomes)
        await _try(letters[middle:], write, outcomes)
    else:
        outcomes.update(dict.fromkeys(letters))
