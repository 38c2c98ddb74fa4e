"""The Shelly Gen2+ protocol in plain Python: decode, keep, validate and ask; no Home Assistant.

Reading order: `errors` · `frame` (bytes) · `session` and `rpc` (which reply to which request) · `validation`,
`consistency`, `counters`, `components` and `decoding` (what a status may hold, and what it means) · `device_info`,
`device`, `clock` and `intake` (all that one device tells, in order) · `link`, `http_link` and `auth` (roads to a
device) · `backoff`, `breaker`, `policy` and `failover` (which road, and when) · `questions`, `alarm`, `client` and
`health` (all together) · `records` (a meter's minutes).
"""

from .breaker import BreakerState
from .client import Client
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
from .device import Applied, Device
from .device_info import DeviceInfo, supported
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
from .failover import State
from .frame import Event, Json, Notification, NotificationMethod, Response, RpcFault
from .health import ClockHealth, Health, Level, LinkHealth, WrongReading
from .http_link import HttpLink, fetch_info
from .intake import Update
from .link import Link, Signal, Transport
from .policy import Policy
from .records import Record, parse_data, parse_event
from .session import Reply, Request, Session
from .validation import Rejection

__all__ = [
    "Applied",
    "AuthError",
    "BreakerState",
    "Client",
    "ClockHealth",
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
    "Health",
    "HttpLink",
    "InputStatus",
    "Json",
    "Level",
    "Link",
    "LinkClosedError",
    "LinkError",
    "LinkHealth",
    "LinkTimeoutError",
    "MqttStatus",
    "Notification",
    "NotificationMethod",
    "Phase",
    "PhaseEnergy",
    "PhaseReading",
    "Policy",
    "Record",
    "Rejection",
    "Reply",
    "Request",
    "Response",
    "RpcError",
    "RpcFault",
    "Session",
    "ShellyError",
    "Signal",
    "State",
    "SwitchCounts",
    "SwitchStatus",
    "SysStatus",
    "TemperatureStatus",
    "Transport",
    "UnsupportedDeviceError",
    "Update",
    "WifiStatus",
    "WrongReading",
    "fetch_info",
    "parse_data",
    "parse_event",
    "supported",
]
