"""The configuration a device ships with, in the key order of its Shelly.GetConfig, and how SetConfig changes it."""

from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import available_timezones

from tests.simulator.house import PHASES
from tests.simulator.models import Firmware, Model, Profile, firmware_id
from tests.simulator.rpc import invalid
from tests.simulator.wire import Fixed, Json

type Config = dict[str, Any]

# Keys whose change waits for a restart; True: every key of the component but `name`.
RESTARTS: dict[str, bool | frozenset[str]] = {
    "em": True,
    "em1": True,
    "mqtt": True,
    "ws": True,
    "ble": frozenset({"enable"}),
    "modbus": frozenset({"enable"}),
    "sys": frozenset({"eco_mode"}),
}
MAX_PREFIX = 300
MAX_DELAY_S = 86_400
MAX_NUMBER = 1e9
NULLABLE = frozenset(
    {
        "name",
        "server",
        "user",
        "client_id",
        "topic_prefix",
        "ssid",
        "ip",
        "netmask",
        "gw",
        "nameserver",
        "tz",
        "lat",
        "lon",
        "location",
    }
)
NULL_NUMBERS = frozenset({"file_level", "listen_port"})
CHOICES: dict[str, tuple[str | None, ...]] = {
    "in_mode": ("momentary", "follow", "flip", "detached", "activate"),
    "initial_state": ("off", "on", "restore_last", "match_input"),
    "type": ("switch", "button"),
    "ssl_ca": (None, "*", "ca.pem", "user_ca.pem"),
    "ct_type": ("120A", "400A"),
    "blink_mode_selector": ("active_energy", "apparent_energy"),
    "phase_selector": ("a", "b", "c", "all"),
}
READ_ONLY = frozenset({"id", "mac", "fw_id", "cfg_rev", "profile"})


def component_type(key: str) -> str:
    """`em` of `em:0`."""
    return key.partition(":")[0]


def factory_config(model: Model, firmware: Firmware, profile: Profile | None, device_id: str, mac: str) -> Config:
    """Every component's configuration as shipped."""
    parts: dict[str, Config] = {"ble": _ble(firmware)}
    if firmware.has_ct_type:
        parts["bthome"] = {}
    parts["cloud"] = {"enable": False, "server": "iot.shelly.cloud:6012/jrpc"}
    parts |= _meters(model, firmware, profile)
    parts["eth"] = _eth(firmware)
    parts |= {f"input:{n}": _input(n) for n in range(model.relays)}
    if model.relays and firmware.has_ct_type:
        parts["knx"] = {"enable": False, "ia": "15.15.255", "routing": {"addr": "224.0.23.12:3671"}}
    if profile:
        parts["modbus"] = {"enable": True}
    parts["mqtt"] = _mqtt(device_id)
    parts |= {f"switch:{n}": _switch(n, firmware) for n in range(model.relays)}
    parts["sys"] = _sys(model, firmware, profile, mac)
    if profile:
        parts["temperature:0"] = {
            "id": 0, "name": None, "report_thr_C": Fixed(5, 1), "offset_C": Fixed(0, 1),
        }  # fmt: skip
    parts["wifi"] = _wifi(f"{device_id.partition('-')[0]}-{mac}")
    parts["ws"] = {"enable": False, "server": None, "ssl_ca": "ca.pem"}
    return parts


def _ble(firmware: Firmware) -> Config:
    if firmware.has_counts:
        return {"rpc": {"enable": False}}
    observer = {"observer": {"enable": False}} if firmware.has_observer else {}
    return {"enable": False, "rpc": {"enable": False}} | observer


def _meters(model: Model, firmware: Firmware, profile: Profile | None) -> dict[str, Config]:
    ct_type = {"ct_type": model.ct_type} if firmware.has_ct_type else {}
    limits: Config = {name: [None, None] for name in ("voltage", "current", "power")}
    if profile == "triphase":
        em: Config = {
            "id": 0,
            "name": None,
            "blink_mode_selector": "active_energy",
            "phase_selector": "all",
            "monitor_phase_sequence": False,
            **ct_type,
            "reverse": {},
        }
        if firmware.has_counts:
            em["alarms"] = {phase: dict(limits) for phase in PHASES}
        return {"em:0": em, "emdata:0": {}}
    if profile == "monophase":
        alarms = {"alarms": limits} if firmware.has_counts else {}
        channels = {f"em1:{n}": {"id": n, "name": None, "reverse": False, **ct_type, **alarms} for n in range(3)}
        return channels | {f"em1data:{n}": {} for n in range(3)}
    return {}


def _address(**first: Json) -> Config:
    return {**first, "ipv4mode": "dhcp", "ip": None, "netmask": None, "gw": None, "nameserver": None}


def _eth(firmware: Firmware) -> Config:
    return _address(enable=True, **({"server_mode": False} if firmware.has_sync_ts else {}))


def _input(number: int) -> Config:
    return {"id": number, "name": None, "type": "switch", "enable": True, "invert": False}


def _mqtt(device_id: str) -> Config:
    return {
        "enable": False,
        "server": None,
        "client_id": device_id,
        "user": None,
        "ssl_ca": None,
        "topic_prefix": device_id,
        "rpc_ntf": True,
        "status_ntf": False,
        "use_client_cert": False,
        "enable_rpc": True,
        "enable_control": True,
    }


