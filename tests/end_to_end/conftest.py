"""One real stack for all tests of a run; the plug-in `homeassistant` blocks sockets: run with `-p no:homeassistant`."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import playwright.async_api as playwright
import pytest
import pytest_asyncio

from tests.demo.__main__ import SPECS, furnish
from tests.stack import REPOSITORY
from tests.stack.fleet import DeviceSpec
from tests.stack.stage import raise_stage, silent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stack.stage import Stage

WITHOUT_MQTT = DeviceSpec(model="pro3em", firmware="1.7.5", name="No broker", mqtt=False)
WITH_PASSWORD = DeviceSpec(model="pro3", firmware="2.0.1", name="Locked", password="open sesame", mqtt=False)
EXTRA = (WITHOUT_MQTT, WITH_PASSWORD)
HERE = Path(__file__).parent
LONGEST = ("test_disorder.py", "test_repairs.py", "test_exporter_outages.py", "test_failover.py", "test_nonces.py")
"""Begun first, so that no worker is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run every test here in the event loop that the stack lives in, and the longest files first."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots and logs are kept after the run."""
    folder = REPOSITORY / "test-artifacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> AsyncIterator[Stage]:
    """Start the demo's stack: three devices on MQTT, each added through our config flow, and the first dashboard."""
    directory = tmp_path_factory.mktemp("stage")
    try:
        async with raise_stage(directory, (*SPECS, *EXTRA)) as stage:
            await furnish(stage, stage.fleet.devices[: len(SPECS)], report=silent)
            yield stage
    finally:
        for log in directory.rglob("*.log"):
            shutil.copy(log, artefacts / f"{log.parent.name}-{log.name}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[playwright.Browser]:
    """Start the system's Chromium without its own talk to the network."""
    candidates = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    executable = next(filter(None, candidates), None)
    assert executable, "No Chromium found: `apt-get install chromium` (or run scripts/setup) and run the tests again"
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync"
    )
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=executable, args=flags.split())
        yield browser
        await browser.close()
