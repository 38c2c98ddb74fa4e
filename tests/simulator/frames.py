"""RPC frames as all roads carry them: requests read, answers and notifications built."""

import json
import logging
from typing import TYPE_CHECKING, Any

from tests.simulator import wire
from tests.simulator.rpc import RpcFault

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice

METHOD_FAILED = -114
_LOGGER = logging.getLogger(__name__)
# Answered without a password on every road.
OPEN_METHODS = frozenset({"shelly.getdeviceinfo"})


class BadFrameError(ValueError):
    """What arrived is no request frame."""


def read_object(payload: str | bytes) -> dict[str, Any]:
    """Read a JSON object; BadFrameError for anything else."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadFrameError(f"no JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadFrameError("no JSON object")
    return value


def read_request(payload: str | bytes) -> dict[str, Any]:
    """Read a request frame: an object with a `method` and, when present, `params` as an object."""
    frame = read_object(payload)
    if not isinstance(frame.get("method"), str):
        raise BadFrameError("no method")
    if not isinstance(frame.get("params"), dict | None):
        raise BadFrameError("params is no object")
    return frame


def is_open(method: str) -> bool:
    """Whether `method` is answered without a password."""
    return method.lower() in OPEN_METHODS


def answer(device: VirtualDevice, request: dict[str, Any], *, source: str) -> dict[str, Any]:
    """Let the device handle `request` and return the response frame."""
    try:
        result = device.handle(request["method"], request.get("params"), source=source)
    except RpcFault as fault:
        return error(device, request, fault.code, fault.message)
    except Exception:
        # A defect of the simulator, not of the client: say so loudly, and stay up as a device would.
        _LOGGER.exception("%s cannot handle %s", device.id, request)
        return error(device, request, METHOD_FAILED, f"Method {request['method']} failed")
    return _reply(device, request) | {"result": result}


def error(device: VirtualDevice, request: dict[str, Any], code: int, message: str) -> dict[str, Any]:
    """Return the response frame of a failed request."""
    return _reply(device, request) | {"error": {"code": code, "message": message}}


def notification(device: VirtualDevice, dst: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return a frame nobody asked for: NotifyStatus, NotifyFullStatus or NotifyEvent."""
    return {"src": device.id, "dst": dst, "method": method, "params": params}


def text(frame: Any) -> str:
    """Return a frame as the device writes it."""
    return wire.dumps(frame)


def _reply(device: VirtualDevice, request: dict[str, Any]) -> dict[str, Any]:
    frame: dict[str, Any] = {"id": request["id"]} if "id" in request else {}
    frame["src"] = device.id
    if "src" in request:
        frame["dst"] = request["src"]
    return frame
