"""The stack's Mosquitto lets nobody in without a password and nobody out of his own topics."""

from typing import TYPE_CHECKING

import aiomqtt
import pytest
import pytest_asyncio

from tests.stack.mosquitto import DEVICES, HOME_ASSISTANT, Account, Broker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_asyncio.fixture(loop_scope="session")
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(tmp_path) as broker:
        yield broker


def connect(broker: Broker, user: str, *, password: str | None = None, client_id: str | None = None) -> aiomqtt.Client:
    secret = broker.password(user) if password is None else password
    return aiomqtt.Client(broker.host, broker.port, username=user, password=secret, identifier=client_id)


async def test_wrong_password_and_no_login_are_refused(broker: Broker) -> None:
    for client in (connect(broker, DEVICES, password="guess"), aiomqtt.Client(broker.host, broker.port)):
        with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
            async with client:
                pass


async def test_a_device_reaches_its_own_topics_and_replies_only(broker: Broker) -> None:
    async with (
        connect(broker, HOME_ASSISTANT) as home_assistant,
        connect(broker, DEVICES, client_id="shellypro3-a1") as device,
    ):
        await home_assistant.subscribe("#")
        for topic in ("shellypro3-b2/online", "homeassistant/status", "shellypro3-a1/online", "caller/rpc"):
            await device.publish(topic, b"x", qos=1)
        seen = []
        async for message in home_assistant.messages:
            seen.append(str(message.topic))
            if seen[-1] == "caller/rpc":
                break
        assert seen == ["shellypro3-a1/online", "caller/rpc"]


async def test_a_device_does_not_hear_other_devices(broker: Broker) -> None:
    async with (
        connect(broker, HOME_ASSISTANT) as home_assistant,
        connect(broker, DEVICES, client_id="shellypro3-a1") as device,
    ):
        await device.subscribe("#")
        await home_assistant.publish("shellypro3-b2/rpc", b"for somebody else", qos=1)
        await home_assistant.publish("shellypro3-a1/rpc", b"for it", qos=1)
        assert str((await anext(device.messages)).topic) == "shellypro3-a1/rpc"


async def test_the_port_survives_a_crash_and_accounts_can_be_added(broker: Broker) -> None:
    port = broker.port
    await broker.kill()
    await broker.start()
    assert broker.port == port
    await broker.admit(Account(user="guest", rules=("read lab/#",)))
    async with connect(broker, HOME_ASSISTANT), connect(broker, "guest"):
        pass


async def test_passwords_are_neither_in_arguments_nor_readable_by_others(broker: Broker) -> None:
    secrets = [account.password for account in broker.accounts.values()]
    stored = (broker.directory / "passwords").read_text()
    assert not any(secret in stored for secret in secrets)
    assert not any(secret in " ".join(broker.process.argv) for secret in secrets)
    assert (broker.directory / "passwords").stat().st_mode & 0o077 == 0
