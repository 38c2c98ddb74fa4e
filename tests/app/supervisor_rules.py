"""What Supervisor and the app linter take of an app's files, restated from `reference/app.md` §1 and §2.1."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import voluptuous as vol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NEVER: Any = object()
"""In place of a default: there is none."""
SWITCHES_OFF = [
    "auth_api",
    "ingress",
    "ingress_stream",
    "homeassistant_api",
    "hassio_api",
    "host_network",
    "host_pid",
    "host_ipc",
    "host_uts",
    "host_dbus",
    "udev",
    "tmpfs",
    "full_access",
    "audio",
    "video",
    "gpio",
    "usb",
    "uart",
    "devicetree",
    "kernel_modules",
    "realtime",
    "stdin",
    "legacy",
    "docker_api",
    "journald",
]
"""Keys that are true or false, and false when they are not there."""
_OPTION = re.compile(
    r"(bool|email|url|port|(str|password)(\(\d*,\d*\))?|int(\(-?\d*,-?\d*\))?|float(\([-\d.]*,[-\d.]*\))?"
    r"|device(\(subsystem=[a-z]+\))?|match\(.*\)|list\(.+\))\??"
)
_VERSION = vol.All(str, vol.Match(r"^[0-9]+(\.[0-9]+)*[0-9A-Za-z.-]*$"))
_PORTS = {vol.Match(r"^[0-9]+/(tcp|udp)$"): vol.Maybe(vol.All(int, vol.Range(min=1, max=65535)))}
_RISKY = {"DAC_READ_SEARCH", "NET_ADMIN", "NET_RAW", "PERFMON", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO"}


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key of `config.yaml`: what it may be, and what it is when it is not there."""

    takes: Any
    default: Any = NEVER
    required: bool = False


def _option(raw: Any) -> Any:
    """A type of an option: a word, a list of one type, or a section of types."""
    if isinstance(raw, list):
        if len(raw) != 1 or isinstance(raw[0], list):
            raise vol.Invalid("a list has the type of its entries, once")
        return [_option(raw[0])]
    if isinstance(raw, dict):
        return {vol.Schema(str)(name): _option(kind) for name, kind in raw.items()}
    if not isinstance(raw, str) or not _OPTION.fullmatch(raw):
        raise vol.Invalid(f"{raw!r} is no type of an option")
    return raw


KEYS: Mapping[str, Key] = {
    "name": Key(takes=str, required=True),
    "version": Key(takes=_VERSION, required=True),
    "slug": Key(takes=vol.Match(r"^[-_.A-Za-z0-9]+$"), required=True),
    "description": Key(takes=str, required=True),
    "arch": Key(takes=vol.All([vol.In(["aarch64", "amd64"])], vol.Length(min=1), vol.Unique()), required=True),
    "url": Key(takes=vol.Url()),
    "image": Key(takes=vol.Match(r"^([a-z0-9.-]+(:\d+)?/)?([a-z0-9_-]+/)*[a-z0-9{}_-]+$")),
    "startup": Key(takes=vol.In(["initialize", "system", "services", "application", "once"]), default="application"),
    "boot": Key(takes=vol.In(["auto", "manual", "manual_only"]), default="auto"),
    "stage": Key(takes=vol.In(["stable", "experimental", "deprecated"]), default="stable"),
    "init": Key(takes=bool, default=True),
    "apparmor": Key(takes=bool, default=True),
    "homeassistant": Key(takes=_VERSION),
    "timeout": Key(takes=vol.All(int, vol.Range(min=10, max=300)), default=10),
    "ulimits": Key(takes={str: int}, default={}),
    "environment": Key(takes={vol.Match(r"^\w+$"): str}),
    "ingress_port": Key(takes=vol.All(int, vol.Range(min=0, max=65535)), default=8099),
    "ingress_entry": Key(takes=str),
    "panel_icon": Key(takes=vol.Match(r"^mdi:[a-z0-9-]+$"), default="mdi:puzzle"),
    "panel_title": Key(takes=str),
    "panel_admin": Key(takes=bool, default=True),
    "hassio_role": Key(takes=vol.In(["default", "homeassistant", "backup", "manager", "admin"]), default="default"),
    "services": Key(takes=[vol.Match(r"^(mqtt|mysql):(provide|want|need)$")]),
    "discovery": Key(takes=[str]),
    # Of the newer types one is unknown to older Supervisors, so they are left out here.
    "map": Key(
        takes=[
            vol.Match(
                r"^(data|config|ssl|share|media|backup|homeassistant_config|(all_)?addon_configs?|addons)(:r[ow])?$"
            )
        ]
    ),
    "privileged": Key(takes=[str]),
    "backup": Key(takes=vol.In(["hot", "cold"]), default="hot"),
    "backup_pre": Key(takes=str),
    "backup_post": Key(takes=str),
    "backup_exclude": Key(takes=[str]),
    "breaking_versions": Key(takes=[_VERSION]),
    "devices": Key(takes=[str]),
    "ports": Key(takes=_PORTS),
    "options": Key(takes=dict, default={}),
    "schema": Key(takes=vol.All(dict, _option), default={}),
    **{name: Key(takes=bool, default=False) for name in SWITCHES_OFF},
}
"""All keys that make sense; `watchdog`, `webui`, `advanced` and others are refused or ignored."""

