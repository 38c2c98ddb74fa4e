"""An InfluxDB for the app to set up, and what the app knows of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from shelly_app.database.provision import provision
from shelly_app.database.settings import ORGANISATION, Settings
from shelly_app.options import Boards, Database, Options
from shelly_app.places import NOBODY_ELSE, Layout, Places, Ports
from shelly_app.secret_store import Secrets, SecretStore
from shelly_app.setup import BrokerAccess, Home, Setup
from tests.stack.influxdb2_stand_in import InfluxDB2
from tests.stack.processes import free_port


def setup_in(folder: Path, options: Options | None = None, *, port: int | None = None, **more: Any) -> Setup:
    """A setup with all places below `folder`; `more` are other parts of it."""
    data = folder / "data"
    places = Places(data=data, config=folder / "config", run=folder / "run", ssl=folder / "ssl")
    ports = Ports(influxdb=free_port() if port is None else port)
    parts: dict[str, Any] = {
        "options": Options() if options is None else options,
        "secrets": SecretStore(places.secrets).load(),
        "layout": Layout(places=places, ports=ports, accounts=NOBODY_ELSE),
        "home": Home(supervised=True, time_zone="Europe/Berlin"),
        "broker": BrokerAccess(
            internal=True, host="127.0.0.1", port=1883, username="shelly-exporter", password="the broker's"
        ),
    }
    return Setup(**parts | more)


@dataclass(kw_only=True)
class Stage:
    """One InfluxDB below `folder`, and the app beside it."""

    folder: Path
    influx: InfluxDB2

    def setup(self, *, boards: bool = True, **database: Any) -> Setup:
        """What is set, with these options of the database."""
        options = Options(database=Database(**database), boards=Boards(enabled=boards))
        return setup_in(self.folder, options, port=self.influx.port)

    @property
    def store(self) -> SecretStore:
        """The secrets of the app."""
        return SecretStore(self.folder / "data" / "secrets")

    @property
    def secrets(self) -> Secrets:
        """All of them."""
        return self.store.load()

    def token(self, who: str) -> str:
        """What stands in the file of `exporter` or `grafana`."""
        return (self.folder / "run" / who / "token").read_text()

    async def provision(self, setup: Setup | None = None) -> None:
        """Set it up, as the app does at each start."""
        async with aiohttp.ClientSession() as session:
            await provision(Settings.of(self.setup() if setup is None else setup), self.store, session)

    async def start_again(self, setup: Setup | None = None) -> None:
        """As `provision`, after a start of the container: what is below `run` was lost, and rendered again."""
        for path in self.folder.glob("run/*/token"):
            path.unlink()
        await self.provision(setup)

    async def write(self, token: str, bucket: str = "shelly", line: str = "em,device=a power=1 1000") -> int:
        """Write a point and return the status."""
        query = {"org": ORGANISATION, "bucket": bucket, "precision": "ms"}
        headers = {"Authorization": f"Token {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.influx.url}/api/v2/write", params=query, data=line) as answer,
        ):
            return answer.status

    async def read(self, token: str, bucket: str = "shelly") -> dict[str, int] | str:
        """Return the number of points of each measurement, or why there is no answer."""
        form = {"db": bucket, "q": "SELECT count(power) FROM em"}
        headers = {"Authorization": f"Token {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.influx.url}/query", data=form) as answer,
        ):
            document = await answer.json()
        if "results" not in document:
            return str(document["message"])
        result = document["results"][0]
        return result.get("error") or {one["name"]: one["values"][0][0] for one in result.get("series", [])}

    async def call(self, token: str, method: str, path: str, **body: Any) -> int:
        """Ask something else and return the status."""
        headers = {"Authorization": f"Token {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.influx.url}{path}", json=body or None) as answer,
        ):
            return answer.status

    def retention_s(self, bucket: str) -> int:
        """Return how long a bucket keeps points."""
        found = self.influx.state.find("buckets", name=bucket)
        assert found is not None
        return int(found["retention_s"])

    def descriptions(self) -> list[str]:
        """Return what all tokens are for."""
        return [one["description"] for one in self.influx.state.documents["authorizations"]]


@asynccontextmanager
async def stage_in(folder: Path) -> AsyncIterator[Stage]:
    """An InfluxDB that runs and was never set up."""
    async with InfluxDB2(folder / "config" / "influxdb") as influx:
        yield Stage(folder=folder, influx=influx)
