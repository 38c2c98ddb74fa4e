"""Sets up MQTT on a device, and puts everything back if the device does not arrive at Home Assistant's broker.

Settings: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt
"""

import asyncio
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from .broker import Broker, Tls
from .const import DOMAIN, LOGGER
from .shelly_core import Client, Device, DeviceInfo, ShellyError

HIDDEN: Final = "••••••"
NOTHING: Final = "-"
ANY_CERTIFICATE: Final = "*"
BUILT_IN_CAS: Final = "ca.pem"
UPLOADED_CA: Final = "user_ca.pem"
LONGEST_PREFIX: Final = 300
NOT_IN_PREFIX: Final = frozenset("#+%?")
CA_PIECE: Final = 1024
"""Characters of a certificate in one request: a device has little memory for them."""
SEEN_S: Final = 60.0
"""How long a device may need to the broker once it has restarted: it waits a minute between two tries at most."""
RESTARTED_S: Final = 60.0
RESTART_DELAY_MS: Final = 1000
TURN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """One setting, before and after, as a person reads it; `field` is the device's name of it."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be changed on one device.

    `config` goes to Mqtt.SetConfig, `before` is what it had said there. A device does not tell its old password nor its
    old certificate: when they are replaced, `irrecoverable` says that they cannot be put back.
    """

    changes: tuple[Change, ...]
    config: Mapping[str, Any]
    before: Mapping[str, Any]
    prefix: str
    server: str
    ca: str | None
    irrecoverable: bool

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes)


class ProvisioningError(HomeAssistantError):
    """MQTT was not set up; says what happened, how the device is now, and the remedy."""

    def __init__(self, key: str, **placeholders: str) -> None:
        """Take a key of `exceptions`, and what its text tells."""
        super().__init__(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)


def make_plan(device: Device, broker: Broker) -> Plan:
    """Compare how a device is set up with where it is to connect. Whatever else is set there stays as it is."""
    before = device.config.get("mqtt", {})
    prefix = _prefix(before.get("topic_prefix"), device.info)
    wanted = {
        "enable": True,
        "server": broker.server,
        "user": broker.username,
        "ssl_ca": _certificate(broker),
        "topic_prefix": prefix,
        "rpc_ntf": True,
        "enable_rpc": True,
    }
    config = {field: value for field, value in wanted.items() if before.get(field) != value}
    changes = [Change(field, _shown(before.get(field)), _shown(value)) for field, value in config.items()]
    if broker.password is not None:
        config["pass"] = broker.password
        changes.append(Change("pass", HIDDEN if before.get("user") else NOTHING, HIDDEN))
    ca = broker.ca if broker.tls is Tls.VERIFIED else None
    return Plan(
        changes=tuple(changes),
        config=config,
        before=dict(before),
        prefix=prefix,
        server=broker.server,
        ca=ca,
        irrecoverable=("pass" in config and bool(before.get("user")))
        or (ca is not None and before.get("ssl_ca") == UPLOADED_CA),
    )


def as_rows(plan: Plan) -> str:
    """Return the changes as the rows of a table in Markdown: setting, before, after."""
    return "\n".join(
        f"| {' | '.join(map(_cell, (change.field, change.before, change.after)))} |" for change in plan.changes
    )


async def async_provision(
    hass: HomeAssistant, client: Client, plan: Plan, *, seen_s: float = SEEN_S, restarted_s: float = RESTARTED_S
) -> None:
    """Carry out a plan over a client that reaches the device over HTTP. Raises `ProvisioningError`, all put back."""
    work = _Provisioning(hass, client, plan, seen_s, restarted_s)
    try:
        await work.write()
        await work.wait_for_arrival()
    except ShellyError as err:
        await work.put_back()
        raise ProvisioningError("provisioning_refused", error=str(err)) from err
    except ProvisioningError, asyncio.CancelledError:
        await asyncio.shield(work.put_back())
        raise


async def async_answers_over_mqtt(hass: HomeAssistant, prefix: str, mac: str, within_s: float) -> bool:
    """Tell whether the device with this MAC answers over Home Assistant's broker at a topic prefix."""
    source = f"homeassistant-{secrets.token_hex(8)}"
    answered = asyncio.Event()

    @callback
    def take(message: mqtt.ReceiveMessage) -> None:
        if _is_answer(message.payload, mac):
            answered.set()

    request = json.dumps({"id": 1, "src": source, "method": "Shelly.GetDeviceInfo"})
    try:
        unsubscribe = await mqtt.async_subscribe(hass, f"{source}/rpc", take, encoding=None)
    except HomeAssistantError:
        return False
    try:
        async with asyncio.timeout(within_s):
            while not answered.is_set():
                with suppress(HomeAssistantError):
                    await mqtt.async_publish(hass, f"{prefix}/rpc", request, qos=0, retain=False)
                with suppress(TimeoutError):
                    await asyncio.wait_for(answered.wait(), TURN_S)
    except TimeoutError:
        return False
    finally:
        unsubscribe()
    return True


