"""Sets up MQTT on a device, and puts everything back if the device does not arrive at Home Assistant's broker.

Settings: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_translations

from .broker import PLAIN_PORT, TLS_PORT, Broker, Tls
from .const import DOMAIN, LOGGER
from .shelly_core import AuthError, Client, Device, DeviceInfo, Json, LinkError, RpcError, ShellyError

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
SHUTTING_DOWN: Final = -109
"""The code with which a device refuses everything just before it restarts."""
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
    old certificate: when they are replaced, `irrecoverable` says that they cannot be put back. `ca_replaced` says that
    something on the device uses the old certificate.
    """

    changes: tuple[Change, ...]
    config: Mapping[str, Any] = field(repr=False)
    before: Mapping[str, Any]
    prefix: str
    server: str
    ca: str | None
    ca_replaced: bool
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


async def async_text_of(hass: HomeAssistant, error: ProvisioningError) -> str:
    """Return the text of an error, which `str` does not find while no device has been set up yet."""
    texts = await async_get_translations(hass, hass.config.language, "exceptions", [DOMAIN])
    text = texts[f"component.{DOMAIN}.exceptions.{error.translation_key}.message"]
    return text.format(**(error.translation_placeholders or {}))


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
    # A firmware that does not know one of the two last behaves as if it were on.
    known = {"rpc_ntf": True, "enable_rpc": True, **before, "server": _whole_server(before)}
    config = {name: value for name, value in wanted.items() if known.get(name) != value}
    changes = [Change(name, _shown(before.get(name)), _shown(value)) for name, value in config.items()]
    if broker.password is not None or ("user" in config and before.get("user")):
        config["pass"] = broker.password
        had, has = (HIDDEN if login else NOTHING for login in (before.get("user"), broker.password))
        changes.append(Change("pass", had, has))
    ca = broker.ca if broker.tls is Tls.VERIFIED and changes else None
    used = {device.config.get(name, {}).get("ssl_ca") for name in ("mqtt", "ws")}
    ca_replaced = ca is not None and UPLOADED_CA in used
    return Plan(
        changes=tuple(changes),
        config=config,
        before=dict(before),
        prefix=prefix,
        server=broker.server,
        ca=ca,
        ca_replaced=ca_replaced,
        irrecoverable=("pass" in config and bool(before.get("user"))) or ca_replaced,
    )


def as_rows(plan: Plan) -> str:
    """Return the changes as the rows of a table in Markdown: setting, before, after."""
    return "\n".join(
        f"| {' | '.join(map(_cell, (change.field, change.before, change.after)))} |" for change in plan.changes
    )


