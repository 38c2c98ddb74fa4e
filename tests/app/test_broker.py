"""Our broker, as Mosquitto runs it: who is let in, what survives."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from shelly_app.options import Login, Mqtt, Options
from tests.stack.app_broker import AppBroker, broker_setup, lets_in, with_logins
from tests.stack.processes import wait_until

METER = "shellypro3em-3ce90e6ff1a0"
RELAY = "shellypro3-c8f09e883b10"
LAMPS = Login(username="lamps", password="pässwörd: with $ and spaces ", publish=("house/#",))


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[AppBroker]:
    setup = broker_setup(tmp_path, Options(mqtt=Mqtt(devices=(METER,), logins=(LAMPS,))))
    async with AppBroker(setup) as running:
        yield running


async def received(client: aiomqtt.Client) -> bytes:
    async with asyncio.timeout(10):
        message = await anext(client.messages)
    assert isinstance(message.payload, bytes)
    return message.payload


@pytest.mark.parametrize("name", ["homeassistant", "addons", "shelly-exporter", METER, "lamps"])
async def test_each_with_its_password_and_with_no_other(broker: AppBroker, name: str) -> None:
    assert await lets_in(broker.client(name))
    other = broker.password("addons" if name != "addons" else "homeassistant")
    for wrong in (other, "", broker.password(name).upper(), broker.password(name)[:-1]):
        assert not await lets_in(broker.client(name, wrong))


async def test_nobody_else(broker: AppBroker) -> None:
    assert not await lets_in(aiomqtt.Client(broker.host, broker.port, timeout=10))
    assert not await lets_in(aiomqtt.Client(broker.host, broker.port, username="homeassistant", timeout=10))
    assert not await lets_in(broker.client(RELAY, broker.password(METER)))
    assert not await lets_in(broker.client("root", broker.password("homeassistant")))


async def test_a_new_login_counts_at_once_and_nobody_is_thrown_out(broker: AppBroker) -> None:
    async with broker.client("homeassistant", clean=True) as home, broker.client(METER) as meter:
        await home.subscribe("+/events/rpc")
        broker.reload(with_logins(broker.setup, LAMPS, devices=(METER, RELAY)))

        async def taken() -> bool:
            return await lets_in(broker.client(RELAY))

        await wait_until(taken, 10, "the broker takes the new login")
        async with broker.client(RELAY) as relay:
            for client, name in ((meter, METER), (relay, RELAY)):
                await client.publish(f"{name}/events/rpc", name, qos=1)
                assert await received(home) == name.encode()
            # The rights were read again, too: the meter knew of no other device before.
            await meter.publish(f"{RELAY}/rpc", b"no", qos=1)
            await relay.publish(f"{METER}/events/rpc", b"no", qos=1)
            await relay.publish(f"{RELAY}/events/rpc", b"yes", qos=1)
            assert await received(home) == b"yes"


async def test_a_login_that_is_taken_away_is_thrown_out(broker: AppBroker) -> None:
    password = broker.password(METER)
    async with broker.client("homeassistant") as home:
        with pytest.raises(aiomqtt.MqttError):  # noqa: PT012  # being thrown out is seen only while connected
            async with broker.client(METER) as meter:
                broker.reload(with_logins(broker.setup, LAMPS))
                await received(meter)
        assert not await lets_in(broker.client(METER, password))
        await home.publish("still/here", b"yes", qos=1)


async def test_what_arrives_while_the_exporter_is_away_survives_a_restart(broker: AppBroker) -> None:
    kept = 1_500  # more than Mosquitto keeps by itself
    async with broker.client("shelly-exporter", identifier="shelly-exporter", clean=False) as client:
        await client.subscribe("+/events/rpc", qos=1)
    async with broker.client(METER) as meter:
        await meter.publish(f"{METER}/online", b"true", retain=True, qos=1)
        for number in range(kept):
            await meter.publish(f"{METER}/events/rpc", str(number), qos=1)
    await broker.restart()
    async with broker.client("shelly-exporter", identifier="shelly-exporter", clean=False) as client:
        assert [await received(client) for _ in range(kept)] == [str(number).encode() for number in range(kept)]
        await client.subscribe("+/online")
        assert await received(client) == b"true"


async def test_what_is_too_big_is_refused(broker: AppBroker) -> None:
    async with broker.client("homeassistant") as home:
        await home.subscribe("big")
        await home.publish("big", bytes(1024 * 1024), qos=1)
        assert len(await received(home)) == 1024 * 1024
        with pytest.raises(aiomqtt.MqttError):  # noqa: PT012  # as above
            async with broker.client("addons") as other:
                await other.publish("big", bytes(3 * 1024 * 1024))
                await received(other)
        await home.publish("big", b"small", qos=1)
        assert await received(home) == b"small"


async def test_no_password_in_its_log(broker: AppBroker) -> None:
    assert await lets_in(broker.client("lamps"))
    assert not await lets_in(broker.client("lamps", "a wrong one"))
    log = broker.process.log.read_text()
    assert "lamps" in log
    assert not any(secret in log for secret in ("pässwörd", "a wrong one", broker.password("homeassistant")))


async def test_it_ends_orderly(broker: AppBroker) -> None:
    await broker.stop()
    assert broker.process.returncode == 0
    assert (broker.setup.layout.places.mosquitto_data / "mosquitto.db").exists()
