"""Home Assistant's pages in Chromium, as a person meets them; CSS selectors of Playwright look through shadow roots."""

import contextlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.stack.home_assistant import PASSWORD, USER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import Literal

    from playwright.async_api import Browser, Page, StorageState

    from tests.stack.stage import Stage

WIDTHS = {"desktop": (1440, 1000), "phone": (390, 844)}
PATIENCE_MS = 20_000


class Visit:
    """A page and what it said and asked for: console errors, requests to anything but loopback."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.outside: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1":
            self.outside.append(url)

    async def keep(self, path: Path) -> None:
        """Take a screenshot once nothing moves any more."""
        await self.page.wait_for_load_state("networkidle")
        await self.page.screenshot(path=path, animations="disabled", full_page=True)


async def log_in(chromium: Browser, stage: Stage) -> StorageState:
    """Log in through the login page and return what the browser then remembers."""
    async with visit(chromium, "desktop", "light") as visitor:
        page = visitor.page
        await page.goto(stage.home_assistant.url)
        await page.locator("input[name=username]").fill(USER)
        await page.locator("input[name=password]").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await page.locator("home-assistant-main").wait_for()
        await page.evaluate("localStorage.setItem('dockedSidebar', '\"auto\"')")
        return await page.context.storage_state()


@contextlib.asynccontextmanager
async def visit(
    chromium: Browser, width: str, colours: Literal["light", "dark"], memory: StorageState | None = None
) -> AsyncIterator[Visit]:
    """Open a browser window of its own; `memory` as `log_in` returned it."""
    size = WIDTHS[width]
    context = await chromium.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=colours,
        storage_state=memory,
        is_mobile=width == "phone",
        has_touch=width == "phone",
        device_scale_factor=2 if width == "phone" else 1,
    )
    try:
        yield Visit(await context.new_page())
    finally:
        await context.close()
