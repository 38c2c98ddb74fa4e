"""One RPC session, without I/O: bytes in, replies and notifications out.

How it works. `request` numbers a request and gives the bytes to send; the session remembers it until its reply
arrives (`handle`) or nobody waits any more (`cancel`). A reply that comes later, or was never asked for, is counted and
otherwise ignored. There is no clock: `now` is passed in, in seconds of any monotonic clock.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .frame import Json, Notification, RpcFault, decode, encode_request


class Request(NamedTuple):
    """A request on its way: `frame` are the bytes to send, `deadline` is when to give up."""

    id: int
    method: str
    params: Mapping[str, Any] | None
    frame: bytes
    deadline: float


class Reply(NamedTuple):
    """The answer of `source` to `request`: a result, or the error with which it refused."""

    request: Request
    source: str
    result: Json
    error: RpcFault | None


class Session:
    """Matches the replies of one device to the requests of one `source`."""

    def __init__(self, source: str, *, first_id: int = 1) -> None:
        """Start to number at `first_id`: a late reply to an earlier session must not meet a number of this one."""
        self._source = source
        self._next_id = first_id
        self._pending: dict[int, Request] = {}
        self.unknown_replies = 0
        """Replies to nothing that is still waited for."""

    def request(self, method: str, params: Mapping[str, Any] | None = None, *, now: float, timeout_s: float) -> Request:
        """Prepare a request. Raises `FrameError` if JSON cannot say `params`."""
        request_id = self._next_id
        frame = encode_request(request_id, self._source, method, params)
        self._next_id += 1
        request = Request(request_id, method, params, frame, now + timeout_s)
        self._pending[request_id] = request
        return request

    def handle(self, data: bytes, now: float) -> Reply | Notification | None:
        """Take what the device sent; `None` is a reply to nothing that is waited for. Raises `FrameError`."""
        frame = decode(data)
        if isinstance(frame, Notification):
            return frame
        request = self._pending.get(frame.id) if isinstance(frame.id, int) else None
        if request is None or now >= request.deadline:
            self.unknown_replies += 1
            return None
        del self._pending[request.id]
        return Reply(request, frame.source, frame.result, frame.error)

    def cancel(self, request_id: int) -> bool:
        """Stop waiting for a request; `False` if it did not wait any more."""
        return self._pending.pop(request_id, None) is not None
