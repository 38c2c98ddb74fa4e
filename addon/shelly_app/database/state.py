"""What is remembered of our InfluxDB from one start to the next, besides the secrets; it stands beside them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from shelly_app.files import File, write
from shelly_app.secret_store import SecretStore


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Lost with the secrets, and found again in InfluxDB."""

    accepted: bool = False
    """Whether InfluxDB has taken our operator token; if not, its files may be those of an earlier installation."""
    authorizations: Mapping[str, str] = field(default_factory=dict)
    """The ids of the tokens of `writer` and `reader`."""

    def with_authorization(self, name: str, identity: str) -> State:
        """Return it with the id of another token."""
        return replace(self, authorizations={**self.authorizations, name: identity})


def load(store: SecretStore) -> State:
    """Return what is remembered; nothing, when the file cannot be used."""
    try:
        return State(**json.loads(_path(store).read_text()))
    except FileNotFoundError, ValueError, TypeError:
        return State()


def keep(store: SecretStore, state: State) -> None:
    """Remember it."""
    write({_path(store): File(text=json.dumps(asdict(state)))})


def _path(store: SecretStore) -> Path:
    return store.folder.with_name("database.json")
