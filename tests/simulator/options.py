"""What to simulate: the command line, and one YAML file with the same keys and more; see README.md."""

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import voluptuous as vol
import yaml

from tests.simulator.models import MODELS, Firmware, Model, Network, firmware

PASSWORD_VARIABLE = "SHELLY_SIM_MQTT_PASSWORD"


class OptionError(ValueError):
    """An option is wrong; the text names it and says what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOptions:
    """One line of the fleet: `count` equal devices; `house` None: each in a house of its own."""

    model: Model
    firmware: Firmware
    count: int = 1
    seed: int | None = None
    password: str | None = field(default=None, repr=False)
    name: str | None = None
    cadence: float | None = None
    house: str | None = None
    unwired: frozenset[str] = frozenset()
    neutral_ct: bool = False
    network: Network = "wifi"
    mqtt: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A whole run."""

    devices: tuple[DeviceOptions, ...]
    mqtt: dict[str, Any] = field(default_factory=dict, repr=False)
    mqtt_reconnect_s: float | None = None
    user_ca: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    http_port: int = 0
    control_port: int = 0
    seed: int = 1
    speed: float = 1.0
    cadence: float | None = None
    keep_told: bool = False


_PORT = vol.All(int, vol.Range(min=0, max=65535))
_POSITIVE = vol.All(vol.Coerce(float), vol.Range(min=0, min_included=False))
_COUNT = vol.All(int, vol.Range(min=1, max=1000))
_TEXT = vol.All(str, vol.Length(min=1))

_MQTT = {
    vol.Optional("enable"): bool,
    vol.Optional("server"): vol.Match(r"^\S+:\d{1,5}$", "write HOST:PORT, such as 127.0.0.1:1883"),
    vol.Optional("user"): _TEXT,
    vol.Exclusive("password", "password"): str,
    vol.Exclusive("password_file", "password"): _TEXT,
    vol.Optional("client_id"): _TEXT,
    vol.Optional("topic_prefix"): _TEXT,
    vol.Optional("ssl_ca"): vol.In([None, "*", "ca.pem", "user_ca.pem"]),
    **{vol.Optional(key): bool for key in ("rpc_ntf", "status_ntf", "enable_rpc", "enable_control")},
}
_DEVICE = {
    vol.Required("model"): vol.In(sorted(MODELS)),
    vol.Optional("firmware"): vol.Any(str, msg='write it in quotes, with three numbers, as "2.0.1"'),
    vol.Optional("count"): _COUNT,
    vol.Optional("seed"): int,
    vol.Optional("password"): _TEXT,
    vol.Optional("name"): _TEXT,
    vol.Optional("cadence"): _POSITIVE,
    vol.Optional("house"): _TEXT,
    vol.Optional("unwired"): vol.Match("^[abc]{1,3}$", "write some of the letters abc"),
    vol.Optional("neutral_ct"): bool,
    vol.Optional("network"): vol.In(["wifi", "eth"]),
    vol.Optional("mqtt"): _MQTT,
}
FILE_SCHEMA = vol.Schema(
    {
        vol.Optional("devices"): [_DEVICE],
        vol.Optional("mqtt"): _MQTT,
        vol.Optional("mqtt_reconnect"): _POSITIVE,
        vol.Optional("user_ca_file"): _TEXT,
        vol.Optional("host"): _TEXT,
        vol.Optional("http_port"): _PORT,
        vol.Optional("control_port"): _PORT,
        vol.Optional("seed"): int,
        vol.Optional("speed"): _POSITIVE,
        vol.Optional("cadence"): _POSITIVE,
        vol.Optional("keep_told"): bool,
    }
)
DEFAULT_DEVICES = ({"model": "pro3", "house": "house"}, {"model": "pro3em", "house": "house"})
METER_KEYS = frozenset({"unwired", "neutral_ct"})
# 2.0 must be asked for, because it is strict about digest nonces.
DEFAULT_FIRMWARE = "1.7.5"


def parse(argv: list[str] | None = None) -> Options:
    """Read the command line and the file it names; the command line wins. OptionError when something is wrong."""
    given = _parser().parse_args(argv)
    settings: dict[str, Any] = _read_file(given.config) if given.config else {}
    for key in (
        "host", "http_port", "control_port", "seed", "speed", "cadence", "keep_told", "mqtt_reconnect", "user_ca_file",
    ):  # fmt: skip
        if (value := getattr(given, key)) is not None:
            settings[key] = value
    settings["devices"] = settings.get("devices", []) + [_spec(text) for text in given.device]
    broker: dict[str, Any] = {"server": given.mqtt, "user": given.mqtt_user, "password_file": given.mqtt_password_file}
    settings["mqtt"] = settings.get("mqtt", {}) | {key: value for key, value in broker.items() if value is not None}
    return _options(_checked(settings, "command line"))


