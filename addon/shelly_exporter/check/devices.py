"""The steps of `shelly-exporter check` about the broker and each device on it, over MQTT and over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

import aiohttp

from shelly_core import AuthError, DeviceInfo, HttpLink, ShellyError, fetch_info, supported
from shelly_core.frame import encode_request
from shelly_exporter.settings import Devices, Settings
from shelly_exporter.settings.schema import label

from .broker import UnconnectedError, Visit
from .steps import Outcome, Step

LISTEN_S: Final = 3.0
"""How long the broker may take to tell what it has kept."""
AT_ONCE: Final = 20
"""Devices that are asked at the same time."""
HTTP_S: Final = 5.0

_HTTP_PORT = 80
_NO_DEVICE = (
    "on each device, enable MQTT and its RPC status notifications, with this broker as server; if the devices' topic "
    f"prefixes have several levels, set {label('mqtt.prefixes')}"
)
_NO_ANSWER = (
    "on the device, enable RPC over MQTT (Settings, MQTT); on the broker, let {source} write to {prefix}/rpc and read "
    "{source}/rpc"
)


class Found(NamedTuple):
    """A device, and where its web server is, if that is known."""

    info: DeviceInfo
    address: tuple[str, int] | None


async def broker_steps(settings: Settings, listen_s: float = LISTEN_S) -> AsyncIterator[Step]:
    """Connect to the broker, and ask every device that has announced itself there."""
    mqtt = settings.mqtt
    asked: set[str] = set()
    try:
        async with Visit(mqtt) as visit:
            told = f"{mqtt.host}:{mqtt.port} takes the connection, with MQTT {visit.broker.version}"
            yield Step("MQTT broker", Outcome.OK, told)
            if visit.broker.reason is not None:
                yield Step("MQTT broker", Outcome.WRONG, visit.broker.reason)
            await asyncio.sleep(listen_s)
            if not visit.online:
                yield Step("devices", Outcome.WRONG, "none has announced itself on the broker", _NO_DEVICE)
            for steps in await _visit_all(settings, visit, asked):
                for step in steps:
                    yield step
    except UnconnectedError as err:
        yield Step("MQTT broker", Outcome.WRONG, str(err))
    for device in sorted(settings.devices.addresses.keys() - asked):
        if settings.devices.http and _is_wanted(settings.devices, device):
            yield Step(device, Outcome.NOTE, "has not announced itself on the broker")
            yield await _http_step(settings.devices, device, None, _address(settings.devices, device))


async def _visit_all(settings: Settings, visit: Visit, asked: set[str]) -> list[list[Step]]:
    """Ask all devices, some at a time; their ids are added to `asked`."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(prefix: str, online: bool) -> list[Step]:
        async with turns:
            return await _device_steps(settings, visit, prefix, online=online, asked=asked)

    return await asyncio.gather(*(in_turn(prefix, online) for prefix, online in sorted(visit.online.items())))


async def _device_steps(settings: Settings, visit: Visit, prefix: str, *, online: bool, asked: set[str]) -> list[Step]:
    try:
        found = await _meet(settings.devices, visit, prefix)
    except ShellyError as err:
        if not online:
            return [Step(prefix, Outcome.NOTE, "is not connected to the broker at the moment")]
        remedy = _NO_ANSWER.format(source=visit.source, prefix=prefix)
        return [Step(prefix, Outcome.WRONG, f"MQTT: {err}", remedy)]
    info = found.info
    asked.add(info.id)
    who = f"MQTT: {info.app} with firmware {info.firmware}" + ("" if info.name is None else f", called {info.name}")
    if not _is_wanted(settings.devices, info.id):
        told = f"{who}; left out, as {label('devices.include')} and {label('devices.exclude')} say"
        return [Step(info.id, Outcome.NOTE, told)]
    if not supported(info):
        step = Step(info.id, Outcome.NOTE, f"{who}; the exporter is not made for this model, and may miss readings")
    else:
        step = Step(info.id, Outcome.OK, who)
    if not settings.devices.http:
        return [step]
    return [step, await _http_step(settings.devices, info.id, info, found.address)]


async def _meet(settings: Devices, visit: Visit, prefix: str) -> Found:
    """Ask a device over MQTT who it is and where its web server is. Raises `ShellyError`."""
    info = DeviceInfo.parse(await visit.ask(prefix, "Shelly.GetDeviceInfo"))
    address = _address(settings, info.id)
    if address is None and settings.http:
        address = _address_in(await visit.ask(prefix, "Shelly.GetStatus"))
    return Found(info, address)


async def _http_step(settings: Devices, device: str, info: DeviceInfo | None, address: tuple[str, int] | None) -> Step:
    """Ask the device at its address who it is, and with its password something else; `info` is as it told over MQTT."""
    if address is None:
        remedy = f"give it in {label('devices.addresses')}, or set {label('devices.http')} to false"
        return Step(device, Outcome.NOTE, "HTTP: its address is not known", remedy)
    host, port = address
    password = settings.passwords.get(device, settings.password)
    key = label("devices.passwords")
    try:
        async with aiohttp.ClientSession() as session:
            found = await fetch_info(session, host, port, timeout_s=HTTP_S)
            if info is not None:
                found.expect(info.mac)
            elif found.id != device:
                return Step(device, Outcome.WRONG, f"HTTP: at {host}:{port} is {found.id}", _where())
            if found.auth_enabled and password is None:
                return Step(device, Outcome.WRONG, f"HTTP: {host}:{port} wants a password", f"give it in {key}")
            link = HttpLink(session, host, port=port, password=password, timeout_s=HTTP_S)
            await link.open(lambda _frame: None, lambda _signal, _reason: None)
            await link.send(encode_request(1, "check", "Sys.GetStatus", None))
    except AuthError:
        return Step(device, Outcome.WRONG, f"HTTP: {host}:{port} refuses the password", f"correct it in {key}")
    except ShellyError as err:
        return Step(device, Outcome.WRONG, f"HTTP: {host}:{port}: {str(err).removeprefix('HTTP: ')}", _where())
    return Step(device, Outcome.OK, f"HTTP: {host}:{port} answers")


def _where() -> str:
    return f"correct {label('devices.addresses')}, or let the exporter reach this address; see router and firewall"


def _address(settings: Devices, device: str) -> tuple[str, int] | None:
    """Return the address that is set for a device."""
    given = settings.addresses.get(device)
    if given is None:
        return None
    host, colon, port = given.rpartition(":")
    if not colon or given.endswith("]"):
        return given, _HTTP_PORT
    return host, int(port)


def _address_in(status: dict[str, Any]) -> tuple[str, int] | None:
    """Return the address in a status; the cable first, as the exporter does."""
    for key, field in (("eth", "ip"), ("wifi", "sta_ip")):
        part = status.get(key)
        if isinstance(part, dict) and isinstance(host := part.get(field), str) and host:
            return host, _HTTP_PORT
    return None


def _is_wanted(settings: Devices, device: str) -> bool:
    def matches(patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(device.lower(), pattern) for pattern in patterns)

    return not matches(settings.exclude) and (not settings.include or matches(settings.include))
