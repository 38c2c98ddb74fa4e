"""The app's own broker: a real Mosquitto on loopback, with the files and the command line that the app renders."""

import asyncio
import shutil
import signal
import ssl
from dataclasses import replace
from pathlib import Path
from typing import override

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from shelly_app.broker import access, command, files
from shelly_app.files import write
from shelly_app.options import Login, Options
from shelly_app.places import NOBODY_ELSE, Layout, Places, Ports
from shelly_app.secret_store import SecretStore
from shelly_app.setup import BrokerAccess, Home, Setup
from tests.stack import REPOSITORY
from tests.stack.processes import Process, StackError, free_port
from tests.stack.server import Server, program

_REFUSED = {4, 5, 134, 135}
"""Bad user name or password, not authorised; in MQTT 3.1.1 and 5."""
PLUGIN_SOURCE = REPOSITORY / "addon" / "mosquitto"


def broker_setup(directory: Path, options: Options, *, plugin: Path | None = None, supervised: bool = True) -> Setup:
    """Return a setup below `directory` whose broker is ours, on free ports, for whoever runs the tests."""
    places = Places(
        data=directory / "data",
        config=directory / "config",
        ssl=directory / "ssl",
        run=directory / "run",
        auth_plugin=plugin,
    )
    ports = Ports(mqtt=free_port(), mqtts=free_port())
    secrets = SecretStore(places.secrets).load(options.mqtt.devices)
    return Setup(
        options=options,
        secrets=secrets,
        layout=Layout(places=places, ports=ports, accounts=NOBODY_ELSE, host="127.0.0.1"),
        home=Home(supervised=supervised, hostname="shelly-pro", addresses=("homeassistant.local", "192.0.2.7")),
        broker=BrokerAccess(
            internal=True,
            host="127.0.0.1",
            port=ports.mqtt,
            username=access.EXPORTER,
            password=secrets.exporter_password,
        ),
    )


def with_logins(setup: Setup, *logins: Login, devices: tuple[str, ...] = ()) -> Setup:
    """Return the same setup with other logins and devices; secrets that were made stay."""
    mqtt = replace(setup.options.mqtt, logins=logins, devices=devices)
    secrets = SecretStore(setup.layout.places.secrets).load(devices)
    return replace(setup, options=replace(setup.options, mqtt=mqtt), secrets=secrets)


async def compiled_plugin(directory: Path) -> Path:
    """Compile Mosquitto's plug-in as the image does and return it; StackError if the compiler complains."""
    made = directory / "plugin" / "ask_control.so"
    shutil.copytree(PLUGIN_SOURCE, made.parent, ignore=shutil.ignore_patterns("*.so"))
    make = (program("make"), "-C", made.parent, made.name)
    async with Process("make", make, log=directory / "make.log") as making:
        if await making.ended() != 0:
            raise StackError(f"The plug-in cannot be made, it needs gcc and mosquitto-dev: {making.tail()}")
    return made


class AppBroker(Server):
    """One Mosquitto of the app."""

    def __init__(self, setup: Setup) -> None:
        name, *arguments = command(setup)
        argv = (program(name, "mosquitto"), *arguments)
        super().__init__("Mosquitto", setup.layout.places.run.parent / "logs", setup.layout.ports.mqtt, argv)
        self.setup = setup

    @override
    async def prepare(self) -> None:
        # In the app the launch of the service makes it.
        self.setup.layout.places.mosquitto_data.mkdir(parents=True, exist_ok=True)
        write(files(self.setup))

    def reload(self, setup: Setup) -> None:
        """Write the files for `setup` and let the running broker read them."""
        self.setup = setup
        write(files(setup))
        self.process.send(signal.SIGHUP)

    def password(self, name: str) -> str:
        """Return the password that an account has here."""
        (password,) = (account.password for account in access.accounts(self.setup) if account.name == name)
        if password is None:
            raise StackError(f"{name} is a user of Home Assistant: give a password")
        return password

    def client(
        self,
        name: str,
        password: str | None = None,
        *,
        identifier: str | None = None,
        clean: bool | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> aiomqtt.Client:
        """Return a client to be entered, as `name`; the password is the right one unless another is given."""
        ports = self.setup.layout.ports
        return aiomqtt.Client(
            self.host,
            ports.mqtt if tls is None else ports.mqtts,
            username=name,
            password=self.password(name) if password is None else password,
            identifier=identifier,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=clean,
            timeout=10,
            tls_context=tls,
        )


async def lets_in(client: aiomqtt.Client) -> bool:
    """Tell whether the broker takes the login; whatever else goes wrong is raised."""
    try:
        async with asyncio.timeout(10), client:
            return True
    except aiomqtt.MqttCodeError as error:
        if not isinstance(error.rc, ReasonCode) or error.rc.value not in _REFUSED:
            raise
        return False
