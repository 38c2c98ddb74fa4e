"""The evening of a simulated house, heard by the real exporter many times as fast, and all boards opened after it."""

import contextlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shelly_boards import BoardValues, render
from tests.stack import REPOSITORY
from tests.stack.grafana_queries.board import Shown, Viewing, shown
from tests.stack.grafana_queries.story import HOUR_S, MINUTE_S, Story, evening, raise_story

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.stack.grafana_queries.frames import Frame

FOLDER = REPOSITORY / "addon" / "grafana" / "boards"
PRICE, EXPORT_PRICE = 0.31, 0.07
BROWSER = ZoneInfo("America/New_York")
"""Where the browser is: the boards must not mind."""
PHONE_PX = 380

type Answers = dict[str, list[Shown]]
"""All queries of each board, by its uid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The story, and what the boards showed."""

    story: Story
    evening: float
    """When the evening was over: Unix seconds of the simulation."""
    boards: Answers
    """What they showed then."""
    alone: Answers
    """The same with the three-phase meter chosen, on a phone."""
    later: Answers
    """When everybody had been silent for a while, and talked again."""

    def answer(self, uid: str, panel: int, ref_id: str = "A") -> Shown:
        """Return one query of a board."""
        (answer,) = (each for each in self.boards[uid] if (each.panel["id"], each.ref_id) == (panel, ref_id))
        return answer

    def frame(self, uid: str, panel: int, ref_id: str = "A") -> Frame:
        """Return the table that one query of a board showed."""
        (frame,) = self.answer(uid, panel, ref_id).frames
        return frame

    def points(self, uid: str, panel: int, name: str, ref_id: str = "A") -> dict[int, Any]:
        """Return the points of the one series with a name."""
        (frame,) = (frame for frame in self.answer(uid, panel, ref_id).frames if frame.name == name)
        return frame.points

    def whole_hours(self) -> Iterator[int]:
        """Yield the begin of each hour, in milliseconds, that the devices were heard all through."""
        first = -(-self.story.begun // HOUR_S) * HOUR_S
        while first + HOUR_S + MINUTE_S <= self.evening:
            yield round(first * 1000)
            first += HOUR_S

    @property
    def midnight(self) -> float:
        """The midnight in it."""
        local = datetime.fromtimestamp(self.evening, self.story.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        assert self.story.begun < midnight < self.evening
        return midnight


def rendered(story: Story) -> dict[str, dict[str, Any]]:
    """Return the boards as the app puts them in Grafana's way, by their uid."""
    values = BoardValues(
        time_zone=story.zone.key, breaker_a=32.0, price_per_kwh=PRICE, export_price_per_kwh=EXPORT_PRICE
    )
    boards = map(json.loads, render(FOLDER, values).values())
    return {board["uid"]: board for board in boards}


@contextlib.asynccontextmanager
async def opened_boards(directory: Path) -> AsyncIterator[Opened]:
    """Live through the evening and open the boards; the store is there as long as this lasts."""
    async with raise_story(directory) as story:
        await evening(story)
        over = await story.rest()
        boards = await _open(story, Viewing(now=over, zone=BROWSER))
        chosen = {"device": [story.meter.id]}
        alone = await _open(story, Viewing(now=over, zone=BROWSER, choices=chosen, screen_px=PHONE_PX))
        await story.go_on(over)
        await story.until(await story.now() + 5 * MINUTE_S)
        later = await _open(story, Viewing(now=await story.rest(), zone=BROWSER))
        yield Opened(story=story, evening=over, boards=boards, alone=alone, later=later)


async def _open(story: Story, viewing: Viewing) -> Answers:
    return {uid: await shown(board, story.sources, viewing) for uid, board in rendered(story).items()}
