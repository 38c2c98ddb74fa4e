"""The check of broker and devices, against a real Mosquitto and simulated devices."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from shelly_core import FrameError, LinkTimeoutError, RpcError
from shelly_exporter.broker import Message
from shelly_exporter.check import broker as check_broker
from shelly_exporter.check.broker import UnconnectedError, Visit
from shelly_exporter.check.devices import broker_steps
from shelly_exporter.check.steps import Outcome, Step
from shelly_exporter.settings import Devices, Mqtt, Protocol, Settings
from tests.stack.fleet import DeviceSpec, Fleet
from tests.stack.mosquitto import HOME_ASSISTANT, Account, Broker, devices_account, home_assistant_account
from tests.stack.processes import free_port, wait_until

OK, NOTE, WRONG = Outcome.OK, Outcome.NOTE, Outcome.WRONG
LISTEN_S = 0.3
PASSWORD = "meter secret"


@dataclass(frozen=True, slots=True)
class Stage:
    """A broker with a meter that wants a password, and relays that want none."""

    broker: Broker
    fleet: Fleet
    mqtt: Mqtt

    @property
    def devices(self) -> Devices:
        """What the settings say of them when all is well."""
        meter, relays = self.fleet.devices
        addresses = {device.id: f"{device.host}:{device.http_port}" for device in (meter, relays)}
        return Devices(password=PASSWORD, addresses=addresses)

    async def steps(self, devices: Devices | None = None, mqtt: Mqtt | None = None) -> list[Step]:
        """The check with these settings."""
        chosen = self.devices if devices is None else devices
        settings = Settings(mqtt=self.mqtt if mqtt is None else mqtt, devices=chosen)
        return [step async for step in broker_steps(settings, LISTEN_S)]


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Started once; no test changes it."""
    directory = tmp_path_factory.mktemp("check")
    specs = (DeviceSpec(model="pro3em", name="Cellar", password=PASSWORD), DeviceSpec(model="pro3"))
    async with Broker(directory) as broker, Fleet(directory / "fleet", specs, broker=broker) as fleet:
        await wait_until(fleet.connected, 10, "all devices reach the broker")
        yield Stage(broker, fleet, mqtt_of(broker))


def mqtt_of(broker: Broker) -> Mqtt:
    return Mqtt(
        host=broker.host,
        port=broker.port,
        username=HOME_ASSISTANT,
        password=broker.password(HOME_ASSISTANT),
        keepalive_s=5,
    )


@contextlib.asynccontextmanager
async def client(mqtt: Mqtt, name: str) -> AsyncIterator[aiomqtt.Client]:
    """Somebody else on the broker, with the exporter's login."""
    async with aiomqtt.Client(
        mqtt.host, mqtt.port, username=mqtt.username, password=mqtt.password, identifier=name
    ) as connected:
        yield connected


def of(steps: list[Step], name: str) -> list[Step]:
    return [step for step in steps if step.name == name]


