"""Passwords and tokens that nobody has to type: made at the first start, kept in `/data/secrets`, never logged."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .files import File, write

DEVICES = "devices"
"""The folder with the passwords of the devices, a file each."""
_OPTIONAL = ("writer_token", "reader_token")
_TYPED = 12
"""Bytes of a password that somebody may have to type into a device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """All of them; the name of each is the name of its file."""

    homeassistant_password: str = field(repr=False)
    """Home Assistant's login at our broker, user `homeassistant`."""
    apps_password: str = field(repr=False)
    """The login of other apps at our broker, user `addons`."""
    exporter_password: str = field(repr=False)
    """The exporter's login at our broker, user `shelly-exporter`."""
    operator_token: str = field(repr=False)
    """May do everything in our InfluxDB; used to make the other two tokens, and by nothing else."""
    writer_token: str | None = field(default=None, repr=False)
    """The exporter's; InfluxDB makes it, so it is not there at the very first start."""
    reader_token: str | None = field(default=None, repr=False)
    """Grafana's, made by InfluxDB too."""
    grafana_secret_key: str = field(repr=False)
    grafana_admin_password: str = field(repr=False)
    alert_token: str = field(repr=False)
    """Grafana shows it to `control` with each alert."""
    devices: Mapping[str, str] = field(repr=False)
    """Password of each device's login at our broker, by its id."""


class SecretStore:
    """One file a secret, in a folder that only its owner may enter."""

    def __init__(self, folder: Path, owner: str | None = None) -> None:
        self.folder = folder
        self._owner = owner

    def load(self, devices: Iterable[str] = ()) -> Secrets:
        """Return all secrets; those that are missing are made, also for `devices`."""
        names = [name for name in Secrets.__slots__ if name not in {DEVICES, *_OPTIONAL}]
        made = {name: self._load_or_make(self.folder / name) for name in names}
        passwords = {device: self._load_or_make(self.folder / DEVICES / device, _TYPED) for device in devices}
        writer, reader = (self._load(self.folder / name) for name in _OPTIONAL)
        return Secrets(**made, writer_token=writer, reader_token=reader, devices=passwords)

    def keep(self, name: str, value: str) -> None:
        """Keep a secret that somebody else made, such as a token."""
        write({self.folder / name: File(text=value, owner=self._owner)})

    def _load_or_make(self, path: Path, length: int = 32) -> str:
        if (known := self._load(path)) is not None:
            return known
        made = secrets.token_urlsafe(length)
        write({path: File(text=made, owner=self._owner)})
        return made

    @staticmethod
    def _load(path: Path) -> str | None:
        try:
            return path.read_text().strip() or None
        except FileNotFoundError:
            return None
