"""What a person sees in a real browser: the dashboard and a device page, live, and a relay switched by a click."""

import re
from typing import TYPE_CHECKING, Literal

import playwright.async_api as playwright
import pytest
import pytest_asyncio

from tests.end_to_end.browsing import WIDTHS, log_in, visit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack.stage import Stage

# 20 kW more than what the house draws or feeds in, as English readers write it.
HIGH_POWER = re.compile(r"(1[2-9]|2\d),\d{3}\.\d W")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def memory(chromium: playwright.Browser, stage: Stage) -> playwright.StorageState:
    """What the browser remembers of a login."""
    return await log_in(chromium, stage)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_the_dashboard_is_the_first_page_and_shows_every_card(
    stage: Stage,
    chromium: playwright.Browser,
    memory: playwright.StorageState,
    artefacts: Path,
    width: str,
    colours: Literal["light", "dark"],
) -> None:
    async with visit(chromium, width, colours, memory) as visitor:
        page = visitor.page
        await page.goto(stage.home_assistant.url)
        for title in ("Heating relays", "House meter", "Workshop meters"):
            await page.locator("hui-heading-card", has_text=title).first.wait_for()
        await page.locator("hui-gauge-card", has_text="Phase A").wait_for()
        assert await page.locator("hui-error-card, hui-warning").count() == 0
        await visitor.keep(artefacts / f"dashboard-{width}-{colours}.png")
        assert visitor.outside == []
        assert visitor.errors == []


async def test_a_value_on_the_dashboard_is_live(
    stage: Stage, chromium: playwright.Browser, memory: playwright.StorageState
) -> None:
    meter = next(device for device in stage.fleet.devices if device.model == "pro3em")
    async with visit(chromium, "desktop", "light", memory) as visitor:
        await visitor.page.goto(f"{stage.home_assistant.url}/switchboard/now")
        tile = visitor.page.locator("hui-tile-card", has_text="Power now")
        await playwright.expect(tile).not_to_contain_text(HIGH_POWER)
        await stage.fleet.set_load(meter, "c", 20_000.0)
        try:
            await playwright.expect(tile).to_contain_text(HIGH_POWER, timeout=10_000)
        finally:
            await stage.fleet.set_load(meter, "c", 0.0)


async def test_a_click_switches_the_relay(
    stage: Stage, chromium: playwright.Browser, memory: playwright.StorageState
) -> None:
    relays = next(device for device in stage.fleet.devices if device.model == "pro3")
    entity = (await stage.entities(relays))["switch:1"]
    async with visit(chromium, "phone", "light", memory) as visitor:
        await visitor.page.goto(f"{stage.home_assistant.url}/switchboard/now")
        button = visitor.page.locator("hui-tile-card", has_text="Relay 2").locator("ha-control-switch")
        for word in ("on", "off") if stage.client.states[entity].state == "off" else ("off", "on"):
            await button.click()
            await stage.client.wait_for_state(entity, word)
            true = (await stage.fleet.truth(relays)).true
            assert true["switch:1"]["output"] is (word == "on")


async def test_a_device_page_shows_live_values(
    stage: Stage, chromium: playwright.Browser, memory: playwright.StorageState, artefacts: Path
) -> None:
    device_id = next(device["id"] for device in await stage.client.devices() if device["name"] == "House meter")
    meter = next(device for device in stage.fleet.devices if device.model == "pro3em")
    async with visit(chromium, "desktop", "light", memory) as visitor:
        page = visitor.page
        await page.goto(f"{stage.home_assistant.url}/config/devices/device/{device_id}")
        await page.locator("ha-config-device-page", has_text="Shelly Pro 3EM").wait_for()
        for phase in "ABC":
            await page.locator("ha-config-device-page", has_text=f"Phase {phase}").wait_for()
        sensors = page.locator("ha-device-entities-card", has_text="Total power")
        await playwright.expect(sensors).not_to_contain_text(HIGH_POWER)
        await visitor.keep(artefacts / "device-page.png")
        await stage.fleet.set_load(meter, "a", 20_000.0)
        try:
            await playwright.expect(sensors).to_contain_text(HIGH_POWER, timeout=10_000)
        finally:
            await stage.fleet.set_load(meter, "a", 0.0)
        assert visitor.outside == []
        assert visitor.errors == []
