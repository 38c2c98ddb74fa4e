"""Messages that are of no device: each is counted and acknowledged, none makes a line."""

import asyncio
import json

import pytest

from shelly_exporter.settings import Devices as DeviceSettings
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, SOURCE, Shelly, event_of, stage


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[]", "malformed"),
        (b"5", "malformed"),
        (b"{}", "malformed"),
        (b'{"src":null}', "malformed"),
        (b'{"src":["shellypro3-e868e7a1b204"]}', "malformed"),
        (b'{"src":"' + b"x" * 70_000 + b'"}', "malformed"),
        (b'{"src":""}', "foreign"),
        (b'{"src":"refrigerator"}', "foreign"),
        (b'{"src":"shellypro3-E868E7A1B204"}', "foreign"),
    ],
)
@virtual_time
async def test_what_is_no_device(payload: bytes, result: str) -> None:
    async with stage() as world:
        for topic in ("house/thing/events/rpc", f"{SOURCE}/rpc"):
            assert world.tell(topic, payload) == result
        assert (world.devices.workers, world.pipeline.lines, world.published) == ({}, [], [])
        # All is acknowledged: what makes no sense makes none the next time, either.
        assert len(world.settled) == 2
        assert None not in world.settled


@virtual_time
async def test_a_device_is_met_nowhere_but_at_its_events() -> None:
    async with stage() as world:
        for topic in ("house/relays/status/switch:0", "house/relays/rpc", "events/rpc", f"{SOURCE}/rpc"):
            assert world.tell(topic, event_of("shellypro3-e868e7a1b204")) == "foreign"
        assert world.devices.workers == {}


@virtual_time
async def test_what_is_retained_is_of_the_past() -> None:
    """A bridge or a curious person may have it retained; it is told again with each connection."""
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        assert world.tell(f"{shelly.prefix}/events/rpc", event_of(shelly.id), retain=True) == "retained"
        assert world.devices.workers == {}
        worker = await world.connected(shelly)
        heard = worker.known.heard_ts
        world.pipeline.lines.clear()
        await asyncio.sleep(5)
        assert world.tell(f"{shelly.prefix}/events/rpc", event_of(shelly.id), retain=True) == "retained"
        assert world.pipeline.lines == []
        assert worker.known.heard_ts == heard
        assert len(world.settled) == sum(world.devices.counts.values())


@virtual_time
async def test_damaged_frames_of_a_known_device_are_counted() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        frame = json.dumps(event_of(shelly.id)).encode()
        world.tell(f"{shelly.prefix}/events/rpc", frame[:-5])
        assert sum(worker.client.health().rejects.values()) == 1
        # What does not even name the device is nobody's.
        assert world.tell(f"{shelly.prefix}/events/rpc", frame[:5]) == "malformed"
        assert sum(worker.client.health().rejects.values()) == 1


@virtual_time
async def test_answers_to_nobody() -> None:
    shelly, stranger = Shelly(METER), Shelly(RELAYS)
    settings = DeviceSettings(http=False, exclude=("shellypro3em400-*",))
    async with stage(shelly, settings=settings) as world:
        await world.connected(shelly)
        answers = f"{SOURCE}/rpc"
        # Of a device that is not known; to a question that was never asked; of one that is not wanted.
        assert world.tell(answers, {"id": 1, "src": stranger.id, "result": {}}) == "foreign"
        assert world.tell(answers, {"id": "house/x", "src": stranger.id, "result": stranger.info}) == "foreign"
        world.tell("house/x/online", b"true")
        excluded = "shellypro3em400-34987a4c0d18"
        assert world.tell(answers, {"id": "house/x", "src": excluded, "result": {}}) == "foreign"
        assert world.tell(answers, {"id": ["house/x"], "src": stranger.id, "result": {}}) == "foreign"
        assert world.devices.workers.keys() == {shelly.id}
        # A known device's answer to a question that nobody waits for any more does no harm.
        before = len(world.pipeline.lines)
        assert world.tell(answers, {"id": 1, "src": shelly.id, "result": shelly.status}) == "taken"
        assert len(world.pipeline.lines) == before