async def async_provision(
    hass: HomeAssistant, client: Client, plan: Plan, *, seen_s: float = SEEN_S, restarted_s: float = RESTARTED_S
) -> None:
    """Carry out a plan over a client that reaches the device over HTTP. Raises `ProvisioningError`, all put back.

    All is put back, too, when this is cancelled, which therefore may take as long as a restart.
    """
    work = _Provisioning(hass, client, plan, seen_s, restarted_s)
    await work.check()
    try:
        await work.write()
        await work.wait_for_arrival()
    except RpcError as err:
        raise await work.put_back(ProvisioningError("provisioning_refused", error=str(err))) from err
    except ShellyError as err:
        raise await work.put_back(ProvisioningError("provisioning_interrupted", error=str(err))) from err
    except ProvisioningError as err:
        raise await work.put_back(err) from err
    except asyncio.CancelledError:
        await work.put_back(None)
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
        self._restarted = False

    async def check(self) -> None:
        """Find what would make it fail, before anything is changed. Raises `ProvisioningError`."""
        if not (self._hass.config_entries.async_loaded_entries(mqtt.DOMAIN) and mqtt.is_connected(self._hass)):
            raise ProvisioningError("provisioning_no_broker")
        try:
            found = await self._client.call("Mqtt.GetConfig")
        except ShellyError as err:
            raise ProvisioningError("provisioning_interrupted", error=str(err)) from err
        if found != self._plan.before:
            raise ProvisioningError("provisioning_changed")

    async def write(self) -> None:
        """Change the settings, and restart the device if it wants that."""
        if self._plan.ca is not None:
            await self._write_ca(self._plan.ca)
        # Without an answer, the settings tell whether they were taken, but for the password.
        self._wrote_config = self._plan.config.keys() == {"pass"}
        try:
            told = await self._client.call("Mqtt.SetConfig", {"config": self._plan.config})
        except RpcError:
            self._wrote_config = False
            raise
        self._wrote_config = True
        if isinstance(told, dict) and told.get("restart_required") is False:
            return
        try:
            await self._restart()
        except LinkError as err:
            raise ProvisioningError("provisioning_gone") from err

    async def wait_for_arrival(self) -> None:
        """Return once the device answers over the broker. Raises `ProvisioningError` with what it says itself."""
        mac = self._client.device.info.mac
        if await async_answers_over_mqtt(self._hass, self._plan.prefix, mac, self._seen_s):
            return
        status = await self._client.call("Mqtt.GetStatus")
        connected = isinstance(status, dict) and status.get("connected") is True
        key = "provisioning_elsewhere" if connected else "provisioning_not_connected"
        raise ProvisioningError(key, server=self._plan.server)

    async def put_back(self, error: ProvisioningError | None) -> ProvisioningError:
        """Put everything back to the end, whoever cancels this, and return what to tell; `None`: it was cancelled."""
        name = self._client.device.info.id
        work = self._hass.async_create_background_task(self._restore(), f"put back the MQTT settings of {name}")
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait({work})
            except asyncio.CancelledError as err:
                cancelled = err
        try:
            work.result()
        except ShellyError as err:
            told = ProvisioningError("provisioning_not_put_back", error=str(err))
        else:
            told = self._with_losses(error)
        if cancelled is not None or error is None:
            # Nobody is there any more to be told.
            LOGGER.warning("%s: %s", name, await async_text_of(self._hass, told))
        if cancelled is not None:
            raise cancelled
        return told

    def _with_losses(self, error: ProvisioningError | None) -> ProvisioningError:
        """Say what cannot be put back, if there is such a thing."""
        told = ProvisioningError("provisioning_interrupted", error="it was cancelled") if error is None else error
        plan = self._plan
        lost_password = self._wrote_config and "pass" in plan.config and bool(plan.before.get("user"))
        if not (lost_password or (self._wrote_ca and plan.ca_replaced)):
            return told
        placeholders = told.translation_placeholders or {}
        if told.translation_key in {"provisioning_elsewhere", "provisioning_not_connected"}:
            return ProvisioningError(f"{told.translation_key}_lost", **placeholders)
        reason = placeholders.get("error", "it did not come back after its restart")
        return ProvisioningError("provisioning_interrupted_lost", error=reason)

    async def _restore(self) -> None:
        """Put everything back, as soon as the device can be reached. Raises `ShellyError`."""
        plan = self._plan
        if await self._insist("Mqtt.GetConfig") != plan.before or self._wrote_config:
            self._wrote_config = True
            # Its old password is lost, and ours is not for the broker that it goes back to.
            config = {name: plan.before.get(name) for name in plan.config}
            await self._insist("Mqtt.SetConfig", {"config": config})
        if self._wrote_ca and not plan.ca_replaced:
            await self._insist("Shelly.PutUserCA", {"data": None})
        if self._restarted:
            await self._restart()
        if await self._insist("Mqtt.GetConfig") != plan.before:
            raise LinkError("it shows other settings than before")
        LOGGER.info("The MQTT settings of %s are as they were before", self._client.device.info.id)

    async def _write_ca(self, ca: str) -> None:
        self._wrote_ca = True
        told: Json = None
        for begin in range(0, len(ca), CA_PIECE):
            piece = {"data": ca[begin : begin + CA_PIECE], "append": begin > 0}
            told = await self._client.call("Shelly.PutUserCA", piece)
        size = told.get("len") if isinstance(told, dict) else None
        if size is not None and size != len(ca):
            raise ProvisioningError(
                "provisioning_refused", error=f"it has kept {size} of {len(ca)} bytes of the certificate"
            )

    async def _restart(self) -> None:
        """Restart the device, and wait until it answers again. Raises `ShellyError`."""
        loop = asyncio.get_running_loop()
        begun = loop.time()

        def has_restarted(system: Json) -> bool:
            uptime_s = system.get("uptime") if isinstance(system, dict) else None
            return not isinstance(uptime_s, int | float) or uptime_s <= loop.time() - begun

        self._restarted = True
        await self._insist("Shelly.Reboot", {"delay_ms": RESTART_DELAY_MS})
        await self._insist("Sys.GetStatus", until=has_restarted)

    async def _insist(
        self, method: str, params: Mapping[str, Any] | None = None, until: Callable[[Json], bool] = lambda _: True
    ) -> Json:
        """Ask until the device answers, and as it should; raises the last `ShellyError` if it does not come back."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._restarted_s
        while True:
            error: ShellyError = LinkError("it does not restart")
            try:
                answer = await self._client.call(method, params)
                if until(answer):
                    return answer
            except AuthError:
                raise
            except ShellyError as err:
                if isinstance(err, RpcError) and err.code != SHUTTING_DOWN:
                    raise
                error = err
            if loop.time() >= deadline:
                raise error
            await asyncio.sleep(TURN_S)


def _certificate(broker: Broker) -> str | None:
    match broker.tls:
        case Tls.NONE:
            return None
        case Tls.UNVERIFIED:
            return ANY_CERTIFICATE
        case Tls.VERIFIED:
            return BUILT_IN_CAS if broker.ca is None else UPLOADED_CA


def _whole_server(before: Mapping[str, Any]) -> Any:
    """Return the address that a device has, with the port that it takes if none is given."""
    server = before.get("server")
    if not isinstance(server, str) or not server or server.rpartition(":")[2].isdecimal():
        return server
    return f"{server}:{PLAIN_PORT if before.get('ssl_ca') is None else TLS_PORT}"


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
