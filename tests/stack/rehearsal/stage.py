"""The app in its world with Supervisor's stand-in beside it, and the questions that the rehearsal asks them."""

import asyncio
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
import aiomqtt

from shelly_app.services.service import Service, load
from tests.stack import REPOSITORY
from tests.stack.processes import Process, StackError, accepts
from tests.stack.rehearsal.app import App
from tests.stack.rehearsal.enclosure import SUPERVISOR
from tests.stack.rehearsal.world import World

TOKEN = "token-of-the-fake-supervisor"
_PERSON = {"X-Remote-User-Id": "1", "X-Remote-User-Name": "ada", "X-Remote-User-Display-Name": "Ada"}


class Stage:
    """A world to start the app in; `options` are those of the app, `state` is what Supervisor knows beforehand.

    With `environ` there is no Supervisor, and the options are variables.
    """

    def __init__(
        self,
        folder: Path,
        *,
        options: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.world = World(folder / "world")
        self._supervised = environ is None
        self.app = App(self.world, folder / "app.log", {"SUPERVISOR_TOKEN": TOKEN} if environ is None else environ)
        self._folder = folder
        self._options = options or {}
        self._state = {"token": TOKEN, **(state or {})}
        self._supervisor: Process | None = None

    async def __aenter__(self) -> Self:
        await self.world.__aenter__()
        self.world.install("usr/bin/influxd", "tests.stack.influxdb2_stand_in")
        self.world.install("usr/bin/grafana", "tests.stack.rehearsal.grafana_stand_in")
        await self._build_plugin()
        if self._supervised:
            await self._start_supervisor()
        return self

    async def _start_supervisor(self) -> None:
        self.write("data/options.json", json.dumps(self._options))
        self._state_file.write_text(json.dumps(self._state))
        program = (sys.executable, "-m", "tests.stack.fake_supervisor")
        argv = self.world.beside(*program, "--port", "80", "--state", self._state_file)
        self._supervisor = Process("Supervisor", argv, log=self._folder / "supervisor.log", cwd=REPOSITORY)
        await self._supervisor.start()
        await self._supervisor.wait_until(lambda: self.listens(80), 20, "Supervisor answers")

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.app.process.kill()
            if self._supervisor is not None:
                await self._supervisor.stop()
        finally:
            await self.world.__aexit__()

    @property
    def supervisor(self) -> dict[str, Any]:
        """What Supervisor knows and was asked."""
        return dict(json.loads(self._state_file.read_text()))

    @property
    def services(self) -> dict[str, Service]:
        """The services as planned."""
        return load(self.world.root / "run/shelly-pro/services.json")

    def write(self, path: str, text: str) -> None:
        """Write a file inside that its owner alone may read, as Supervisor does."""
        target = self.world.root / path
        target.touch(mode=0o600)
        target.write_text(text)

    def uninstall(self) -> None:
        """Remove what goes with the app; the options are typed again."""
        for path in (self.world.root / "data").iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "options.json":
                path.unlink()

    def secrets(self) -> dict[str, str]:
        """Return all secrets by the name of their file."""
        folder = self.world.root / "data/secrets"
        return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}

    async def listens(self, port: int) -> bool:
        """Tell whether somebody inside listens on `port`."""
        return await self.world.ask(lambda: accepts(port))

    async def page(self, path: str = "/", *, peer: str = SUPERVISOR, port: int = 8099) -> tuple[int, str]:
        """Return status and text of a page, as asked by Supervisor for somebody."""

        async def ask() -> tuple[int, str]:
            connector = aiohttp.TCPConnector(local_addr=(peer, 0))
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.get(f"http://{SUPERVISOR}:{port}{path}", headers=_PERSON) as response,
            ):
                return response.status, await response.text()

        return await self.world.ask(ask)

    def simulator(self, seed: int, username: str, password: str) -> Process:
        """Return a simulated meter that knows this login at the broker; it is the same one for the same `seed`."""
        program = (sys.executable, "-m", "tests.simulator", "--device", "pro3em", "--seed", str(seed))
        argv = self.world.beside(*program, "--mqtt", "127.0.0.1:1883", "--mqtt-user", username)
        env = {"SHELLY_SIM_MQTT_PASSWORD": password}
        return Process("the meter", argv, log=self._folder / "meter.log", env=env, cwd=REPOSITORY)

    def stored(self) -> str:
        """Return all points in InfluxDB."""
        return "".join(path.read_text() for path in (self.world.root / "config/influxdb/engine").iterdir())

    async def exchange(
        self, username: str, password: str, topic: str = "rehearsal/word", patience_s: float = 15
    ) -> str:
        """Log in at the broker, send something to oneself and return it; TimeoutError when it does not come back."""

        async def ask() -> str:
            async with (
                asyncio.timeout(patience_s),
                aiomqtt.Client("127.0.0.1", 1883, username=username, password=password, timeout=10) as client,
            ):
                await client.subscribe(topic, qos=1)
                await client.publish(topic, "hello", qos=1)
                return bytes((await anext(aiter(client.messages))).payload).decode()

        return await self.world.ask(ask)

    async def _build_plugin(self) -> None:
        """Do what the Dockerfile does; its sources are not written beside."""
        folder = self._folder / "plugin"
        shutil.copytree(REPOSITORY / "addon" / "mosquitto", folder)
        async with Process("make", ("make", "-C", folder, "ask_control.so"), log=self._folder / "make.log") as make:
            if await make.ended() != 0:
                raise StackError(f"The plug-in of Mosquitto cannot be built: {make.tail()}")
        target = self.world.root / "usr/lib/shelly-pro"
        target.mkdir()
        shutil.copy(folder / "ask_control.so", target)

    @property
    def _state_file(self) -> Path:
        return self._folder / "supervisor.json"