@pytest.mark.asyncio(loop_scope="module")
class TestDevices:
    async def test_all_is_well(self, stage: Stage) -> None:
        meter, relays = stage.fleet.devices
        steps = await stage.steps()
        assert {step.outcome for step in steps} == {OK}
        assert [step.told for step in of(steps, "MQTT broker")] == [
            f"127.0.0.1:{stage.broker.port} takes the connection, with MQTT 5"
        ]
        assert [step.told for step in of(steps, meter.id)] == [
            f"MQTT: Pro3EM with firmware {meter.firmware}, called Cellar",
            f"HTTP: {meter.host}:{meter.http_port} answers",
        ]
        assert [step.told for step in of(steps, relays.id)] == [
            f"MQTT: Pro3 with firmware {relays.firmware}",
            f"HTTP: {relays.host}:{relays.http_port} answers",
        ]

    async def test_with_mqtt_3(self, stage: Stage) -> None:
        steps = await stage.steps(mqtt=replace(stage.mqtt, protocol=Protocol.V311))
        assert {step.outcome for step in steps} == {OK}
        assert steps[0].told.endswith("with MQTT 3.1.1")

    @pytest.mark.parametrize(("password", "told"), [(None, "wants a password"), ("wrong", "refuses the password")])
    async def test_passwords(self, stage: Stage, password: str | None, told: str) -> None:
        meter, relays = stage.fleet.devices
        steps = await stage.steps(replace(stage.devices, password=password))
        mqtt, http = of(steps, meter.id)
        assert (mqtt.outcome, http.outcome, http.told) == (
            OK,
            WRONG,
            f"HTTP: {meter.host}:{meter.http_port} {told}",
        )
        assert http.remedy is not None
        assert "devices.passwords (SHELLY_DEVICES_PASSWORDS)" in http.remedy
        assert {step.outcome for step in of(steps, relays.id)} == {OK}
        steps = await stage.steps(replace(stage.devices, password=password, passwords={meter.id: PASSWORD}))
        assert {step.outcome for step in steps} == {OK}

    async def test_devices_that_are_left_out(self, stage: Stage) -> None:
        meter, relays = stage.fleet.devices
        for devices in (replace(stage.devices, exclude=("shellypro3-*",)), replace(stage.devices, include=(meter.id,))):
            steps = await stage.steps(devices)
            (left_out,) = of(steps, relays.id)
            assert (left_out.outcome, "; left out, as devices.include" in left_out.told) == (NOTE, True)
            assert [step.outcome for step in of(steps, meter.id)] == [OK, OK]

    async def test_without_http(self, stage: Stage) -> None:
        steps = await stage.steps(replace(stage.devices, http=False, password=None))
        assert len(steps) == 3
        assert {step.outcome for step in steps} == {OK}

    async def test_addresses_of_others(self, stage: Stage) -> None:
        meter, relays = stage.fleet.devices
        swapped = {relays.id: f"{meter.host}:{meter.http_port}", meter.id: f"{meter.host}:{free_port()}"}
        steps = await stage.steps(replace(stage.devices, addresses=swapped))
        taken, away = of(steps, relays.id)[1], of(steps, meter.id)[1]
        assert (taken.outcome, away.outcome) == (WRONG, WRONG)
        assert meter.mac in taken.told
        assert away.told.endswith("no connection")
        assert away.remedy is not None
        assert "devices.addresses" in away.remedy

    async def test_a_device_that_is_not_on_the_broker(self, stage: Stage) -> None:
        meter, _ = stage.fleet.devices
        address = f"{meter.host}:{meter.http_port}"
        absent = "shellypro3em-000000000001"
        steps = await stage.steps(replace(stage.devices, addresses={**stage.devices.addresses, absent: address}))
        assert of(steps, absent) == [
            Step(absent, NOTE, "has not announced itself on the broker"),
            Step(absent, WRONG, f"HTTP: at {address} is {meter.id}", of(steps, absent)[1].remedy),
        ]
        quiet = replace(stage.devices, addresses={**stage.devices.addresses, absent: address}, http=False)
        assert of(await stage.steps(quiet), absent) == []

    async def test_only_over_http(self, stage: Stage) -> None:
        steps = await stage.steps(mqtt=replace(stage.mqtt, prefixes=("nowhere/+",)))
        (nobody,) = of(steps, "devices")
        assert nobody.outcome is WRONG
        assert nobody.remedy is not None
        assert "mqtt.prefixes (SHELLY_MQTT_PREFIXES)" in nobody.remedy
        for device in stage.fleet.devices:
            assert [step.outcome for step in of(steps, device.id)] == [NOTE, OK]

    async def test_the_exporters_session_is_left_alone(self, stage: Stage) -> None:
        async with client(stage.mqtt, stage.mqtt.client_id) as exporter:
            await exporter.subscribe("hello")
            await stage.steps()
            await exporter.publish("hello", "still there")
            async with asyncio.timeout(5):
                assert (await anext(exporter.messages)).payload == b"still there"

    @pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
    async def test_nothing_stays_on_the_broker(self, stage: Stage, protocol: Protocol) -> None:
        """What comes for the visitor after its visit is not kept."""
        mqtt = replace(stage.mqtt, protocol=protocol, client_id=f"left-{protocol}")
        async with Visit(mqtt) as visit:
            pass
        async with client(stage.mqtt, "somebody") as somebody:
            await somebody.publish(f"{visit.source}/rpc", "late", qos=1)
        found = []
        async with aiomqtt.Client(
            mqtt.host,
            mqtt.port,
            username=mqtt.username,
            password=mqtt.password,
            identifier=visit.source,
            clean_session=False,
        ) as successor:
            await successor.subscribe("end")
            await successor.publish("end", "end")
            async with asyncio.timeout(5):
                async for message in successor.messages:
                    found.append(message.payload)
                    if message.payload == b"end":
                        break
        assert found == [b"end"]


