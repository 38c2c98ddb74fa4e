"""The MQTT client inside a device: 3.1.1, clean session, keepalive 60 s, will `<prefix>/online` = false, retained.

A capture of a CONNECT packet shows these (iobroker-community-adapters/ioBroker.shelly#970).
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Self

import aiomqtt

KEEPALIVE_S = 60
CONNECT_TIMEOUT_S = 10.0
PORT = 1883
TLS_PORT = 8883
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The device's `mqtt` configuration as it was when it booted."""

    host: str
    port: int
    client_id: str
    user: str | None
    password: str | None
    ssl_ca: str | None
    prefix: str
    rpc_ntf: bool
    status_ntf: bool
    enable_rpc: bool
    enable_control: bool

    @classmethod
    def of(cls, config: dict[str, Any], device_id: str) -> Self | None:
        """Read the configuration with its hidden `pass`; None when MQTT is off or has no server."""
        if not config["enable"] or not config["server"]:
            return None
        host, _, port = str(config["server"]).rpartition(":")
        if not port.isdecimal():
            host, port = str(config["server"]), ""
        ssl_ca = config.get("ssl_ca")
        return cls(
            host=host.strip("[]"),
            port=int(port) if port else TLS_PORT if ssl_ca else PORT,
            client_id=config.get("client_id") or device_id,
            user=config.get("user"),
            password=config.get("pass"),
            ssl_ca=ssl_ca,
            prefix=config.get("topic_prefix") or device_id,
            rpc_ntf=bool(config["rpc_ntf"]),
            status_ntf=bool(config["status_ntf"]),
            enable_rpc=bool(config.get("enable_rpc", True)),
            enable_control=bool(config.get("enable_control", True)),
        )


def tls_context(ssl_ca: str | None, user_ca: str | None) -> ssl.SSLContext | None:
    """Return None for plain TCP, else a context: `*` checks nothing, `user_ca.pem` checks against the CA on the device.

    Names are not compared: devices are pointed at addresses as often as at names.
    """
    if ssl_ca is None:
        return None
    context = ssl.create_default_context(cadata=user_ca if ssl_ca == "user_ca.pem" and user_ca else None)
    context.check_hostname = False
    if ssl_ca == "*":
        context.verify_mode = ssl.CERT_NONE
    return context


class DeviceClient(aiomqtt.Client):
    """A connection that can end as a device's does: broken off, or dead without a word."""

    def __init__(self, settings: Settings, user_ca: str | None) -> None:
        super().__init__(
            settings.host,
            settings.port,
            username=settings.user,
            password=settings.password,
            identifier=settings.client_id,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=True,
            keepalive=KEEPALIVE_S,
            timeout=CONNECT_TIMEOUT_S,
            will=aiomqtt.Will(f"{settings.prefix}/online", "false", qos=0, retain=True),
            tls_context=tls_context(settings.ssl_ca, user_ca),
            # A device's small TCP stack sends at once. Else a message right after an acknowledgement would wait 40 ms.
            socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
            logger=_LOGGER,
        )

    def abort(self) -> None:
        """Break the connection off without DISCONNECT: the broker publishes the will."""
        if isinstance(raw := self._client.socket(), socket.socket):
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)

    async def drop(self) -> None:
        """As `abort`, and wait until it is done."""
        if self._client.socket() is not None:
            self.abort()
            await asyncio.wait([self._disconnected], timeout=1.0)
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()

    def abandon(self) -> None:
        """Stop without closing, as a device without power: the broker notices after 1.5 keepalives or a takeover."""
        if self._misc_task is not None:
            self._misc_task.cancel()
        if (raw := self._client.socket()) is not None:
            self._loop.remove_reader(raw.fileno())
            self._loop.remove_writer(raw.fileno())

    def bury(self) -> None:
        """Close what `abandon` left open."""
        if (raw := self._client.socket()) is not None:
            raw.close()
