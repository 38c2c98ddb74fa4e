"""The Shelly Gen2+ protocol in plain Python: decode, keep, validate and ask; no Home Assistant.

Reading order: `errors` · `frame` (bytes) · `session` (which reply to which request) · `validation`, `components` and
`decoding` (what a status may hold, and what it means) · `device` (all statuses of one device) · `link`, `http_link`
and `auth` (roads to a device) · `client` (all of it together, on asyncio).
"""

from .client import Client, Update
from .components import (
    CloudStatus,
    Component,
    Em1DataStatus,
    Em1Status,
    EmDataStatus,
    EmStatus,
    EthStatus,
    InputStatus,
    MqttStatus,
    Phase,
    PhaseEnergy,
    PhaseReading,
    SwitchCounts,
    SwitchStatus,
    SysStatus,
    TemperatureStatus,
    WifiStatus,
)
from .device import Applied, Device, DeviceInfo, supported
from .errors import (
    AuthError,
    DeviceMismatchError,
    FrameError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    RpcError,
    ShellyError,
    UnsupportedDeviceError,
)
from .frame import Event, Json, Notification, NotificationMethod, Response, RpcFault
from .http_link import HttpLink, fetch_info
from .link import Link, Transport
from .session import Reply, Request, Session
from .validation import Rejection

__all__ = [
    "Applied",
    "AuthError",
    "Client",
    "CloudStatus",
    "Component",
    "Device",
    "DeviceInfo",
    "DeviceMismatchError",
    "Em1DataStatus",
    "Em1Status",
    "EmDataStatus",
    "EmStatus",
    "EthStatus",
    "Event",
    "FrameError",
    "HttpLink",
    "InputStatus",
    "Json",
    "Link",
    "LinkClosedError",
    "LinkError",
    "LinkTimeoutError",
    "MqttStatus",
    "Notification",
    "NotificationMethod",
    "Phase",
    "PhaseEnergy",
    "PhaseReading",
    "Rejection",
    "Reply",
    "Request",
    "Response",
    "RpcError",
    "RpcFault",
    "Session",
    "ShellyError",
    "SwitchCounts",
    "SwitchStatus",
    "SysStatus",
    "TemperatureStatus",
    "Transport",
    "UnsupportedDeviceError",
    "Update",
    "WifiStatus",
    "fetch_info",
    "supported",
]
