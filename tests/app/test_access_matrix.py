"""What each login can really publish and read, at a real Mosquitto with the rendered files.

The expectation is written out here, by hand: P means that what the login publishes there arrives, S that it is told
what is published there.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import aiomqtt
import pytest
import pytest_asyncio

from shelly_app.options import Login, Mqtt, Options
from tests.stack.app_broker import AppBroker, broker_setup

METER = "shellypro3em-3ce90e6ff1a0"
RELAY = "shellypro3-c8f09e883b10"
STRANGER = "shellypro3-0000deadbeef"
"""A device without a login of its own."""
EVERYTHING = ("homeassistant", "addons")
LAMPS = Login(
    username="lamps",
    password="lamps do not read",
    publish=("house/+/set", "shared/#"),
    subscribe=("house/#", "shared/#"),
)
ALL = (*EVERYTHING, "shelly-exporter", METER, RELAY, "lamps")

MATRIX = """
topic                                  homeassistant addons exporter meter relay lamps
METER/rpc                              PS            PS     P        PS    -     -
METER/events/rpc                       PS            PS     S        PS    -     -
METER/online                           PS            PS     S        PS    -     -
METER/status/em:0                      PS            PS     -        PS    -     -
METER/command                          PS            PS     -        PS    -     -
METER                                  PS            PS     -        PS    -     -
RELAY/rpc                              PS            PS     P        -     PS    -
RELAY/events/rpc                       PS            PS     S        -     PS    -
RELAY/online                           PS            PS     S        -     PS    -
RELAY/status/switch:0                  PS            PS     -        -     PS    -
RELAY/command/switch:0                 PS            PS     -        -     PS    -
RELAY                                  PS            PS     -        -     PS    -
STRANGER/events/rpc                    PS            PS     S        -     -     -
STRANGER/online                        PS            PS     S        -     -     -
STRANGER/command                       PS            PS     -        -     -     -
shelly-exporter/rpc                    PS            PS     PS       P     P     -
shelly-exporter-check/rpc              PS            PS     PS       P     P     -
homeassistant-01J8/rpc                 PS            PS     P        P     P     -
shelly-exporter/events/rpc             PS            PS     S        -     -     -
homeassistant/status                   PS            PS     -        -     -     -
homeassistant/sensor/x/config          PS            PS     -        -     -     -
shellies/announce                      PS            PS     -        -     -     -
rpc                                    PS            PS     -        -     -     -
house/lamp/set                         PS            PS     -        -     -     PS
house/lamp/state                       PS            PS     -        -     -     S
house/lamp/set/now                     PS            PS     -        -     -     S
house/rpc                              PS            PS     P        P     P     S
shared/a/b                             PS            PS     -        -     -     PS
other/thing                            PS            PS     -        -     -     -
$SYS/broker/version                    S             S      -        -     -     -
$SYS/broker/publish/messages/dropped   S             S      S        -     -     -
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


def expected() -> dict[str, dict[str, str]]:
    """Return what is expected, by login and topic."""
    head, *rows = (line.split() for line in MATRIX.strip().splitlines())
    assert len(head) == len(ALL) + 1
    table: dict[str, dict[str, str]] = {name: {} for name in ALL}
    for topic, *cells in rows:
        for name, cell in zip(ALL, cells, strict=True):
            table[name][spelled(topic)] = cell
    return table


def spelled(topic: str) -> str:
    for word, device in {"METER": METER, "RELAY": RELAY, "STRANGER": STRANGER}.items():
        topic = topic.replace(word, device)
    return topic


