"""Where the app runs and whose broker is used: asked once, before anything is rendered."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from shelly_app.files import File, write
from shelly_app.options import BrokerMode, Options, TlsMode
from shelly_app.places import Layout
from shelly_app.secret_store import Secrets
from shelly_app.setup import BrokerAccess, Home

from .answers import Host, Own, Registered
from .client import Supervisor
from .errors import SupervisorError

EXPORTER = "shelly-exporter"
"""The exporter's login at our broker."""
_PORT = 1883
_TLS_PORT = 8883
_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
"""How long Supervisor may be away, as in an update of it, before the app gives up."""

_log = logging.getLogger(__name__)


async def gather(
    options: Options, environ: Mapping[str, str], session: aiohttp.ClientSession, remembered: Path | None = None
) -> tuple[Home, Registered | None]:
    """Return where the app runs, and the broker that another app has registered, if it matters.

    At boot the app starts before Home Assistant, which alone knows the addresses of the machine: those it told last
    are kept in the file `remembered`. Raises `SupervisorError` if there is a Supervisor that does not answer.
    """
    supervisor = Supervisor.of(environ, session)
    if supervisor is None:
        return _home_without_supervisor(environ), None
    host = await _patiently(supervisor.info)
    own = await _patiently(supervisor.own_info)
    registered = None if options.mqtt.mode is BrokerMode.EXTERNAL else await _patiently(supervisor.mqtt_service)
    home = Home(
        supervised=True,
        time_zone=host.time_zone,
        hostname=own.hostname,
        ingress_entry=own.ingress_entry,
        addresses=_names(host, own, await _told_addresses(supervisor, remembered)),
    )
    return home, None if registered is None or registered.owner == own.slug else registered


def choose_broker(
    options: Options, _home: Home, registered: Registered | None, secrets: Secrets, layout: Layout
) -> BrokerAccess:
    """Return the broker that the exporter uses; `registered` is that of another app."""
    mqtt = options.mqtt
    if mqtt.mode is BrokerMode.EXTERNAL:
        tls = mqtt.tls.mode is not TlsMode.OFF or mqtt.port == _TLS_PORT
        return BrokerAccess(
            internal=False,
            host="" if mqtt.host is None else mqtt.host,
            port=mqtt.port if mqtt.port is not None else _TLS_PORT if tls else _PORT,
            username=mqtt.username,
            password=mqtt.password,
            tls=tls,
        )
    if mqtt.mode is BrokerMode.AUTO and registered is not None:
        _log.warning("The broker of the app %s is used; ours stays off", registered.owner)
        return BrokerAccess(
            internal=False,
            host=registered.host,
            port=registered.port,
            username=registered.username,
            password=registered.password,
            tls=registered.ssl,
        )
    if registered is not None:
        _log.warning(
            "Our broker runs beside that of the app %s, and Home Assistant keeps using that one: "
            "stop that app, or set mqtt.mode to auto to use it",
            registered.owner,
        )
    return BrokerAccess(
        internal=True,
        host="127.0.0.1",
        port=layout.ports.mqtt,
        username=EXPORTER,
        password=secrets.exporter_password,
    )


async def _patiently[T](ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again for a while if there was no answer; what is refused is refused at once."""
    for pause in _PAUSES_S:
        try:
            return await ask()
        except SupervisorError as error:
            if error.status is not None:
                raise
            _log.warning("%s", error)
        await asyncio.sleep(pause)
    return await ask()


def _home_without_supervisor(environ: Mapping[str, str]) -> Home:
    certificate = (environ.get("APP_HTTPS_CERTFILE"), environ.get("APP_HTTPS_KEYFILE"))
    hostname = environ.get("HOSTNAME", "localhost")
    given = (name.strip() for name in environ.get("APP_ADDRESSES", "").split(","))
    return Home(
        supervised=False,
        time_zone=environ.get("TZ", "UTC"),
        hostname=hostname,
        addresses=_unique((*given, hostname, "localhost", "127.0.0.1")),
        certificate=(certificate[0], certificate[1]) if certificate[0] and certificate[1] else None,
    )


def _names(host: Host, own: Own, told: Iterable[str]) -> tuple[str, ...]:
    return _unique((host.hostname, f"{host.hostname}.local", *told, own.hostname))


async def _told_addresses(supervisor: Supervisor, remembered: Path | None) -> tuple[str, ...]:
    """Return names and addresses that Home Assistant tells, or has told when it was last asked."""
    try:
        urls = await supervisor.core_urls()
        told = _unique((*await supervisor.addresses(), *(urlsplit(url).hostname or "" for url in urls)))
    except SupervisorError as error:
        _log.info("The addresses of this machine are not known yet: %s", error)
        return _load(remembered)
    if remembered is not None and told != _load(remembered):
        write({remembered: File(text=json.dumps(told))})
    return told


def _load(remembered: Path | None) -> tuple[str, ...]:
    if remembered is None or not remembered.exists():
        return ()
    return tuple(json.loads(remembered.read_text()))


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
