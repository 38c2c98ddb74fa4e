"""The app as its image would run it: Debian trixie, real s6, Mosquitto and nginx, stand-ins for what Debian lacks.

Needs root; makes the Debian root with debootstrap when there is none for the packages of the image.
"""

import asyncio
import contextlib
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.stack import REPOSITORY
from tests.stack.processes import Process, wait_until
from tests.stack.rehearsal.app import SERVICES, Seen
from tests.stack.rehearsal.stage import TOKEN, Stage

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a root of its own"),
    pytest.mark.skipif(shutil.which("debootstrap") is None, reason="apt-get install debootstrap"),
    pytest.mark.timeout(300),
]

SEED = 1
DEVICE = "shellypro3em-0218dd2542f2"
"""The meter that the simulator makes of this seed."""
DEVICE_PASSWORD_OPTION = "the-password-of-the-devices"
OPTIONS = {
    "device_password": DEVICE_PASSWORD_OPTION,
    "mqtt": {
        "mode": "auto",
        "devices": [DEVICE],
        "tls": {"mode": "generated"},
        "logins": [
            {"username": "ada", "subscribe": ["#"]},
            {"username": "kitchen", "password": "the-password-of-the-kitchen", "publish": ["kitchen/#"]},
        ],
    },
}
PASSWORD_OF_ADA = "the-password-of-ada"
TYPED = (DEVICE_PASSWORD_OPTION, "the-password-of-the-kitchen", PASSWORD_OF_ADA)
PORTS = {"control": 9434, "exporter": 9433, "gateway": 8099, "grafana": 3000, "influxdb": 8086, "mosquitto": 1883}