CONFIGURATION = vol.Schema(
    {(vol.Required if key.required else vol.Optional)(name): key.takes for name, key in KEYS.items()}
)
_TEXT = vol.All(str, vol.Length(min=1))
_TEXTS = vol.Schema(
    {vol.Required("name"): _TEXT, vol.Optional("description"): _TEXT, vol.Optional("fields"): {str: vol.Self}}
)
TRANSLATION = vol.Schema({"configuration": {str: _TEXTS}, "network": {vol.Match(r"^\d+/(tcp|udp)$"): _TEXT}})
REPOSITORY = vol.Schema({vol.Required("name"): str, vol.Optional("url"): vol.Url(), vol.Optional("maintainer"): str})


def useless(configuration: Mapping[str, Any]) -> Iterator[str]:
    """Keys that say what is so anyway: the linter refuses them."""
    for name, key in KEYS.items():
        if name in configuration and configuration[name] == key.default:
            yield name


def rating(configuration: Mapping[str, Any], *, profile: bool) -> int:
    """Supervisor's security rating, 1 to 8; `profile` tells whether there is an `apparmor.txt`."""
    has: Callable[[str], bool] = lambda name: bool(configuration.get(name, KEYS[name].default is True))  # noqa: E731
    privileged = set(configuration.get("privileged", ()))
    stars = 5
    stars += (1 if profile else 0) if has("apparmor") else -1
    stars += 2 if has("ingress") else 1 if has("auth_api") else 0
    stars -= bool(privileged & _RISKY) or has("kernel_modules")
    stars -= {"manager": 1, "admin": 2}.get(str(configuration.get("hassio_role")), 0)
    stars -= has("host_network")
    stars -= 2 * has("host_pid")
    stars -= has("host_uts") and "SYS_ADMIN" in privileged
    if has("docker_api") or has("full_access"):
        return 1
    return max(1, min(8, stars))


def taken(types: Any, given: Any, path: str = "") -> Iterator[str]:
    """What Supervisor would say of options: each place where they are not as their types say."""
    if isinstance(types, dict):
        if not isinstance(given, dict):
            yield f"{path}: is no section"
            return
        yield from (f"{path}.{name}: is unknown" for name in given.keys() - types.keys())
        for name, kind in types.items():
            if name in given:
                yield from taken(kind, given[name], f"{path}.{name}")
            elif not (inner := kind[0] if isinstance(kind, list) else kind) or not str(inner).endswith("?"):
                yield f"{path}.{name}: is missing"
    elif isinstance(types, list):
        if not isinstance(given, list):
            yield f"{path}: is no list"
            return
        for index, item in enumerate(given):
            yield from taken(types[0], item, f"{path}.{index}")
    elif not _fits(types.removesuffix("?"), given):
        yield f"{path}: {given!r} is no {types}"


def bounds(kind: str) -> tuple[float, float] | None:
    """The smallest and the largest number that a type of option takes."""
    found = re.fullmatch(r"(?:int|float)\(([-\d.]+),([-\d.]+)\)\??", kind)
    return None if found is None else (float(found[1]), float(found[2]))


def _fits(kind: str, value: Any) -> bool:
    name, _, argument = kind.removesuffix(")").partition("(")
    match name:
        case "bool":
            return isinstance(value, bool)
        case "port":
            return isinstance(value, int) and 0 < value <= 65535
        case "int" | "float":
            low, high = bounds(kind) or (-float("inf"), float("inf"))
            return isinstance(value, int if name == "int" else int | float) and low <= value <= high
        case "list":
            return value in argument.split("|")
        case "match":
            return isinstance(value, str) and re.match(argument, value) is not None
        case "url":
            return isinstance(value, str) and re.match(r"https?://.", value) is not None
    return isinstance(value, str) and name in {"str", "password"}
