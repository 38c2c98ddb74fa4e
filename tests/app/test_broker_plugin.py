"""Users of Home Assistant at our broker: Mosquitto's plug-in, compiled as in the image, in a real Mosquitto."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shelly_app.broker.logins import LoginServer
from shelly_app.options import Login, Mqtt, Options
from tests.stack.app_broker import AppBroker, broker_setup, compiled_plugin, lets_in
from tests.stack.processes import StackError

METER = "shellypro3em-3ce90e6ff1a0"
ANNA = Login(username="anna", publish=("house/+/set",), subscribe=("house/#",))
LAMPS = Login(username="lamps", password="lamps do not read", publish=("house/#",))
RIGHT = "grüße: a $ign and spaces, " + 1_000 * "long "
OPTIONS = Options(mqtt=Mqtt(devices=(METER,), logins=(ANNA, LAMPS)))


class HomeAssistant:
    """Knows Anna, and who was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def check(self, name: str, password: str) -> bool:
        self.asked.append(name)
        return (name, password) == ("anna", RIGHT)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(compiled_plugin(tmp_path_factory.mktemp("plugin")))


@pytest.fixture
async def broker(tmp_path: Path, plugin: Path) -> AsyncIterator[AppBroker]:
    setup = broker_setup(tmp_path, OPTIONS, plugin=plugin)
    setup.layout.places.control_socket.parent.mkdir(parents=True)
    async with AppBroker(setup) as running:
        yield running


def answering(broker: AppBroker, home: HomeAssistant) -> LoginServer:
    return LoginServer(broker.setup.layout.places.control_socket, ("anna", "addons"), home.check)


@contextlib.asynccontextmanager
async def saying(broker: AppBroker, content: bytes | None) -> AsyncIterator[None]:
    """Answer every question with `content`; None: take it and never answer."""
    over = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if content is None:
            await over.wait()
        writer.write(content or b"")
        writer.close()

    path = broker.setup.layout.places.control_socket
    async with await asyncio.start_unix_server(answer, path):
        yield
        over.set()


async def test_home_assistant_decides_about_its_users(broker: AppBroker) -> None:
    home = HomeAssistant()
    async with answering(broker, home):
        assert await lets_in(broker.client("anna", RIGHT))
        for wrong in (RIGHT[:-1], "", "\0", RIGHT + "x"):
            assert not await lets_in(broker.client("anna", wrong))
    assert set(home.asked) == {"anna"}


async def test_nobody_is_asked_about_other_logins(broker: AppBroker) -> None:
    home = HomeAssistant()
    async with answering(broker, home):
        for name in ("homeassistant", "addons", "shelly-exporter", METER, "lamps"):
            assert await lets_in(broker.client(name))
            assert not await lets_in(broker.client(name, RIGHT))
        assert not await lets_in(broker.client("somebody", RIGHT))
    assert home.asked == []


async def test_rights_are_enforced_for_users_of_home_assistant(broker: AppBroker) -> None:
    topics = ("house/lamp/set", "house/lamp/state", "other/set", f"{METER}/rpc", f"{METER}/events/rpc", "lamp/rpc")
    async with (
        answering(broker, HomeAssistant()),
        broker.client("anna", RIGHT) as anna,
        broker.client("homeassistant") as home,
    ):
        await home.subscribe("#")
        await anna.subscribe("#")
        for topic in topics:
            await anna.publish(topic, "by anna", qos=1)
        for topic in topics:
            await home.publish(topic, "by home", qos=1)
        for client in (home, anna):
            await client.subscribe("round/trip")
        told = [[(await anext(each.messages)).topic.value for _ in range(len(each.messages))] for each in (home, anna)]
    assert told[0] == ["house/lamp/set", *topics]
    assert told[1] == ["house/lamp/set", "house/lamp/set", "house/lamp/state"]


async def test_control_comes_and_goes_and_everybody_else_logs_in(broker: AppBroker) -> None:
    for _ in range(2):
        assert not await lets_in(broker.client("anna", RIGHT))
        assert await lets_in(broker.client(METER))
        async with answering(broker, HomeAssistant()):
            assert await lets_in(broker.client("anna", RIGHT))
    assert "Nobody could tell whether anna may log in" in broker.process.log.read_text()


@pytest.mark.parametrize("content", [b"", b"?", b"a", b"\0A"])
async def test_any_other_answer_lets_nobody_in(broker: AppBroker, content: bytes) -> None:
    async with saying(broker, content):
        assert not await lets_in(broker.client("anna", RIGHT))
        assert await lets_in(broker.client(METER))


async def test_control_hangs(broker: AppBroker) -> None:
    async with saying(broker, None):
        async with asyncio.timeout(2):
            assert await lets_in(broker.client(METER))
        async with asyncio.timeout(8):
            assert not await lets_in(broker.client("anna", RIGHT))
        assert await lets_in(broker.client(METER))


async def test_a_reload_leaves_the_plugin_as_it_is(broker: AppBroker) -> None:
    async with answering(broker, HomeAssistant()):
        broker.reload(broker.setup)
        assert await lets_in(broker.client("homeassistant"))
        assert await lets_in(broker.client("anna", RIGHT))
    await broker.stop()
    assert broker.process.returncode == 0


async def test_a_place_that_cannot_be_is_said_at_the_start(tmp_path: Path, plugin: Path) -> None:
    setup = broker_setup(tmp_path / ("x" * 100), OPTIONS, plugin=plugin)
    with pytest.raises(StackError, match="plugin_opt_socket is missing or longer than 107 bytes"):
        await AppBroker(setup).start()


def test_it_takes_part_in_logins_only(plugin: Path) -> None:
    names = subprocess.run(("nm", "-D", plugin), capture_output=True, text=True, check=True).stdout.split()  # noqa: S607
    asked = {name for name in names if name.startswith("mosquitto_")}
    assert asked == {
        "mosquitto_plugin_version",
        "mosquitto_plugin_init",
        "mosquitto_plugin_cleanup",
        "mosquitto_callback_register",
        "mosquitto_callback_unregister",
        "mosquitto_log_printf",
    }