def from_mapping(settings: dict[str, Any]) -> Options:
    """Read the form of the YAML file from memory."""
    return _options(_checked(settings, "options"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description="Virtual Shelly Pro 3 and Pro 3EM.")
    parser.add_argument("--config", type=Path, metavar="FLEET.yaml", help="options from a file")
    parser.add_argument("--device", action="append", default=[], metavar="SPEC", help="model[@firmware][,key=value...]")
    parser.add_argument("--mqtt", metavar="HOST:PORT", help="broker the devices are configured for")
    parser.add_argument("--mqtt-user", metavar="USER")
    parser.add_argument(
        "--mqtt-password-file", metavar="FILE", help=f"holds the password; so may the variable {PASSWORD_VARIABLE}"
    )
    parser.add_argument("--mqtt-reconnect", type=float, metavar="SECONDS", help="longest pause between two attempts")
    parser.add_argument("--user-ca-file", metavar="FILE", help="PEM put on every device as user_ca.pem")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--http-port", type=int, help="port of the first device, counting up; 0: free ones (0)")
    parser.add_argument("--control-port", type=int, help="port of the control API; 0: a free one (0)")
    parser.add_argument("--seed", type=int, help="same seed, same devices and loads (1)")
    parser.add_argument("--speed", type=float, help="how fast the devices' clock runs (1)")
    parser.add_argument("--cadence", type=float, metavar="SECONDS", help="report interval of every meter")
    parser.add_argument(
        "--keep-told", action="store_true", default=None, help="keep the content of what was told for GET …/told"
    )
    return parser


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise OptionError(f"--config: {path} cannot be read ({error.strerror}): give a YAML file") from error
    except yaml.YAMLError as error:
        raise OptionError(f"--config: {path} is no YAML: {error}") from error
    return _checked(content if content is not None else {}, str(path))


def _checked(settings: Any, where: str) -> dict[str, Any]:
    try:
        checked: dict[str, Any] = FILE_SCHEMA(settings)
    except vol.Invalid as error:
        key = ".".join(map(str, error.path)) or "top level"
        raise OptionError(
            f"{where}: {key}: {error.msg}; tests/simulator/README.md lists every key and its values"
        ) from error
    return checked


def _spec(text: str) -> dict[str, Any]:
    """Read `model[@firmware][,key=value...]`."""
    head, *pairs = text.split(",")
    model, _, version = head.partition("@")
    settings: dict[str, Any] = {"model": model} | ({"firmware": version} if version else {})
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise OptionError(f"--device {text}: {pair!r} lacks a value: write key=value")
        settings[key] = value if key in {"password", "name", "firmware", "house"} else _scalar(value)
    return settings


def _scalar(value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _options(settings: dict[str, Any]) -> Options:
    mqtt = _mqtt(settings.pop("mqtt", {}))
    if "server" in mqtt and "pass" not in mqtt and (password := os.environ.get(PASSWORD_VARIABLE)):
        mqtt["pass"] = password
    ca_file = settings.pop("user_ca_file", None)
    lines = settings.pop("devices", None) or DEFAULT_DEVICES
    return Options(
        devices=tuple(_device(line) for line in lines),
        mqtt=mqtt,
        mqtt_reconnect_s=settings.pop("mqtt_reconnect", None),
        user_ca=None if ca_file is None else _content("user_ca_file", ca_file),
        **settings,
    )


def _device(line: dict[str, Any]) -> DeviceOptions:
    version = line.get("firmware")
    try:
        release = firmware(DEFAULT_FIRMWARE if version is None else version)
    except ValueError as error:
        raise OptionError(f"devices: firmware: {error}") from error
    if MODELS[line["model"]].profile is None and (misplaced := METER_KEYS & line.keys()):
        raise OptionError(f"devices: {', '.join(sorted(misplaced))}: a {line['model']} measures nothing, leave it out")
    rest = {key: value for key, value in line.items() if key not in {"model", "firmware", "mqtt", "unwired"}}
    return DeviceOptions(
        model=MODELS[line["model"]],
        firmware=release,
        unwired=frozenset(line.get("unwired", "")),
        mqtt=_mqtt(line.get("mqtt", {})),
        **rest,
    )


def _mqtt(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the keys as `Mqtt.SetConfig` takes them."""
    config = {key: value for key, value in settings.items() if key not in {"password", "password_file"}}
    if "password" in settings:
        config["pass"] = settings["password"]
    elif "password_file" in settings:
        config["pass"] = _content("mqtt.password_file", settings["password_file"]).rstrip("\r\n")
    return config


def _content(key: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        raise OptionError(f"{key}: {path} cannot be read ({error.strerror}): give a file that exists") from error
