"""Which components a device has, in the order it lists them, and how each tells its status."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.simulator import noise, status

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice
    from tests.simulator.meter import Meter

type Tell = Callable[[VirtualDevice, float], dict[str, Any]]
"""tell(device, true time) → status."""

BLUETOOTH_OFF = {"errors": ["bluetooth_disabled"]}


def components(device: VirtualDevice) -> dict[str, Tell]:
    """Every component's key and its status, alphabetical as in GetStatus."""
    return {key: _TELL[key.partition(":")[0]](key) for key in device.settings}


def _em(_: str) -> Tell:
    def tell(device: VirtualDevice, ts: float) -> dict[str, Any]:
        meter = meter_of(device)
        ct_type = device.settings["em:0"].get("ct_type")
        reading = meter.reading(ts)
        return status.em(reading, device.firmware, ct_type, neutral=meter.neutral_ct, errors=_errors(device))

    return tell


def _em1(key: str) -> Tell:
    def tell(device: VirtualDevice, ts: float) -> dict[str, Any]:
        reading = meter_of(device).reading(ts)
        return status.em1(_number(key), reading, device.firmware, device.settings[key].get("ct_type"), _errors(device))

    return tell


def _emdata(_: str) -> Tell:
    return lambda device, ts: status.emdata(meter_of(device).saved_at(ts), device.faults.counter_dip_wh)


def _em1data(key: str) -> Tell:
    return lambda device, ts: status.em1data(_number(key), meter_of(device).saved_at(ts), device.faults.counter_dip_wh)


def _switch(key: str) -> Tell:
    return lambda device, ts: status.switch(
        device.switchboard.relays[_number(key)], degrees(device, ts), device.firmware, ts
    )


def _input(key: str) -> Tell:
    return lambda device, ts: {"id": _number(key), "state": device.switchboard.input_state(_number(key), ts)}


def _temperature(key: str) -> Tell:
    return lambda device, ts: status.temperature(_number(key), degrees(device, ts))


def _sys(_: str) -> Tell:
    return sys_status


def sys_status(device: VirtualDevice, ts: float) -> dict[str, Any]:
    """`sys` of GetStatus."""
    firmware, synced = device.firmware, device.device_clock.synced
    now = int(device.device_clock.at(ts))
    zone = ZoneInfo((device.settings["sys"]["location"] or {}).get("tz") or "UTC")
    local = datetime.fromtimestamp(now, UTC).astimezone(zone)
    free = 113_000 + 4 * int(600 * noise.jitter(device.key, now // 10))
    told: dict[str, Any] = {
        "mac": device.mac,
        "restart_required": device.restart_required,
        "time": local.strftime("%H:%M") if synced else None,
        "unixtime": now if synced else None,
    }
    if firmware.has_sync_ts:
        told["last_sync_ts"] = now - now % 3600 if synced else None
    told |= {"uptime": int(ts - device.device_clock.booted), "ram_size": 247_524, "ram_free": free}
    if firmware.has_sync_ts:
        told["ram_min_free"] = 96_408
    told |= {"fs_size": 524_288, "fs_free": 188_416, "cfg_rev": device.settings["sys"]["cfg_rev"], "kvs_rev": 0}
    told |= {"schedule_rev": 0, "webhook_rev": 0}
    if firmware.has_ip6:
        told["btrelay_rev"] = 0
    told |= {"available_updates": device.updater.available(), "reset_reason": device.reset_reason}
    if firmware.has_sync_ts:
        offset = local.utcoffset()
        told["utc_offset"] = int(offset.total_seconds()) if offset is not None else 0
    return told


def _wifi(_: str) -> Tell:
    return wifi_status


def wifi_status(device: VirtualDevice, ts: float) -> dict[str, Any]:
    """`wifi` of GetStatus."""
    if device.network != "wifi":
        off = {"sta_ip": None, "status": "disconnected", "ssid": None}
        return off | ({"bssid": None} if device.firmware.has_provision else {}) | {"rssi": 0}
    told: dict[str, Any] = {"sta_ip": device.host, "status": "got ip", "ssid": device.settings["wifi"]["sta"]["ssid"]}
    if device.firmware.has_provision:
        told["bssid"] = f"02:00:00:00:00:{device.key % 256:02x}"
    told["rssi"] = -58 + round(4 * noise.drift(device.key, ts, 300))
    return told | ({"sta_ip6": [device.ip6]} if device.firmware.has_ip6 else {})


def _eth(_: str) -> Tell:
    def tell(device: VirtualDevice, _ts: float) -> dict[str, Any]:
        plugged = device.network == "eth"
        told: dict[str, Any] = {"ip": device.host if plugged else None}
        return told | ({"ip6": [device.ip6] if plugged else None} if device.firmware.has_ip6 else {})

    return tell


def degrees(device: VirtualDevice, ts: float) -> float:
    """The one temperature inside the case; warmer with every relay that is on."""
    on = sum(relay.at(ts)[0] for relay in device.switchboard.relays)
    return 44 + 2.5 * on + 1.5 * noise.drift(device.key, ts, 900)


def _errors(device: VirtualDevice) -> list[str]:
    return [error for error in status.EM_ERRORS if error in device.faults.quirks]


def meter_of(device: VirtualDevice) -> Meter:
    """The device's meter; KeyError when it has none."""
    if device.meter is None:
        raise KeyError("this device measures nothing")
    return device.meter


def _number(key: str) -> int:
    return int(key.partition(":")[2])


def _fixed(told: dict[str, Any]) -> Callable[[str], Tell]:
    return lambda _key: lambda _device, _ts: dict(told)


_TELL: dict[str, Callable[[str], Tell]] = {
    "ble": _fixed({}),
    "bthome": _fixed(BLUETOOTH_OFF),
    "cloud": lambda _key: lambda device, _ts: {"connected": device.cloud_connected},
    "em": _em,
    "em1": _em1,
    "emdata": _emdata,
    "em1data": _em1data,
    "eth": _eth,
    "input": _input,
    "knx": _fixed({}),
    "modbus": _fixed({}),
    "mqtt": lambda _key: lambda device, _ts: {"connected": device.mqtt_connected},
    "switch": _switch,
    "sys": _sys,
    "temperature": _temperature,
    "wifi": _wifi,
    "ws": _fixed({"connected": False}),
}