class _Provisioning:
    """One plan under way, with what has to be put back if it fails."""

    def __init__(self, hass: HomeAssistant, client: Client, plan: Plan, seen_s: float, restarted_s: float) -> None:
        self._hass = hass
        self._client = client
        self._plan = plan
        self._seen_s = seen_s
        self._restarted_s = restarted_s
        self._wrote_ca = False
        self._wrote_config = False

    async def write(self) -> None:
        """Change the settings, and restart the device if it wants that."""
        if self._plan.ca is not None:
            self._wrote_ca = True
            for begin in range(0, len(self._plan.ca), CA_PIECE):
                piece = self._plan.ca[begin : begin + CA_PIECE]
                await self._client.call("Shelly.PutUserCA", {"data": piece, "append": begin > 0})
        self._wrote_config = True
        await self._set(self._plan.config)

    async def wait_for_arrival(self) -> None:
        """Return once the device answers over the broker. Raises `ProvisioningError` with what it says itself."""
        mac = self._client.device.info.mac
        if await async_answers_over_mqtt(self._hass, self._plan.prefix, mac, self._seen_s):
            return
        status = await self._client.call("Mqtt.GetStatus")
        connected = isinstance(status, dict) and status.get("connected") is True
        key = "provisioning_elsewhere" if connected else "provisioning_not_connected"
        raise ProvisioningError(f"{key}_lost" if self._plan.irrecoverable else key, server=self._plan.server)

    async def put_back(self) -> None:
        """Put everything back as it was. Raises `ProvisioningError` if that does not succeed."""
        before = self._plan.before
        try:
            if self._wrote_ca and before.get("ssl_ca") != UPLOADED_CA:
                await self._client.call("Shelly.PutUserCA", {"data": None})
            if self._wrote_config:
                config = {field: before.get(field) for field in self._plan.config if field != "pass"}
                if "pass" in self._plan.config and not before.get("user"):
                    config["pass"] = None
                await self._set(config)
            found = await self._client.call("Mqtt.GetConfig")
        except ShellyError as err:
            raise ProvisioningError("provisioning_not_put_back", error=str(err)) from err
        if found != before:
            raise ProvisioningError("provisioning_not_put_back", error=f"{found}")
        LOGGER.info("The MQTT settings of %s are as they were before", self._client.device.info.id)

    async def _set(self, config: Mapping[str, Any]) -> None:
        """Set the device, restart it if it says that this is needed, and wait until it answers again."""
        uptime_s = await self._uptime_s()
        told = await self._client.call("Mqtt.SetConfig", {"config": config})
        if isinstance(told, dict) and told.get("restart_required") is False:
            return
        await self._client.call("Shelly.Reboot", {"delay_ms": RESTART_DELAY_MS})
        try:
            async with asyncio.timeout(self._restarted_s):
                while True:
                    await asyncio.sleep(TURN_S)
                    with suppress(ShellyError):
                        if await self._uptime_s() < uptime_s:
                            return
        except TimeoutError as err:
            raise ProvisioningError("provisioning_gone") from err

    async def _uptime_s(self) -> float:
        """Return for how long the device has been running."""
        system = await self._client.call("Sys.GetStatus")
        uptime_s = system.get("uptime") if isinstance(system, dict) else None
        return float(uptime_s) if isinstance(uptime_s, int | float) else 0.0


def _certificate(broker: Broker) -> str | None:
    match broker.tls:
        case Tls.NONE:
            return None
        case Tls.UNVERIFIED:
            return ANY_CERTIFICATE
        case Tls.VERIFIED:
            return BUILT_IN_CAS if broker.ca is None else UPLOADED_CA


def _prefix(known: Any, info: DeviceInfo) -> str:
    """Return the prefix that the device has, if MQTT allows it; else the one that it was made with."""
    valid = isinstance(known, str) and 0 < len(known) <= LONGEST_PREFIX and NOT_IN_PREFIX.isdisjoint(known)
    return known if valid and not known.startswith("$") else info.id


def _is_answer(payload: Any, mac: str) -> bool:
    try:
        frame = json.loads(payload)
        return DeviceInfo.parse(frame.get("result")).mac == mac
    except ValueError, AttributeError, ShellyError:
        return False


def _shown(value: Any) -> str:
    return NOTHING if value is None else "on" if value is True else "off" if value is False else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
