"""What Supervisor and Home Assistant answer, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_ADMINISTRATORS = "system-admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine: `GET /info`."""

    time_zone: str
    hostname: str

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Read it from the answer."""
        return cls(time_zone=_text(data, "timezone", "UTC"), hostname=_text(data, "hostname", "homeassistant"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """This app: `GET /addons/self/info`."""

    slug: str
    hostname: str
    """Its name in Supervisor's network."""
    ingress_entry: str

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Read it from the answer."""
        return cls(
            slug=str(data["slug"]), hostname=str(data["hostname"]), ingress_entry=_text(data, "ingress_entry", "")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The broker that an app has registered: `GET /services/mqtt`."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    ssl: bool
    owner: str
    """The app that has registered it, such as `core_mosquitto`."""

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Read it from the answer."""
        return cls(
            host=str(data["host"]),
            port=int(data["port"]),
            username=data.get("username"),
            password=data.get("password"),
            ssl=bool(data.get("ssl")),
            owner=str(data["addon"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of Home Assistant: `config/auth/list`."""

    id: str
    administrator: bool

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Read it from the answer."""
        administrator = bool(data["is_owner"]) or _ADMINISTRATORS in data["group_ids"]
        return cls(id=str(data["id"]), administrator=administrator)


def urls(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses under which Home Assistant says it is to be found: `GET /core/api/config`."""
    return tuple(url for key in ("internal_url", "external_url") if isinstance(url := data.get(key), str) and url)


def addresses(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the IPv4 addresses of the machine that are in use: `network`."""
    return tuple(
        str(address["address"]) for adapter in data["adapters"] if adapter["enabled"] for address in adapter["ipv4"]
    )


def _text(data: Mapping[str, Any], key: str, otherwise: str) -> str:
    text = data.get(key)
    return text if isinstance(text, str) and text else otherwise
