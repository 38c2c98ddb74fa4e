"""Where the app runs and whose broker is used."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shelly_app.options import BrokerMode, Mqtt, Options, Tls, TlsMode
from shelly_app.places import Layout, Ports
from shelly_app.secret_store import Secrets, SecretStore
from shelly_app.setup import BrokerAccess, Home
from shelly_app.supervisor import Registered, SupervisorError, choose_broker, facts, gather
from tests.stack.fake_supervisor import FOREIGN, FakeSupervisor

FOREIGN_BROKER = Registered(
    host="core-mosquitto", port=1884, username="addons", password="of the other", ssl=True, owner=FOREIGN
)
LAYOUT = Layout(ports=Ports(mqtt=18883))
HOME = Home(supervised=True)


@pytest.fixture
async def fake() -> AsyncIterator[FakeSupervisor]:
    """A Supervisor."""
    async with FakeSupervisor() as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session for clients."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    """Secrets, made anew."""
    return SecretStore(tmp_path / "secrets").load()


def of_mode(mode: BrokerMode, **others: Any) -> Options:
    return Options(mqtt=Mqtt(mode=mode, **others))


async def test_with_a_supervisor(fake: FakeSupervisor, session: aiohttp.ClientSession) -> None:
    fake.state.core_config = {"internal_url": "http://ha.lan:8123", "external_url": "https://ha.example.org"}
    home, registered = await gather(Options(), fake.environ, session)
    assert registered is None
    assert home == Home(
        supervised=True,
        time_zone="Europe/Berlin",
        hostname="a0d7b954-shelly-pro",
        ingress_entry="/api/hassio_ingress/abc",
        addresses=(
            "homeassistant",
            "homeassistant.local",
            "192.168.1.5",
            "ha.lan",
            "ha.example.org",
            "a0d7b954-shelly-pro",
        ),
    )


async def test_addresses_are_remembered_for_boots_without_home_assistant(
    fake: FakeSupervisor, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    fake.state.core = False
    remembered = tmp_path / "addresses.json"
    home, _ = await gather(Options(), fake.environ, session, remembered)
    assert home.addresses == ("homeassistant", "homeassistant.local", "a0d7b954-shelly-pro")
    assert not remembered.exists()
    fake.state.core = True
    with_core, _ = await gather(Options(), fake.environ, session, remembered)
    assert "192.168.1.5" in with_core.addresses
    fake.state.core = False
    again, _ = await gather(Options(), fake.environ, session, remembered)
    assert again.addresses == with_core.addresses


async def test_only_a_foreign_broker_counts(fake: FakeSupervisor, session: aiohttp.ClientSession) -> None:
    fake.register_foreign()
    _, registered = await gather(Options(), fake.environ, session)
    assert registered is not None
    assert registered.owner == FOREIGN
    fake.state.mqtt = {"host": "x", "port": 1, "addon": fake.state.own["slug"]}
    assert (await gather(Options(), fake.environ, session))[1] is None


async def test_with_an_external_broker_nobody_asks_for_another(
    fake: FakeSupervisor, session: aiohttp.ClientSession
) -> None:
    fake.register_foreign()
    _, registered = await gather(of_mode(BrokerMode.EXTERNAL, host="mqtt.lan"), fake.environ, session)
    assert registered is None
    assert "GET /services/mqtt" not in fake.state.calls


async def test_without_a_supervisor(session: aiohttp.ClientSession) -> None:
    home, registered = await gather(Options(), {}, session)
    assert registered is None
    assert home == Home(supervised=False, time_zone="UTC", hostname="localhost", addresses=("localhost", "127.0.0.1"))


async def test_the_environment_tells_what_nobody_else_does(session: aiohttp.ClientSession) -> None:
    environ = {
        "TZ": "Asia/Tokyo",
        "HOSTNAME": "c0ffee",
        "APP_ADDRESSES": "192.168.1.9, mqtt.lan,",
        "APP_HTTPS_CERTFILE": "a.pem",
        "APP_HTTPS_KEYFILE": "b.pem",
    }
    home, _ = await gather(Options(), environ, session)
    assert home == Home(
        supervised=False,
        time_zone="Asia/Tokyo",
        hostname="c0ffee",
        addresses=("192.168.1.9", "mqtt.lan", "c0ffee", "localhost", "127.0.0.1"),
        certificate=("a.pem", "b.pem"),
    )


async def test_half_a_certificate_is_none(session: aiohttp.ClientSession) -> None:
    home, _ = await gather(Options(), {"APP_HTTPS_CERTFILE": "a.pem"}, session)
    assert home.certificate is None


async def test_a_supervisor_that_is_being_updated_is_waited_for(
    fake: FakeSupervisor, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_PAUSES_S", (0.0, 0.0, 30.0))
    await fake.stop()
    asking = asyncio.create_task(gather(Options(), fake.environ, session))
    await fake.start()
    home, _ = await asyncio.wait_for(asking, 20)
    assert home.supervised


async def test_a_supervisor_that_stays_away_is_said(
    fake: FakeSupervisor, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_PAUSES_S", (0.0, 0.0))
    await fake.stop()
    with pytest.raises(SupervisorError, match="did not answer GET /info"):
        await gather(Options(), fake.environ, session)


async def test_a_refusal_is_not_waited_for(fake: FakeSupervisor, session: aiohttp.ClientSession) -> None:
    with pytest.raises(SupervisorError, match="answered 403 to GET /info"):
        await gather(Options(), fake.environ | {"SUPERVISOR_TOKEN": "wrong"}, session)


def test_ours(secrets: Secrets) -> None:
    for mode in (BrokerMode.AUTO, BrokerMode.INTERNAL):
        assert choose_broker(of_mode(mode), HOME, None, secrets, LAYOUT) == BrokerAccess(
            internal=True,
            host="127.0.0.1",
            port=18883,
            username="shelly-exporter",
            password=secrets.exporter_password,
        )


def test_that_of_another_app(secrets: Secrets, caplog: pytest.LogCaptureFixture) -> None:
    assert choose_broker(of_mode(BrokerMode.AUTO), HOME, FOREIGN_BROKER, secrets, LAYOUT) == BrokerAccess(
        internal=False, host="core-mosquitto", port=1884, username="addons", password="of the other", tls=True
    )
    assert caplog.messages == ["The broker of the app core_mosquitto is used; ours stays off"]


def test_ours_beside_that_of_another_app(secrets: Secrets, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert choose_broker(of_mode(BrokerMode.INTERNAL), HOME, FOREIGN_BROKER, secrets, LAYOUT).internal
    (message,) = caplog.messages
    assert "set mqtt.mode to auto" in message
    assert "of the other" not in message


@pytest.mark.parametrize(
    ("port", "tls", "expected"),
    [
        (None, TlsMode.OFF, (1883, False)),
        (None, TlsMode.GENERATED, (8883, True)),
        (8883, TlsMode.OFF, (8883, True)),
        (1999, TlsMode.OFF, (1999, False)),
        (1999, TlsMode.OWN, (1999, True)),
    ],
)
def test_an_external_one(port: int | None, tls: TlsMode, expected: tuple[int, bool], secrets: Secrets) -> None:
    options = of_mode(
        BrokerMode.EXTERNAL, host="mqtt.lan", port=port, username="me", password="hunter2", tls=Tls(mode=tls)
    )
    assert choose_broker(options, HOME, FOREIGN_BROKER, secrets, LAYOUT) == BrokerAccess(
        internal=False, host="mqtt.lan", port=expected[0], username="me", password="hunter2", tls=expected[1]
    )