def _switch(number: int, firmware: Firmware) -> Config:
    return {
        "id": number,
        "name": None,
        "in_mode": "follow",
        **({"in_locked": False} if firmware.has_ip6 else {}),
        "initial_state": "match_input",
        "auto_on": False,
        "auto_on_delay": Fixed(60, 2),
        "auto_off": False,
        "auto_off_delay": Fixed(60, 2),
    }


def _sys(model: Model, firmware: Firmware, profile: Profile | None, mac: str) -> Config:
    device: Config = {
        "name": None,
        "mac": mac,
        "fw_id": firmware_id(firmware, model),
        "discoverable": True,
        "eco_mode": False,
        **({"profile": profile, "addon_type": None} if profile else {}),
        **({"sys_btn_toggle": True} if firmware.has_ct_type else {}),
    }
    sntp = "time.cloudflare.com" if firmware.has_sync_ts else "time.google.com"
    return {
        "device": device,
        "location": {"tz": "Europe/Berlin", "lat": Fixed(52.52, 5), "lon": Fixed(13.405, 5)},
        "debug": {
            "level": 2,
            "file_level": None,
            "mqtt": {"enable": False},
            "websocket": {"enable": False},
            "udp": {"addr": None},
        },
        "ui_data": {},
        "rpc_udp": {"dst_addr": None, "listen_port": None},
        "sntp": {"server": sntp},
        "cfg_rev": 10,
    }


def _wifi(ssid: str) -> Config:
    return {
        "ap": {"ssid": ssid, "is_open": True, "enable": False, "range_extender": {"enable": False}},
        "sta": _address(ssid="Home", is_open=False, enable=True),
        "sta1": _address(ssid=None, is_open=True, enable=False),
        "roam": {"rssi_thr": -80, "interval": 60},
    }


def merge(config: Config, factory: Config, patch: Config, note: Callable[[str], None]) -> None:
    """Change what the patch names, `note(key)` for each changed leaf; unknown keys are ignored. RpcFault -103.

    What the factory put there decides the type: a value that is null at present says nothing about the next one.
    """
    for key, value in patch.items():
        if key not in factory or key in READ_ONLY:
            continue
        shipped = factory[key]
        if isinstance(shipped, dict) and shipped and isinstance(value, dict):
            if config[key] is None:
                config[key] = dict.fromkeys(shipped)
            merge(config[key], shipped, value, note)
            continue
        new = _like(key, shipped, value)
        if new != config[key]:
            config[key] = new
            note(key)


def carry_over(factory: Config, old: Config) -> Config:
    """The factory configuration of another release with the values that were set under the one before."""
    config: Config = {}
    for key, shipped in factory.items():
        kept = old.get(key, shipped)
        is_section = isinstance(shipped, dict) and shipped and isinstance(kept, dict)
        config[key] = carry_over(shipped, kept or {}) if is_section else kept
    return config


def _like(key: str, shipped: Json, value: Json) -> Json:
    """The new value in the form the device keeps; RpcFault -103 when the type cannot be right."""
    if key in CHOICES:
        if value not in CHOICES[key]:
            raise invalid(key)
        return value
    if value is None and (shipped is None or key in NULLABLE):
        return None
    if _kind(value) != _wanted(key, shipped):
        raise invalid(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Fixed(_within(key, value), shipped.decimals) if isinstance(shipped, Fixed) else _within(key, value)
    if key == "tz" and value not in available_timezones():
        raise invalid(key)
    return value


def _wanted(key: str, shipped: Json) -> str:
    if shipped is not None:
        return _kind(shipped)
    return "number" if key in NULL_NUMBERS else "text"


def _kind(value: Json) -> str:
    names = {bool: "flag", str: "text", list: "array", dict: "object", type(None): "null"}
    return names.get(type(value), "number")


def _within(key: str, value: float) -> float:
    """A finite number in its range; durations have one."""
    if not -MAX_NUMBER <= value <= MAX_NUMBER or (key.endswith("_delay") and not 0 <= value <= MAX_DELAY_S):
        raise invalid(key)
    return value


def check_mqtt(config: Config, device_id: str) -> None:
    """Fill in what null stands for; RpcFault -103 for a topic prefix the Mqtt page forbids."""
    for key in ("client_id", "topic_prefix"):
        config[key] = device_id if config[key] is None else config[key]
    prefix = config["topic_prefix"]
    if not 0 < len(prefix) <= MAX_PREFIX or prefix.startswith("$") or set(prefix) & set("#+%?"):
        raise invalid("topic_prefix")


def restart_needed(kind: str, changed: list[str]) -> bool:
    """Whether changes of a component take effect only after a restart."""
    rule = RESTARTS.get(kind, frozenset())
    if isinstance(rule, bool):
        return any(key != "name" for key in changed)
    return any(key in rule for key in changed)


def instances(config: Config, kind: str) -> Iterator[int]:
    """The ids of a component that exists several times."""
    for key in config:
        name, _, number = key.partition(":")
        if name == kind and number:
            yield int(number)
