"""RPC frames ⇄ bytes.

A frame is one JSON-RPC object on any transport: a request of ours, the device's response to it, or a
notification it sends by itself. https://shelly-api-docs.shelly.cloud/gen2/General/RPCProtocol
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from .errors import FrameError

type Json = dict[str, Any] | list[Any] | str | int | float | bool | None

MAX_FRAME_BYTES = 65_536
"""A device has about 110 kB of RAM free and its largest known answer has 4 kB: more is not from a Shelly."""


MAX_TS = 1e11
"""Unix seconds; a clock beyond the year 5000 is broken."""


class NotificationMethod(StrEnum):
    """What a device sends without being asked."""

    STATUS = "NotifyStatus"
    FULL_STATUS = "NotifyFullStatus"
    EVENT = "NotifyEvent"


class RpcFault(NamedTuple):
    """The error of a response."""

    code: int
    message: str


class Response(NamedTuple):
    """The device's answer to the request with this `id`; `result` is `None` where `error` is not."""

    id: int | str
    source: str
    result: Json
    error: RpcFault | None


@dataclass(slots=True)
class Notification:
    """What a device tells by itself; `ts` is its time in Unix seconds, `None` if it did not say.

    Not a tuple and not frozen, only because there are so many of them: it takes half the time to make.
    """

    source: str
    method: NotificationMethod
    ts: float | None
    params: dict[str, Any]


class Event(NamedTuple):
    """One event of a NotifyEvent; `id` is `None` for `sys`, `data` is everything else the event carries."""

    component: str
    id: int | None
    event: str
    ts: float | None
    data: Mapping[str, Any]


_METHODS = {str(method): method for method in NotificationMethod}
_NOT_DATA = frozenset({"component", "id", "event", "ts"})


def encode_request(request_id: int | str, source: str, method: str, params: Mapping[str, Any] | None) -> bytes:
    """Encode a request; the answer comes back to `source`. Raises `FrameError` for params JSON cannot say."""
    frame: dict[str, Any] = {"id": request_id, "src": source, "method": method}
    if params is not None:
        frame["params"] = params
    try:
        return orjson.dumps(frame)
    except orjson.JSONEncodeError as err:
        raise FrameError("params are no JSON") from err


def decode_json(data: bytes) -> Any:
    """Decode JSON of at most `MAX_FRAME_BYTES`; raises `FrameError` for anything else."""
    if len(data) > MAX_FRAME_BYTES:
        raise FrameError("too long")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as err:
        raise FrameError("not JSON") from err


def decode(data: bytes) -> Response | Notification:
    """Decode a frame that a device sent; raises `FrameError` for everything malformed."""
    frame = decode_json(data)
    if type(frame) is not dict:
        raise FrameError("not an object")
    get = frame.get
    source, name, params = get("src"), get("method"), get("params")
    if type(source) is not str:
        raise FrameError("no source")
    if name is None:
        return _response(frame, source)
    try:
        method = _METHODS[name]
    except (KeyError, TypeError) as err:
        raise FrameError("unknown method") from err
    if type(params) is not dict:
        raise FrameError("no params")
    ts = params.pop("ts", None)
    if ts is not None and not is_ts(ts):
        raise FrameError("wrong ts")
    return Notification(source, method, ts, params)


def events(notification: Notification) -> tuple[Event, ...]:
    """Return the events of a NotifyEvent; raises `FrameError` if one of them is malformed."""
    listed = notification.params.get("events")
    if type(listed) is not list:
        raise FrameError("no events")
    return tuple(_event(raw) for raw in listed)


def is_ts(ts: Any) -> bool:
    """Tell whether a value can be a time in Unix seconds."""
    return (type(ts) is float or type(ts) is int) and 0.0 <= ts <= MAX_TS


def _response(frame: dict[str, Any], source: str) -> Response:
    request_id = frame.get("id")
    if type(request_id) is not int and type(request_id) is not str:
        raise FrameError("no id")
    if (error := frame.get("error")) is not None:
        # An answer may carry both: "result" then says nothing (seen while a device was shutting down).
        return Response(request_id, source, None, _fault(error))
    if "result" not in frame:
        raise FrameError("neither result nor error")
    return Response(request_id, source, frame["result"], None)


def _fault(error: Any) -> RpcFault:
    if type(error) is not dict or type(code := error.get("code")) is not int:
        raise FrameError("wrong error")
    message = error.get("message", "")
    if type(message) is not str:
        raise FrameError("wrong error")
    return RpcFault(code, message)


def _event(raw: Any) -> Event:
    """Decode one event. Its fields beyond the fixed ones, `data` among them, stay as they are."""
    if type(raw) is not dict:
        raise FrameError("wrong event")
    component, event_id, event, ts = (raw.get(name) for name in ("component", "id", "event", "ts"))
    if type(component) is not str or type(event) is not str:
        raise FrameError("wrong event")
    if (event_id is not None and type(event_id) is not int) or (ts is not None and not is_ts(ts)):
        raise FrameError("wrong event")
    data = {name: value for name, value in raw.items() if name not in _NOT_DATA}
    return Event(component, event_id, event, ts, data)
