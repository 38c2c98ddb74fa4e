"""The app's part of the demo: its own code decides how broker, exporter and Grafana run, and who may do what."""

import contextlib
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, override

from shelly_app import handouts, prepare
from shelly_app.broker.access import EXPORTER
from shelly_app.files import write
from shelly_app.options import Alerts, Database, DatabaseKind, DatabaseMode, Mqtt, Options
from shelly_app.places import NOBODY_ELSE, Layout, Places, Ports
from shelly_app.secret_store import SecretStore
from shelly_app.services.plan import plan
from shelly_app.setup import BrokerAccess, Home, Setup
from tests.demo.export import Export, now
from tests.stack import REPOSITORY
from tests.stack.app_broker import AppBroker
from tests.stack.exporter import Exporter
from tests.stack.fleet import Fleet
from tests.stack.influxdb import InfluxServer
from tests.stack.processes import Process, accepts, free_port
from tests.stack.server import SYSTEM_PATH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.stack.fleet import DeviceSpec, SimulatedDevice
    from tests.stack.stage import Report

HOST = "127.0.0.1"
MQTT_PORT, INFLUXDB_PORT = 1883, 8086
GRAFANA_S = 120.0
"""Grafana makes its database at its first start."""
FLEET_OPTIONS = ("--keep-told",)
"""Without them there is nothing to compare InfluxDB with."""


@dataclass(frozen=True, kw_only=True)
class App:
    """What of the app runs here."""

    fleet: Fleet
    broker: AppBroker
    export: Export
    boards: str | None
    """Where Grafana is, and how to log in; `None`: it is not installed."""


class PreparedExporter(Exporter):
    """The exporter with the settings and the command line that the app renders."""

    def __init__(self, setup: Setup, broker: AppBroker, store: str, devices: Sequence[SimulatedDevice]) -> None:
        super().__init__(
            setup.layout.places.run / "exporter", broker=broker, store=store, user=EXPORTER, devices=devices
        )
        self.port = setup.layout.ports.exporter
        # Real devices are at port 80 of an address of their own, and tell it over MQTT.
        addresses = ",".join(f"{device.id}={device.host}:{device.http_port}" for device in devices)
        (service,) = (service for service in plan(setup) if service.name == "exporter")
        argv = (sys.executable, "-m", "shelly_exporter", *service.argv[1:])
        env = {**service.environment, **self.env, "SHELLY_DEVICES_ADDRESSES": addresses}
        self.process = Process("The exporter", argv, log=self.directory / "exporter.log", env=env)

    @override
    def write_settings(self) -> None:
        """Leave it as the app has written it."""


@contextlib.asynccontextmanager
async def raise_app(directory: Path, specs: Sequence[DeviceSpec], *, report: Report) -> AsyncIterator[App]:
    """Start devices, and for them what the app consists of; each device is given the login that the app made for it."""
    async with contextlib.AsyncExitStack() as running:
        fleet = Fleet(directory / "simulator", specs, options=FLEET_OPTIONS)
        async with report(f"Virtual devices: {', '.join(spec.model for spec in specs)}"):
            await running.enter_async_context(fleet)
        store = InfluxServer(directory / "influxdb", free_port(INFLUXDB_PORT))
        async with report(f"InfluxDB at {store.url}"):
            await running.enter_async_context(store)
        setup = set_up(directory / "app", [device.id for device in fleet.devices], database=store.url)
        write(prepare.render(setup))
        broker = AppBroker(setup)
        async with report(f"The app's Mosquitto on {HOST}:{broker.port}, with a login for each device"):
            await running.enter_async_context(broker)
            for device in fleet.devices:
                await fleet.join(device, f"{HOST}:{broker.port}", device.id, setup.secrets.devices[device.id])
            await fleet.process.wait_until(fleet.connected, 15, "Every device reaches the broker")
        exporter = PreparedExporter(setup, broker, store.url, fleet.devices)
        async with report(f"The app's exporter at http://{HOST}:{exporter.port}/health, from the broker to InfluxDB"):
            await running.enter_async_context(exporter)
            await exporter.connected()
        boards = await running.enter_async_context(_grafana(setup, report=report))
        export = Export(store=store, exporter=exporter, since=await now(fleet))
        yield App(fleet=fleet, broker=broker, export=export, boards=boards)


def set_up(directory: Path, devices: Sequence[str], *, database: str) -> Setup:
    """Return the app as it is without Supervisor, for these devices and an InfluxDB 1 at the address `database`."""
    places = Places(
        data=directory / "data",
        config=directory / "config",
        ssl=directory / "ssl",
        run=directory / "run",
        boards=REPOSITORY / "addon" / "grafana" / "boards",
        auth_plugin=None,
    )
    ports = Ports(
        mqtt=free_port(MQTT_PORT),
        gateway=free_port(8099),
        grafana=free_port(3000),
        exporter=free_port(9433),
        control=free_port(9434),
    )
    options = Options(
        mqtt=Mqtt(devices=tuple(devices)),
        database=Database(mode=DatabaseMode.EXTERNAL, kind=DatabaseKind.INFLUXDB1, url=database),
        alerts=Alerts(enabled=False),
    )
    secrets = SecretStore(places.secrets).load(devices)
    access = BrokerAccess(
        internal=True, host=HOST, port=ports.mqtt, username=EXPORTER, password=secrets.exporter_password
    )
    return Setup(
        options=options,
        secrets=secrets,
        layout=Layout(places=places, ports=ports, accounts=NOBODY_ELSE, host=HOST),
        home=Home(supervised=False, time_zone="Europe/Berlin", addresses=(HOST,)),
        broker=access,
    )


@contextlib.asynccontextmanager
async def _grafana(setup: Setup, *, report: Report) -> AsyncIterator[str | None]:
    """Start Grafana behind the app's gateway, if it is on this machine; yield what to tell about it."""
    program = shutil.which("grafana", path=SYSTEM_PATH) or shutil.which("grafana-server", path=SYSTEM_PATH)
    nginx = shutil.which("nginx", path=SYSTEM_PATH)
    if program is None or nginx is None:
        yield None
        return
    layout, logs = setup.layout, setup.layout.places.run.parent / "logs"
    services = {service.name: service for service in plan(setup)}
    server, gateway = services["grafana"], services["gateway"]
    for folder in (*server.folders, *gateway.folders):
        folder.path.mkdir(parents=True, exist_ok=True)
    arguments = server.argv[1:] if program.endswith("grafana") else server.argv[2:]
    async with report(f"Grafana at http://{HOST}:{layout.ports.gateway}"), contextlib.AsyncExitStack() as running:
        grafana_process = Process("Grafana", (program, *arguments), log=logs / "grafana.log", env=server.environment)
        await running.enter_async_context(grafana_process)
        nginx_process = Process("nginx", (nginx, *gateway.argv[1:]), log=logs / "nginx.log", env=gateway.environment)
        await running.enter_async_context(nginx_process)
        await grafana_process.wait_until(lambda: accepts(layout.ports.grafana), GRAFANA_S, "Grafana answers")
        kept = running.pop_all()
    async with kept:
        password = layout.places.config / handouts.GRAFANA_PASSWORD
        yield f"Grafana is at http://{HOST}:{layout.ports.gateway}: log in as admin, the password is in {password}."
