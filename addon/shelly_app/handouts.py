"""Files for a person to read, in the folder of the app: logins to type into a device, our authority's certificate."""

from dataclasses import replace

import yaml

from .broker.certificates import authority_path, client_paths
from .files import File, Files
from .options import DatabaseMode
from .setup import Setup

LOGINS = "device-logins.yaml"
AUTHORITY = "broker-ca.pem"
CLIENT = ("broker-client.pem", "broker-client.key")
"""What clients show, if the broker takes nobody without."""
GRAFANA_PASSWORD = "grafana-password.txt"  # noqa: S105  # the name of a file

_HEAD = "# Logins at the broker. Made by the app at each start: what is changed here changes nothing.\n"


def files(setup: Setup, made: Files) -> Files:
    """Return what is handed out; `made` are the files that were made for the services."""
    folder = setup.layout.places.config
    handouts = {}
    if setup.broker.internal:
        handouts[folder / LOGINS] = File(text=_HEAD + yaml.safe_dump(_logins(setup), sort_keys=False))
        if (authority := made.get(authority_path(setup.layout.places))) is not None:
            handouts[folder / AUTHORITY] = replace(authority, mode=0o644)
        for name, source in zip(CLIENT, client_paths(setup.layout.places), strict=True):
            if source in made:
                handouts[folder / name] = made[source]
    if not setup.home.supervised and setup.options.boards.enabled and setup.options.database.mode != DatabaseMode.OFF:
        handouts[folder / GRAFANA_PASSWORD] = File(text=f"{setup.secrets.grafana_admin_password}\n")
    return handouts


def _logins(setup: Setup) -> dict[str, str]:
    """Return passwords by user; Home Assistant is told its own by Supervisor, if there is one."""
    ours = {} if setup.home.supervised else {"homeassistant": setup.secrets.homeassistant_password}
    return {**ours, **setup.secrets.devices}
