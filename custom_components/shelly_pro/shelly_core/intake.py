"""From a decoded frame to ordered, plausible, time-stamped readings of one device; no event loop, no I/O."""

import logging
from collections import Counter
from typing import NamedTuple, cast

from .clock import DeviceClock
from .device import DROPS, OVERTAKEN, RECORDED, Applied, Device, Told
from .device_info import DeviceInfo
from .errors import DeviceMismatchError, FrameError
from .frame import Event, Notification, NotificationMethod
from .link import Transport
from .rpc import Answer
from .session import Reply
from .validation import Rejection

_LOGGER = logging.getLogger(__name__)

EVENT_AGE_S = 30.0
"""An event older than this is history: a button that was pressed then must not switch anything now."""

STALE = "stale"
INTRODUCTION = "Shelly.GetDeviceInfo"


class Update(NamedTuple):
    """What a frame of the device brought: keys of changed components and events; `full` after a full status.

    `ts` is the device's time, corrected if its clock is wrong; `None` if the device did not say. `told` is what the
    frame itself said of each component and is plausible: it belongs to `ts`, even where the present state is newer.
    """

    changed: frozenset[str]
    events: tuple[Event, ...]
    transport: Transport
    full: bool
    ts: float | None
    told: Told
    asked: bool = False
    """Whether it is the answer to a question; `ts` is then the time of asking."""
    stamp: float | None = None
    """`ts` as the device made it, by its own clock."""


class Intake:
    """Takes the frames of one device, and counts them. `now` is monotonic, `wall` is Unix time, both in seconds."""

    def __init__(self) -> None:
        self.device: Device | None = None
        self.clock = DeviceClock()
        self.readings = 0
        """Components that told something new."""
        self.drops: Counter[str] = Counter()
        """What was left out without fault of the device, by reason."""
        self.rejects: Counter[str] = Counter()
        """What made no sense, by reason."""
        self.last_reading_ts: float | None = None
        self.last_reading_at: float | None = None
        self.missed = False
        """Whether something was left out that a full status would tell; whoever asks for one sets it back."""
        self._said: set[tuple[str, str | None, str]] = set()

    def meet(self, info: DeviceInfo) -> Device:
        """Return the device that introduced itself; of another one before it, nothing is kept but the counts."""
        device = self.device
        if device is None or device.info.mac != info.mac:
            device = self.device = Device(info)
            self.clock = DeviceClock()
        device.info = info
        return device

    @property
    def ready(self) -> bool:
        """Whether there is a status to lay a notification over. What comes before is in that status, too."""
        return self.device is not None and self.device.ready

    def vet(self, reply: Reply) -> None:
        """Raise `DeviceMismatchError` for a reply of another device, unless it was asked who it is."""
        device = self.device
        if device is not None and reply.source != device.info.id and reply.request.method != INTRODUCTION:
            raise DeviceMismatchError(device.info.id, reply.source)

    def take_notification(self, notification: Notification, transport: Transport, now: float, wall: float) -> Update:
        """Apply what the device told by itself. Raises `FrameError` for what makes no sense or is of another device."""
        device = self.device
        if device is None:
            raise FrameError("not known yet")
        if notification.source != device.info.id:
            raise FrameError("another device")
        ts = notification.ts
        if ts is not None:
            clock = self.clock
            steps = clock.steps
            if clock.hear(ts, wall):
                device.forget_order()
            if clock.steps != steps:
                self.missed = True  # a whole status tells what the clock shows now
        full = notification.method is NotificationMethod.FULL_STATUS
        params = notification.params
        told = params if full or notification.method is NotificationMethod.STATUS else {}
        return self._note(device.apply(notification, now), transport, full, ts, now, wall, told)

    def take_answer(self, answer: Answer, transport: Transport, now: float) -> Update | None:
        """Apply an answer that is a status; `None` if it is none. Raises `FrameError` if it should be, and is not."""
        device, result = self.device, answer.result
        full = answer.request.method == "Shelly.GetStatus"
        key = _component_asked_for(answer)
        if device is None or not (full or key):
            return None
        system = result.get("sys") if full and type(result) is dict else result if key == "sys" else None
        if self.clock.read(system, answer.asked, answer.answered):
            device.forget_order()
        ts = self.clock.at(answer.asked)
        if key is None:
            applied = device.apply_full_status(result, ts, now)
        else:
            applied = device.apply_component(key, result, ts, now)
        told = cast("Told", result if key is None else {key: result})
        return self._note(applied, transport, full, ts, now, answer.answered, told)._replace(asked=True)

    def reject_frame(self, error: FrameError, transport: Transport, data: bytes) -> None:
        """Count bytes that are no frame of this device."""
        self.rejects[error.reason] += 1
        _LOGGER.debug("Left out a frame over %s: %s: %.200r", transport, error.reason, data)

    def _note(
        self, applied: Applied, transport: Transport, full: bool, ts: float | None, now: float, wall: float, said: Told
    ) -> Update:
        changed, rejections, events, told = applied
        if rejections:
            self._count(rejections)
        if events:
            events = tuple(event for event in events if self._is_fresh(event, wall))
        stamp = ts
        if ts is not None:
            ts = self.clock.correct(ts)
        if changed or not (rejections or applied.events):
            # To tell the same again, without a fault, is a reading as well.
            self.readings += len(changed)
            self.last_reading_at = now
            if ts is not None:
                self.last_reading_ts = ts
        return Update(changed, events, transport, full, ts, said if told is None else told, stamp=stamp)

    def _count(self, rejections: tuple[Rejection, ...]) -> None:
        """Count what was left out, and say so the first time: it may be the device, or limits of ours."""
        for rejection in rejections:
            key, field, reason, value = rejection
            if reason in DROPS:
                self.drops[reason] += 1
                self.missed = self.missed or (reason == OVERTAKEN and field is None)
                continue
            self.rejects[reason] += 1
            known = (key, field, reason) in self._said
            self._said.add((key, field, reason))
            level = logging.DEBUG if known else logging.WARNING
            _LOGGER.log(level, "Left out %s, since %s is %s: %.80r", key, field or "it", reason, value)

    def _is_fresh(self, event: Event, wall: float) -> bool:
        if event.event == RECORDED:
            return True
        # Until the device has told its status, its clock is not known, so neither is how old an event is.
        if self.ready and (event.ts is None or wall - self.clock.correct(event.ts) <= EVENT_AGE_S):
            return True
        self.drops[STALE] += 1
        return False


def _component_asked_for(answer: Answer) -> str | None:
    """Return the component whose status the answer is, such as `switch:2` or `sys`."""
    method, params = answer.request.method, answer.request.params
    if method == "Sys.GetStatus":
        return "sys"
    if method == "Switch.GetStatus" and params is not None:
        return f"switch:{params['id']}"
    return None
