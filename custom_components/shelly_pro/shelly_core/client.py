"""The asyncio shell round session, device and link: what an application holds."""

import asyncio
import logging
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from .auth import THROTTLE_S
from .components import SwitchStatus
from .device import TOO_LATE, Applied, Device, DeviceInfo
from .errors import (
    AuthError,
    DeviceMismatchError,
    FrameError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    RpcError,
    ShellyError,
)
from .frame import Event, Json, Notification, NotificationMethod, RpcFault
from .link import Link, Transport
from .session import Reply, Request, Session
from .validation import Rejection

_LOGGER = logging.getLogger(__name__)

CONFIRM_S = 1.0
"""How long after the answer to a command a relay's notification may arrive."""


class Update(NamedTuple):
    """What a frame of the device brought: keys of changed components and events; `full` after a full status."""

    changed: frozenset[str]
    events: tuple[Event, ...]
    transport: Transport
    full: bool


type Listener = Callable[[Update], None]


class Client:
    """One device over one link at a time."""

    def __init__(self, link: Link, *, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Talk over `link` as `source`; nothing is sent before `connect`."""
        self._link = link
        self._clock = clock
        # Answers to an earlier run under the same name may still be under way: do not count from 1.
        self._session = Session(source, first_id=secrets.randbelow(1 << 24) + 1)
        self._device: Device | None = None
        self._opened = False
        self._outcomes: dict[int, asyncio.Future[Json | ShellyError]] = {}
        self._listeners: list[Listener] = []
        self.last_frame_at: float | None = None
        """When the device was last heard, by this client's clock."""
        self.rejected: Counter[str] = Counter()
        """How often frames and statuses were left out, by reason."""
        self._said: set[tuple[str, str | None, str]] = set()

    @property
    def device(self) -> Device:
        """The device as last heard of. Raises `LinkClosedError` until `connect` has succeeded once."""
        if self._device is None or not self._device.ready:
            raise LinkClosedError("not connected yet")
        return self._device

    @property
    def transport(self) -> Transport:
        """The kind of the link in use."""
        return self._link.transport

    def subscribe(self, listener: Callable[[Update], None]) -> Callable[[], None]:
        """Call `listener` after every frame of the device, until the returned function is called."""
        self._listeners.append(listener)
        return partial(self._listeners.remove, listener)

    async def connect(self, expected_mac: str | None = None) -> Device:
        """Open the link, learn all about the device, and return it; it is the same object after reconnecting.

        Raises as `call`, `FrameError` for answers that make no sense, and `DeviceMismatchError` if another device
        answers than expected. The link is closed after a failure.
        """
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.close)
            if not self._opened:
                await self._link.open(partial(self._receive, self._link.transport))
                self._opened = True
            info = DeviceInfo.parse(await self.call("Shelly.GetDeviceInfo"))
            if expected_mac is not None and _plain(expected_mac) != info.mac:
                raise DeviceMismatchError(_plain(expected_mac), info.mac)
            config = await self.call("Shelly.GetConfig")
            if self._device is None or self._device.info.mac != info.mac:
                self._device = Device(info)
            self._device.info = info
            self._device.apply_config(config)
            await self.refresh()
            undo.pop_all()
        return self.device

    async def use(self, link: Link) -> None:
        """Move to another link: opened before the old one is left, if that was open. Raises `LinkError`."""
        if self._opened:
            await link.open(partial(self._receive, link.transport))
        old, self._link = self._link, link
        if self._opened:
            self._give_up(LinkClosedError("the link was replaced"))
            await old.close()

    async def close(self) -> None:
        """Close the link; whoever still waits for an answer gets a `LinkClosedError`."""
        self._opened = False
        self._give_up(LinkClosedError("the link was closed"))
        await self._link.close()

    async def refresh(self) -> None:
        """Ask for the whole status; the listeners hear of it. Raises as `call`."""
        await self.call("Shelly.GetStatus")

    async def set_switch(self, switch_id: int, on: bool) -> None:
        """Switch a relay; returns once the device has confirmed what it shows now. Raises as `call`."""
        key = f"switch:{switch_id}"
        shown = asyncio.Event()
        stop = self.subscribe(lambda _update: shown.set() if self._output(key) is on else None)
        try:
            await self.call("Switch.Set", {"id": switch_id, "on": on})
            if self.transport is Transport.MQTT and self._output(key) is not on:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CONFIRM_S):
                        await shown.wait()
        finally:
            stop()
        if self.transport is not Transport.MQTT or self._output(key) is not on:
            await self.call("Switch.GetStatus", {"id": switch_id})

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> Json:
        """Ask the device and return its result; without `timeout_s` the link says how long that may take.

        Raises `RpcError` if it refuses, `LinkError` if no answer comes, `AuthError` for the password, `FrameError` for
        an answer that makes no sense.
        """
        if not self._opened:
            raise LinkClosedError("the link is not open")
        if timeout_s is None:
            timeout_s = self._link.timeout_s
        request = self._session.request(method, params, now=self._clock(), timeout_s=timeout_s)
        outcome: asyncio.Future[Json | ShellyError] = asyncio.get_running_loop().create_future()
        self._outcomes[request.id] = outcome
        try:
            async with asyncio.timeout(timeout_s):
                await self._link.send(request.frame)
                if self.transport is Transport.HTTP and not outcome.done():
                    # The answer to the POST was no reply to it, and no other will come.
                    raise FrameError("no reply")
                result = await outcome
        except TimeoutError as err:
            raise LinkTimeoutError(f"no answer to {method} within {timeout_s:g} s") from err
        finally:
            self._session.cancel(request.id)
            del self._outcomes[request.id]
        if isinstance(result, ShellyError):
            raise result
        return result

    def _output(self, key: str) -> bool | None:
        status = None if self._device is None else self._device.get(key)
        return status.output if isinstance(status, SwitchStatus) else None

    def _receive(self, transport: Transport, data: bytes) -> None:
        """Take a frame from a link. What is wrong with it is counted, never raised into the link."""
        try:
            frame = self._session.handle(data, self._clock())
            if isinstance(frame, Notification):
                self._take_notification(frame, transport)
            elif frame is not None:
                self._take_reply(frame, transport)
        except FrameError as err:
            self.rejected[err.reason] += 1
            _LOGGER.debug("Left out a frame over %s: %s: %.200r", transport, err.reason, data)

    def _take_notification(self, notification: Notification, transport: Transport) -> None:
        if self._device is None:
            return
        if notification.source != self._device.info.id:
            raise FrameError("another device")
        applied = self._device.apply(notification)
        self._publish(applied, transport, full=notification.method is NotificationMethod.FULL_STATUS)

    def _take_reply(self, reply: Reply, transport: Transport) -> None:
        """Pass a reply on. A status is applied at once: what the device tells later must find it there."""
        request, result, error = reply
        waiting = self._outcomes[request.id]
        applied: Applied | None = None
        outcome: Json | ShellyError = result
        if error is not None:
            outcome = _error(error, request)
        elif self._device is not None:
            try:
                applied = _apply_status(self._device, request, result)
            except FrameError as err:
                outcome = err
        if not waiting.done():
            waiting.set_result(outcome)
        self.last_frame_at = self._clock()
        if applied is not None:
            self._publish(applied, transport, full=request.method == "Shelly.GetStatus")

    def _publish(self, applied: Applied, transport: Transport, *, full: bool) -> None:
        self.last_frame_at = self._clock()
        for rejection in applied.rejections:
            self._note(rejection)
        update = Update(applied.changed, applied.events, transport, full)
        for listener in tuple(self._listeners):
            listener(update)

    def _note(self, rejection: Rejection) -> None:
        """Count what was left out, and say so the first time: it may be the device, or limits of ours."""
        self.rejected[rejection.reason] += 1
        known = rejection[:3] in self._said or rejection.reason == TOO_LATE
        self._said.add(rejection[:3])
        level = logging.DEBUG if known else logging.WARNING
        key, field, reason, value = rejection
        _LOGGER.log(level, "Left out %s, since %s is %s: %.80r", key, field or "it", reason, value)

    def _give_up(self, error: LinkError) -> None:
        for waiting in self._outcomes.values():
            if not waiting.done():
                waiting.set_result(error)


def _apply_status(device: Device, request: Request, result: Json) -> Applied | None:
    """Apply a result that is a status; `None` if it is none."""
    if request.method == "Shelly.GetStatus":
        return device.apply_full_status(result)
    if request.method == "Switch.GetStatus" and request.params is not None:
        return device.apply_component(f"switch:{request.params['id']}", result)
    return None


def _error(error: RpcFault, request: Request) -> ShellyError:
    if error.code == HTTPStatus.UNAUTHORIZED:
        return AuthError("the device wants a password")
    if error.code == HTTPStatus.TOO_MANY_REQUESTS:
        return LinkError(error.message, retry_after_s=THROTTLE_S)
    return RpcError(error.code, error.message, request.method)


def _plain(mac: str) -> str:
    return re.sub(r"[^0-9A-Fa-f]", "", mac).upper()