@contextlib.asynccontextmanager
async def pretender(
    mqtt: Mqtt, prefix: str, answers: dict[str, Any] | None, *, online: bytes = b"true"
) -> AsyncIterator[None]:
    """A device that announces itself, and answers with `answers` by method; `None`: not at all."""
    async with client(mqtt, prefix) as device:
        await device.subscribe(f"{prefix}/rpc")
        await device.publish(f"{prefix}/online", online, retain=True)

        async def answer() -> None:
            async for message in device.messages:
                request = json.loads(bytes(message.payload))
                if answers is not None:
                    told = {"id": request["id"], "src": prefix, "dst": request["src"]} | answers[request["method"]]
                    await device.publish(f"{request['src']}/rpc", b"junk")
                    await device.publish(f"{request['src']}/rpc", json.dumps(told))
                    await device.publish(f"{request['src']}/rpc", json.dumps(told))

        answering = asyncio.create_task(answer())
        yield
        answering.cancel()
        await asyncio.wait((answering,))
        await device.publish(f"{prefix}/online", b"", retain=True)


@pytest.fixture
async def mqtt(tmp_path: Path) -> AsyncIterator[Mqtt]:
    """An empty broker."""
    async with Broker(tmp_path) as broker:
        yield mqtt_of(broker)


INFO = {
    "id": "shellyplus1-3ce90e6ff1a0",
    "mac": "3CE90E6FF1A0",
    "model": "SNSW-001X16EU",
    "gen": 2,
    "fw_id": "x",
    "ver": "1.4.4",
    "app": "Plus1",
    "auth_en": False,
}


async def steps_of(mqtt: Mqtt, devices: Devices | None = None) -> list[Step]:
    settings = Settings(mqtt=mqtt, devices=Devices() if devices is None else devices)
    return [step async for step in broker_steps(settings, LISTEN_S)]


async def test_nobody_is_there(mqtt: Mqtt) -> None:
    broker, devices = await steps_of(mqtt)
    assert (broker.outcome, devices.outcome) == (OK, WRONG)
    assert devices.remedy is not None
    assert "enable MQTT" in devices.remedy


async def test_a_device_that_does_not_answer(mqtt: Mqtt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_broker, "ANSWER_S", 0.2)
    async with pretender(mqtt, "mute", None), pretender(mqtt, "gone", None, online=b"false"):
        _, gone, mute = await steps_of(mqtt)
    assert gone == Step("gone", NOTE, "is not connected to the broker at the moment")
    assert (mute.name, mute.outcome, mute.told) == ("mute", WRONG, "MQTT: no answer within 0 s")
    assert mute.remedy is not None
    assert "let shelly-exporter-check write to mute/rpc and read shelly-exporter-check/rpc" in mute.remedy


async def test_a_device_that_refuses(mqtt: Mqtt) -> None:
    async with pretender(mqtt, "odd", {"Shelly.GetDeviceInfo": {"error": {"code": 404, "message": "No handler"}}}):
        _, odd = await steps_of(mqtt)
    assert (odd.outcome, odd.told) == (WRONG, "MQTT: Shelly.GetDeviceInfo: No handler (404)")


async def test_something_that_is_no_device(mqtt: Mqtt) -> None:
    async with pretender(mqtt, "odd", {"Shelly.GetDeviceInfo": {"result": ["hello"]}}):
        _, odd = await steps_of(mqtt)
    assert (odd.outcome, odd.told) == (WRONG, "MQTT: not an object")