class Samples:
    """The processes that were seen while the app ran."""

    def __init__(self, stage: Stage) -> None:
        self.seen: set[Seen] = set()
        self._stage = stage

    async def collect(self) -> None:
        """Look again and again until cancelled."""
        while True:
            self.seen |= set(await asyncio.to_thread(lambda: list(self._stage.app.processes())))
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The app, installed for the first time and started."""
    state = {
        "people": [{"id": "1", "is_owner": True, "group_ids": ["system-admin"]}],
        "logins": {"ada": PASSWORD_OF_ADA},
    }
    async with Stage(tmp_path_factory.mktemp("rehearsal"), options=OPTIONS, state=state) as stage:
        await stage.app.start()
        yield stage
        sys.stdout.write(stage.app.log)  # shown when something was wrong


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def samples(stage: Stage) -> AsyncIterator[Samples]:
    """Collected from the first start to the last stop."""
    samples = Samples(stage)
    task = asyncio.create_task(samples.collect())
    yield samples
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_all_services_come_up(stage: Stage, samples: Samples) -> None:
    await stage.app.started()
    for port in PORTS.values():
        await wait_until(partial(stage.listens, port), 30, f"port {port} is open")
    assert await stage.world.run("shelly-app", "health") == ""


async def test_home_assistant_is_told_of_a_broker_that_works(stage: Stage) -> None:
    await wait_until(lambda: "shelly_pro" in stage.supervisor["discovered"], 20, "the app is discovered")
    known = stage.supervisor
    broker = known["discovered"]["mqtt"]
    assert (known["mqtt"]["username"], broker["username"]) == ("addons", "homeassistant")
    for login in (known["mqtt"], broker):
        assert await stage.exchange(login["username"], login["password"]) == "hello"
    assert known["options"] == {"ingress_panel": True}


async def test_what_a_meter_tells_is_stored(stage: Stage) -> None:
    password = stage.secrets()[f"devices/{DEVICE}"]
    assert password in (stage.world.root / "config/device-logins.yaml").read_text()
    async with stage.simulator(SEED, DEVICE, password) as meter:
        await meter.wait_until(lambda: f"em,device={DEVICE}," in _sorted(stage.stored()), 40, "readings are stored")


async def test_a_user_of_home_assistant_logs_in(stage: Stage) -> None:
    with pytest.raises(TimeoutError):  # she may read everything and write nothing, so her own word does not come back
        await stage.exchange("ada", PASSWORD_OF_ADA, patience_s=3)
    with pytest.raises(Exception, match=r"(?i)not authori[sz]ed"):
        await stage.exchange("ada", "another")


async def test_supervisor_alone_gets_in_and_says_who_is_there(stage: Stage) -> None:
    await wait_until(lambda: _is_grafana(stage), 30, "Grafana answers through the gateway")
    status, text = await stage.page()
    assert (status, '"user": "ada"' in text, '"role": "Admin"' in text) == (200, True, True)
    assert (await stage.page(peer="127.0.0.1"))[0] == 403


async def test_everything_runs_as_somebody_who_may_do_little(stage: Stage) -> None:
    users = {name: service.user for name, service in stage.services.items()}
    assert users == {
        "control": "shelly-control",
        "database": None,
        "exporter": "shelly-exporter",
        "gateway": "www-data",
        "grafana": "grafana",
        "influxdb": "influxdb",
        "mosquitto": "mosquitto",
    }
    programs = {
        "mosquitto": "mosquitto -c",
        "www-data": "nginx: ",
        "influxdb": "-m tests.stack.influxdb2_stand_in",
        "grafana": "-m tests.stack.rehearsal.grafana_stand_in",
        "shelly-exporter": "-m shelly_exporter",
        "shelly-control": "-m shelly_app control",
    }
    running = [(_name(seen.uid, stage), seen.command) for seen in stage.app.processes()]
    for user, program in programs.items():
        assert {owner for owner, line in running if program in line} == {user}


@pytest.mark.parametrize("service", SERVICES)
async def test_a_killed_service_comes_back(stage: Stage, service: str) -> None:
    before = await stage.app.pid(service)
    await stage.app.kill(service)
    await stage.app.says(f"{service}: was ended by SIGKILL")

    async def back() -> bool:
        return await stage.app.pid(service) not in (before, -1) and (
            service not in PORTS or await stage.listens(PORTS[service])
        )

    await wait_until(back, 30, f"{service} is back")


async def test_a_dead_database_takes_nothing_with_it(stage: Stage) -> None:
    await stage.world.run("s6-svc", "-wD", "-d", "/run/service/influxdb")
    broker = stage.supervisor["discovered"]["mqtt"]
    assert await stage.exchange(broker["username"], broker["password"]) == "hello"
    assert await stage.world.run("shelly-app", "health") == ""
    assert all([await stage.listens(PORTS[name]) for name in ("control", "exporter", "gateway")])
    await stage.world.run("s6-svc", "-u", "/run/service/influxdb")
    await wait_until(lambda: stage.listens(PORTS["influxdb"]), 30, "the database is back")


async def test_it_stops_in_order(stage: Stage) -> None:
    assert await stage.app.stop() == 0
    ends = re.findall(r"rehearsal: service (\w+) stopped", stage.app.log)
    assert sorted(ends) == sorted(SERVICES)
    for first, last in (("control", "mosquitto"), ("exporter", "mosquitto"), ("grafana", "influxdb")):
        assert ends.index(first) < ends.index(last)
    assert stage.supervisor["mqtt"] is None, "the broker was withdrawn"
    assert "it starts again" not in stage.app.log.split("service control stopped")[-1]


async def test_a_second_start_knows_the_first(stage: Stage, samples: Samples) -> None:
    before = stage.secrets()
    told = stage.supervisor["discovered"]
    await stage.app.start()
    await stage.app.started()
    await wait_until(lambda: stage.supervisor["mqtt"] is not None, 20, "the broker is registered again")
    assert stage.secrets() == before
    assert stage.supervisor["discovered"] == told
    assert stage.supervisor["calls"].count("POST /addons/self/options") == 1
    assert await stage.app.stop() == 0


async def test_history_survives_an_uninstallation(stage: Stage, samples: Samples) -> None:
    before = stage.stored()
    stage.uninstall()
    await stage.app.start()
    await stage.app.started()
    await stage.app.says("The history of an earlier installation is used again")
    await stage.app.says("InfluxDB is ready for the exporter and Grafana")
    assert stage.stored().startswith(before)
    assert await stage.app.stop() == 0


async def test_no_secret_leaves_its_file(stage: Stage, samples: Samples) -> None:
    typed = {f"typed {number}": value for number, value in enumerate(TYPED)}
    secrets = {**stage.secrets(), **typed, "token of Supervisor": TOKEN}
    assert len(secrets) >= 12
    commands = {seen.command for seen in samples.seen}
    assert {f"s6-supervise {name}" for name in SERVICES} <= commands
    readable = {path: path.read_bytes() for path in _world_readable(stage.world.root)}
    assert len(readable) > 3
    for name, value in secrets.items():
        assert value not in stage.app.everything, f"{name} is in the log"
        assert not [command for command in commands if value in command], f"{name} is in a command line"
        assert not [path for path, content in readable.items() if value.encode() in content], f"{name} can be read"


async def test_only_control_knows_the_token_of_supervisor(stage: Stage, samples: Samples) -> None:
    knowing = {_name(seen.uid, stage) for seen in samples.seen if TOKEN in seen.environment}
    assert knowing == {"root", "shelly-control"}
    # nginx writes over its own; PYTHONPATH and PWD come from the wrappers that stand for the programs of the image.
    given = [seen.environment for seen in samples.seen if seen.uid != 0 and not seen.command.startswith("nginx: ")]
    names = {word.split("=")[0] for environment in given for word in environment.split()} - {"PYTHONPATH", "PWD"}
    assert names == {"PATH", "HOME", "LANG", "TZ", "SUPERVISOR_TOKEN", "INFLUXD_CONFIG_PATH", "GOMEMLIMIT"}


async def test_another_broker_is_used(tmp_path: Path) -> None:
    foreign = {"addon": "core_mosquitto", "host": "core-mosquitto", "port": 1883, "username": "addons"}
    state = {"mqtt": {**foreign, "password": "of the other", "ssl": False, "protocol": "3.1.1"}}
    async with Stage(tmp_path, state=state) as stage:
        await stage.app.start()
        await stage.app.started()
        assert not await stage.listens(PORTS["mosquitto"])
        assert "sleep infinity" in {seen.command for seen in stage.app.processes()}
        assert await stage.world.run("shelly-app", "health") == ""
        assert "core-mosquitto" in (stage.world.root / "run/shelly-pro/exporter/exporter.yaml").read_text()
        assert await stage.app.stop() == 0
        assert stage.supervisor["mqtt"] == state["mqtt"]
        assert not {"POST /services/mqtt", "DELETE /services/mqtt"} & set(stage.supervisor["calls"])
        assert "of the other" not in stage.app.log


async def test_wrong_options_are_told_and_nothing_starts(tmp_path: Path) -> None:
    async with Stage(tmp_path, options={"database": {"retention_days": 1}, "mqtt": {"mode": "external"}}) as stage:
        await stage.app.start()
        assert await stage.app.ended() == 1
        lines = stage.app.log.splitlines()
        assert any(line.startswith("database.retention_days: ") for line in lines)
        assert any(line.startswith("mqtt.host: ") for line in lines)
        assert "Traceback" not in stage.app.log
        assert not re.search(r"service (?!prepare)\w+ started", stage.app.log)


async def test_a_port_that_is_taken_holds_up_nothing_else(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        holder = stage.world.beside("/usr/sbin/mosquitto", "-p", "1883")
        async with Process("the other broker", holder, log=tmp_path / "other.log") as other:
            await other.wait_until(lambda: stage.listens(1883), 10, "the port is taken")
            await stage.app.start()
            await stage.app.started()
            await stage.app.says("mosquitto: ended with code 1", times=2)
            assert all([await stage.listens(PORTS[name]) for name in ("control", "gateway")])
        await stage.app.says("MQTT: connected to 127.0.0.1:1883")


async def test_without_supervisor(tmp_path: Path) -> None:
    async with Stage(tmp_path, environ={"APP_MQTT_DEVICES": DEVICE, "APP_TIME_ZONE": "Europe/Berlin"}) as stage:
        await stage.app.start()
        await stage.app.started()
        await wait_until(lambda: _is_grafana(stage), 30, "Grafana answers through the gateway")
        assert '"user": null' in (await stage.page(peer="127.0.0.1"))[1]
        assert await stage.exchange(DEVICE, stage.secrets()[f"devices/{DEVICE}"], f"{DEVICE}/word") == "hello"
        assert await stage.world.run("shelly-app", "health") == ""
        assert await stage.app.stop() == 0


async def _is_grafana(stage: Stage) -> bool:
    return '"database": "ok"' in (await stage.page())[1]


def _sorted(lines: str) -> str:
    """Return points with their device first among the tags, whatever else they have."""
    return re.sub(r"(?m)^(\w+),(?:[^ ,]+,)*?(device=[^ ,]+)", r"\1,\2,", lines)


def _name(uid: int, stage: Stage) -> str:
    """Return the name of a user inside."""
    users = (line.split(":") for line in (stage.world.root / "etc/passwd").read_text().splitlines())
    return next(name for name, _, number, *_ in users if int(number) == uid)


def _world_readable(root: Path) -> Iterator[Path]:
    """Yield the files of the app that somebody else may read: no folder above them is closed."""
    ours = root / REPOSITORY.relative_to("/")  # the tests themselves, wherever they are
    for top in ("data", "config", "run", "tmp", "etc"):
        for folder, folders, files in (root / top).walk():
            opened = (name for name in folders if (folder / name).stat().st_mode & 0o001)
            folders[:] = [name for name in opened if folder / name != ours]
            for name in files:
                path = folder / name
                if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o004:
                    yield path