EXPECTED = expected()
TOPICS = tuple(EXPECTED["homeassistant"])
PUBLISHED = tuple(topic for topic in TOPICS if not topic.startswith("$"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AppBroker]:
    options = Options(mqtt=Mqtt(devices=(METER, RELAY), logins=(LAMPS,)))
    setup = broker_setup(tmp_path_factory.mktemp("matrix"), options)
    async with AppBroker(setup) as running:
        yield running


async def told(client: aiomqtt.Client) -> set[tuple[str, bytes]]:
    """Return topics and payloads of all that has arrived: a round trip later nothing is on its way any more."""
    await client.subscribe("round/trip")
    arrived: set[tuple[str, bytes]] = set()
    while len(client.messages):
        message = await anext(client.messages)
        assert isinstance(message.payload, bytes)
        arrived.add((message.topic.value, message.payload))
    return arrived


@contextlib.asynccontextmanager
async def listening(broker: AppBroker, name: str, *filters: str) -> AsyncIterator[aiomqtt.Client]:
    async with broker.client(name, identifier=name if name == "shelly-exporter" else None) as client:
        for topics in filters:
            await client.subscribe(topics)
        yield client


@pytest.mark.parametrize("name", ALL)
async def test_publish(broker: AppBroker, name: str) -> None:
    async with listening(broker, "homeassistant", "#") as observer, broker.client(name) as client:
        for topic in PUBLISHED:
            await client.publish(topic, name, qos=1)
        arrived = await told(observer)
    assert {payload for _, payload in arrived} <= {name.encode()}
    assert {topic for topic, _ in arrived} == {topic for topic in PUBLISHED if "P" in EXPECTED[name][topic]}


@pytest.mark.parametrize("how", ["each topic", "wildcards"])
@pytest.mark.parametrize("name", ALL)
async def test_subscribe(broker: AppBroker, name: str, how: str) -> None:
    filters = TOPICS if how == "each topic" else ("#", "+/rpc", "+/+/+", f"{METER}/#", f"{RELAY}/#", "$SYS/#")
    async with listening(broker, name, *filters) as client, broker.client("homeassistant") as publisher:
        for topic in PUBLISHED:
            await publisher.publish(topic, b"news", qos=1)
        arrived = {topic for topic, _ in await told(client)}
    # The two that may read everything are told more of $SYS than is written above.
    arrived -= {topic for topic in arrived - set(TOPICS) if topic.startswith("$SYS/") and name in EVERYTHING}
    assert arrived == {topic for topic in TOPICS if "S" in EXPECTED[name][topic]}


@pytest.mark.parametrize("name", [METER, RELAY, "lamps"])
async def test_nobody_is_another_by_calling_the_session_so(broker: AppBroker, name: str) -> None:
    other = RELAY if name == METER else METER
    async with broker.client(other, identifier=other, clean=False) as victim:
        await victim.subscribe(f"{other}/rpc", qos=1)
    async with (
        listening(broker, "homeassistant", f"{other}/events/rpc") as home,
        broker.client(name, identifier=other, clean=False) as thief,
    ):
        await home.publish(f"{other}/rpc", b"for the other alone", qos=1)
        await thief.publish(f"{other}/events/rpc", b"forged", qos=1)
        assert await told(thief) == set()
        assert await told(home) == set()


async def test_what_was_kept_for_a_session_is_not_told_to_another_login_that_takes_it(broker: AppBroker) -> None:
    async with broker.client(METER, identifier="kept", clean=False) as victim:
        await victim.subscribe(f"{METER}/rpc", qos=1)
    async with broker.client("homeassistant") as home:
        await home.publish(f"{METER}/rpc", b"for the meter alone", qos=1)
    async with broker.client(RELAY, identifier="kept", clean=False) as thief:
        assert await told(thief) == set()


async def test_a_will_is_no_way_around(broker: AppBroker) -> None:
    async with listening(broker, "homeassistant", f"{METER}/online") as home:
        for name in (RELAY, METER):
            await die(broker, name, aiomqtt.Will(f"{METER}/online", name, qos=1))
        async with asyncio.timeout(10):
            assert (await anext(home.messages)).payload == METER.encode()
        assert await told(home) == set()


async def die(broker: AppBroker, name: str, will: aiomqtt.Will) -> None:
    """Connect and vanish without goodbye."""
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=name,
        password=broker.password(name),
        will=will,
        protocol=aiomqtt.ProtocolVersion.V311,
    )
    with contextlib.suppress(aiomqtt.MqttError):
        async with client:
            line = client._client.socket()
            assert isinstance(line, socket.socket)
            line.shutdown(socket.SHUT_RDWR)
            await anext(client.messages)