async def test_topics_that_only_look_alike(mqtt: Mqtt) -> None:
    async with pretender(mqtt, "lamp", None, online=b"yes"):
        _, devices = await steps_of(mqtt)
    assert devices.name == "devices"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({}, "HTTP: its address is not known"),
        ({"eth": {"ip": None}, "wifi": {"sta_ip": ""}}, "HTTP: its address is not known"),
        ({"eth": {"ip": "127.0.0.3"}, "wifi": {"sta_ip": "127.0.0.4"}}, "HTTP: 127.0.0.3:80: no connection"),
        ({"eth": {"ip": None}, "wifi": {"sta_ip": "127.0.0.4"}}, "HTTP: 127.0.0.4:80: no connection"),
    ],
)
async def test_the_address_is_what_the_device_tells(mqtt: Mqtt, status: dict[str, Any], told: str) -> None:
    answers = {"Shelly.GetDeviceInfo": {"result": INFO}, "Shelly.GetStatus": {"result": status}}
    async with pretender(mqtt, "lamp", answers):
        _, over_mqtt, http = await steps_of(mqtt)
    assert (over_mqtt.name, over_mqtt.outcome) == (INFO["id"], NOTE)
    assert "the exporter is not made for this model" in over_mqtt.told
    assert http.told == told


async def test_an_address_without_a_port(mqtt: Mqtt) -> None:
    devices = Devices(addresses={"shellypro3-1": "127.0.0.3", "shellypro3-2": "[::1]"})
    steps = await steps_of(mqtt, devices)
    assert [step.told for step in steps if step.outcome is WRONG][1:] == [
        "HTTP: 127.0.0.3:80: no connection",
        "HTTP: [::1]:80: no connection",
    ]


async def test_no_broker() -> None:
    port = free_port()
    (step,) = await steps_of(Mqtt(port=port))
    assert (step.outcome, step.told) == (
        WRONG,
        f"no broker listens on 127.0.0.1:{port}: start it, or correct mqtt.host and mqtt.port",
    )


async def test_a_wrong_password(mqtt: Mqtt) -> None:
    (step,) = await steps_of(replace(mqtt, password="wrong"))
    assert (step.outcome, "correct mqtt.username and mqtt.password" in step.told) == (WRONG, True)


async def test_a_broker_that_refuses_a_subscription(mqtt: Mqtt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shelly_exporter.broker.Broker.reason", "the broker does not let it read +/online")
    _, refused, _ = await steps_of(mqtt)
    assert refused == Step("MQTT broker", WRONG, "the broker does not let it read +/online")


async def test_a_login_that_may_not_read_the_devices(tmp_path: Path) -> None:
    accounts = (home_assistant_account(), devices_account(), Account(user="narrow", rules=("read nothing/#",)))
    async with Broker(tmp_path, accounts=accounts) as broker:
        wide = mqtt_of(broker)
        narrow = replace(wide, username="narrow", password=broker.password("narrow"))
        async with pretender(wide, "lamp", None):
            _, devices = await steps_of(narrow)
    assert (devices.name, devices.outcome) == ("devices", WRONG)


async def test_questions(mqtt: Mqtt, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"A": {"result": {"n": 1}}, "B": {"error": {"code": -1, "message": "no"}}, "C": {"result": None}}
    async with pretender(mqtt, "lamp", answers), Visit(mqtt) as visit:
        assert await visit.ask("lamp", "A") == {"n": 1}
        with pytest.raises(RpcError, match="no"):
            await visit.ask("lamp", "B")
        with pytest.raises(FrameError):
            await visit.ask("lamp", "C")
        monkeypatch.setattr(check_broker, "ANSWER_S", 0.1)
        with pytest.raises(LinkTimeoutError):
            await visit.ask("nobody", "A")


async def test_an_answer_in_the_moment_of_giving_up_harms_nobody() -> None:
    visit = Visit(Mqtt())
    asking = visit._session.request("A", now=time.monotonic(), timeout_s=1.0)
    answer = visit._waiting[asking.id] = asyncio.get_running_loop().create_future()
    answer.cancel()
    reply = json.dumps({"id": asking.id, "src": "lamp", "result": {}}).encode()
    visit._take(Message(f"{visit.source}/rpc", reply, retain=False, duplicate=False, receipt=None))
    assert answer.cancelled()


async def test_a_visit_that_is_refused_ends() -> None:
    with pytest.raises(UnconnectedError, match="no broker listens"):
        async with Visit(Mqtt(port=free_port())):
            pass
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
