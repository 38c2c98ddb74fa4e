"""The configuration of Mosquitto."""

import os
from collections.abc import Iterable, Iterator

from shelly_app.files import File, Files
from shelly_app.options import LogLevel, TlsMode
from shelly_app.setup import Setup

from . import access, certificates, passwords

_LEVELS = {
    LogLevel.DEBUG: ("all",),
    LogLevel.INFO: ("error", "warning", "notice"),
    LogLevel.WARNING: ("error", "warning"),
    LogLevel.ERROR: ("error",),
}
_LIMITS = (
    "persistent_client_expiration 14d",
    # The exporter may be away for a week while a meter tells something each second, in 510 bytes.
    "max_queued_messages 700000",
    f"max_queued_bytes {320 * 1024 * 1024}",
    f"max_packet_size {2 * 1024 * 1024}",
)


def files(setup: Setup) -> Files:
    """Return all that Mosquitto reads, and certificates that are kept; nothing if the broker is another one."""
    if not setup.broker.internal:
        return {}
    logins = access.accounts(setup)
    texts = {
        "mosquitto.conf": "\n".join(_lines(setup)) + "\n",
        "passwords": passwords.text(logins),
        "acl": access.acl(logins),
    }
    folder, owner = setup.layout.places.mosquitto, setup.layout.accounts.mosquitto
    rendered = {folder / name: File(text=text, owner=owner) for name, text in texts.items()}
    return {**rendered, **certificates.files(setup)}


def command(setup: Setup) -> tuple[str, ...]:
    """Return how Mosquitto is started; it stays in the foreground, and SIGHUP lets it read users and rights again."""
    return ("mosquitto", "-c", str(setup.layout.places.mosquitto / "mosquitto.conf"))


def _lines(setup: Setup) -> Iterator[str]:
    places, layout = setup.layout.places, setup.layout
    if layout.accounts.mosquitto is None and os.geteuid() == 0:
        # Else it would become the user `mosquitto`, who may not read these files.
        yield "user root"
    yield "per_listener_settings false"
    yield "allow_anonymous false"
    yield f"password_file {places.mosquitto / 'passwords'}"
    yield f"acl_file {places.mosquitto / 'acl'}"
    yield from _asking(setup)
    yield f"listener {layout.ports.mqtt} {layout.host}"
    yield from _encrypted(setup)
    yield "persistence true"
    yield f"persistence_location {places.mosquitto_data}/"
    yield from _LIMITS
    # Two small packets in a row would else wait 40 ms for the other side's delayed acknowledgement.
    yield "set_tcp_nodelay true"
    yield "log_dest stderr"
    yield "log_timestamp_format %Y-%m-%dT%H:%M:%S"
    yield from (f"log_type {level}" for level in _LEVELS[setup.options.log_level])


def _asking(setup: Setup) -> Iterator[str]:
    """Yield how users of Home Assistant are asked for, before passwords are looked up here."""
    plugin, names = setup.layout.places.auth_plugin, tuple(_asked_for(access.accounts(setup)))
    if plugin is None or not names or not setup.home.supervised:
        return
    yield f"plugin {plugin}"
    yield f"plugin_opt_socket {setup.layout.places.control_socket}"
    yield from (f"plugin_opt_user {name}" for name in names)


def _asked_for(logins: Iterable[access.Account]) -> Iterator[str]:
    return (account.name for account in logins if account.password is None)


def _encrypted(setup: Setup) -> Iterator[str]:
    tls, folder = setup.options.mqtt.tls, setup.layout.places.mosquitto
    if tls.mode is TlsMode.OFF:
        return
    yield f"listener {setup.layout.ports.mqtts} {setup.layout.host}"
    yield f"certfile {folder / certificates.CERTIFICATE}"
    yield f"keyfile {folder / certificates.KEY}"
    if tls.require_certificate:
        yield f"cafile {folder / certificates.CLIENT_AUTHORITY}"
        yield "require_certificate true"
