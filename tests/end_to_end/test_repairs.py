"""What is wrong for long is told as a repair with its remedy, and the repair goes when it is healed."""

from typing import TYPE_CHECKING

import playwright.async_api as playwright
import pytest
import pytest_asyncio

from tests.end_to_end.browsing import WIDTHS, log_in, visit
from tests.stack.fleet import DeviceSpec
from tests.stack.mosquitto import DEVICES
from tests.stack.processes import wait_until
from tests.stack.stage import DOMAIN, raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stack.stage import Stage

RAISED_S = 45.0 + 180.0 + 60.0
"""MQTT is given up, that has to hold for three minutes, and it is looked at every 30 s."""
HEALED_S = 120.0
"""A device tries to connect every minute, MQTT has a hold-down, and then it is looked at."""
METER = "Meter"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ailing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    specs = [DeviceSpec(model="pro3em", firmware="1.7.5", name=METER, cadence_s=1.0)]
    async with raise_stage(tmp_path_factory.mktemp("repairs"), specs) as stage:
        await stage.add_device(stage.fleet.devices[0])
        yield stage


async def issues(stage: Stage) -> set[tuple[str, str]]:
    """Return what our repairs are about: kind and device."""
    return {
        (issue["translation_key"], issue["translation_placeholders"]["device"])
        for issue in await stage.client.issues()
        if issue["domain"] == DOMAIN
    }


async def issues_are(stage: Stage, expected: set[tuple[str, str]], deadline_s: float) -> None:
    async def holds() -> bool:
        return await issues(stage) == expected

    await wait_until(holds, deadline_s, f"The repairs are {expected}", interval_s=1.0)


async def test_a_wrong_clock_and_a_refused_login_are_told_and_healed(
    ailing: Stage, chromium: playwright.Browser, artefacts: Path
) -> None:
    stage = ailing
    assert await issues(stage) == set()
    meter = stage.fleet.devices[0]
    password = stage.broker.password(DEVICES)
    await stage.fleet.set_fault(meter, "clock", skew_s=7200.0)
    await stage.broker.change_password(DEVICES)
    await issues_are(stage, {("clock_wrong", METER), ("mqtt_refused", METER)}, RAISED_S)
    power = (await stage.entities(meter))["em:0-total_act_power"]
    assert stage.client.states[power].state != "unavailable"

    memory = await log_in(chromium, stage)
    for width in WIDTHS:
        async with visit(chromium, width, "light", memory) as visitor:
            await visitor.page.goto(f"{stage.home_assistant.url}/config/repairs")
            for title in ("The clock of Meter is wrong", "Meter cannot connect to the MQTT broker"):
                await visitor.page.get_by_text(title).wait_for()
            await visitor.keep(artefacts / f"repairs-{width}.png")
            await visitor.page.get_by_text("The clock of Meter is wrong").click()
            await visitor.page.get_by_text("is off by +2:00:00").wait_for()

    await stage.broker.change_password(DEVICES, password)
    await stage.fleet.clear_faults(meter)
    await issues_are(stage, set(), HEALED_S)
