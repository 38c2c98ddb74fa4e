"""An error of ours with one device is that device's alone."""

import asyncio

import pytest
from structlog.testing import capture_logs

from shelly_exporter.devices import BROKEN_S
from shelly_exporter.devices.worker import Worker
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, stage, until


@virtual_time
async def test_an_error_with_one_device_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, well = Shelly(METER), Shelly(RELAYS)
    connect = Worker._connect
    failures = 0

    async def fail_once(self: Worker) -> bool:
        nonlocal failures
        if self.id == broken.id and not failures:
            failures += 1
            raise ZeroDivisionError
        return await connect(self)

    monkeypatch.setattr(Worker, "_connect", fail_once)
    with capture_logs() as logs:
        async with stage(broken, well) as world:
            world.notify(broken, {"em:0": {"id": 0, "a_freq": 50.0}})
            world.notify(well, {"switch:0": {"id": 0, "output": True}})
            await until(lambda: world.is_connected(well.id))
            assert not world.is_connected(broken.id)
            # What it tells is kept all the same.
            world.notify(broken, {"em:0": {"id": 0, "a_freq": 50.1}})
            assert [point.fields["freq"] for point in world.points("em")] == [50.0, 50.1]
            await asyncio.sleep(BROKEN_S + 1)
            await until(lambda: world.is_connected(broken.id))
    assert [entry["device"] for entry in logs if entry["log_level"] == "error"] == [broken.id]
