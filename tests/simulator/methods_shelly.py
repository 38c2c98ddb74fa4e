"""The Shelly namespace: what concerns the device as a whole."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tests.simulator.methods_components import announce
from tests.simulator.rpc import Handler, Params, choice, invalid, required, seconds
from tests.simulator.wire import Json

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice

PAGE = 5
"""Components in one answer of GetComponents."""
REBOOT_DELAY_S = 1.0
"""How long a device goes on answering (with a refusal) before it restarts."""
PROFILES = {"triphase": [("em", 1), ("emdata", 1)], "monophase": [("em1", 3), ("em1data", 3)]}


def handlers(device: VirtualDevice) -> dict[str, Handler]:
    """The methods under Shelly."""
    found: dict[str, Handler] = {
        "Shelly.GetDeviceInfo": lambda params, _source: device_info(device, params),
        "Shelly.GetStatus": lambda _params, _source: device.told(device.status()),
        "Shelly.GetConfig": lambda _params, _source: device.config(),
        "Shelly.GetComponents": lambda params, _source: components(device, params),
        "Shelly.Reboot": lambda params, _source: reboot(device, params),
        "Shelly.SetAuth": lambda params, _source: set_auth(device, params),
        "Shelly.PutUserCA": lambda params, _source: put_user_ca(device, params),
        "Shelly.CheckForUpdate": lambda _params, _source: device.updater.check(),
        "Shelly.Update": lambda _params, _source: device.updater.start(),
    }
    if device.profile and not device.firmware.factory:
        found["Shelly.ListProfiles"] = lambda _params, _source: list_profiles()
        found["Shelly.SetProfile"] = lambda params, _source: set_profile(device, params)
    return found


def device_info(device: VirtualDevice, params: Params) -> Json:
    """Device info; `ident` adds production data."""
    info = device.info()
    if params.get("ident") is True:
        info |= {"key": f"sim-{device.mac.lower()}", "batch": "2548-Simulated", "fw_sbits": "04"}
    return info


def components(device: VirtualDevice, params: Params) -> Json:
    """One page of components, with status and configuration when `include` asks for them."""
    offset, include, keys = params.get("offset", 0), params.get("include", []), params.get("keys")
    if isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
        raise invalid("offset")
    if not isinstance(include, list) or not isinstance(keys, list | None):
        raise invalid("include" if not isinstance(include, list) else "keys")
    names = [] if params.get("dynamic_only") is True else list(device.settings)
    if keys is not None:
        names = [name for name in names if name in keys]
    page: list[Json] = [_component(device, name, include) for name in names[offset : offset + PAGE]]
    revision = device.settings["sys"]["cfg_rev"]
    return {"components": page, "cfg_rev": revision, "offset": offset, "total": len(names)}


def _component(device: VirtualDevice, name: str, include: list[Json]) -> dict[str, Json]:
    entry: dict[str, Json] = {"key": name}
    if "status" in include:
        entry["status"] = device.told({name: device.component_status(name)})[name]
    if "config" in include:
        entry["config"] = deepcopy(device.settings[name])
    return entry


def reboot(device: VirtualDevice, params: Params) -> Json:
    """Restart after `delay_ms` (default 1000)."""
    delay_ms = seconds(params, "delay_ms")
    device.reboot(REBOOT_DELAY_S if delay_ms is None else delay_ms / 1000)
    return None


def set_auth(device: VirtualDevice, params: Params) -> Json:
    """Set the password (as HA1 of user `admin` and realm = device id), or remove it with `ha1` null."""
    user, realm, ha1 = (required(params, name) for name in ("user", "realm", "ha1"))
    if user != "admin":
        raise invalid("user")
    if realm != device.id:
        raise invalid("realm")
    if ha1 is not None and not _is_sha256(ha1):
        raise invalid("ha1")
    device.auth_ha1 = None if ha1 is None else str(ha1)
    announce(device, "sys", restart=False)
    return None


def _is_sha256(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 64 and all(digit in "0123456789abcdef" for digit in text.lower())


def put_user_ca(device: VirtualDevice, params: Params) -> Json:
    """Store a certificate piece by piece (`append`), or delete it with `data` null; answers the length stored."""
    data, append = required(params, "data"), params.get("append", False)
    if data is not None and not isinstance(data, str):
        raise invalid("data")
    if data is None:
        device.user_ca = None
    else:
        device.user_ca = (device.user_ca or "") + data if append is True else data
    return {"len": 0 if device.user_ca is None else len(device.user_ca)}


def list_profiles() -> Json:
    """The profiles of a meter and their components."""
    return {
        "profiles": {
            name: {"components": [{"type": kind, "count": count} for kind, count in parts]}
            for name, parts in PROFILES.items()
        }
    }


def set_profile(device: VirtualDevice, params: Params) -> Json:
    """Change the profile and restart; answers the one before."""
    name, was = choice(params, "name", PROFILES), device.profile
    if name != was:
        device.change_profile(name)
        device.reboot(REBOOT_DELAY_S)
    return {"profile_was": was}
