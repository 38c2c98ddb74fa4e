"""The asyncio shell round failover, rpc and intake: one device over two links, as an application holds it."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from .alarm import Alarm
from .breaker import BreakerState
from .components import SwitchStatus
from .device import Device
from .device_info import DeviceInfo
from .errors import (
    AuthError,
    DeviceMismatchError,
    FrameError,
    LinkClosedError,
    LinkError,
    RpcError,
    ShellyError,
    worst_of,
)
from .failover import Ask, Asks, Failover, Question, State, Trigger
from .frame import Json, Notification
from .health import Health, RoundTrip, assess
from .intake import INTRODUCTION, Intake, Update
from .link import Link, Signal, Transport
from .policy import Policy
from .questions import Questions
from .rpc import Answer, Rpc

_LOGGER = logging.getLogger(__name__)

type Listener = Callable[[Update], None]

_ANSWERED = {Transport.MQTT: Trigger.ANSWERED, Transport.HTTP: Trigger.HTTP_ANSWERED}
_FAILED = {Transport.MQTT: Trigger.FAILED, Transport.HTTP: Trigger.HTTP_FAILED}
_SIGNALS = {
    Signal.CONNECTED: Trigger.BROKER_FOUND,
    Signal.DISCONNECTED: Trigger.BROKER_LOST,
    Signal.OFFLINE: Trigger.OFFLINE,
}


class Client:
    """One device: takes its data from every link, sends commands over the one that works, and knows how each is."""

    def __init__(
        self,
        *,
        source: str,
        info: DeviceInfo | None = None,
        mqtt: Link | None = None,
        http: Link | None = None,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Talk as `source`, not before `connect`, over the links that there are; `info` is of a device met before."""
        self._links = {link.transport: link for link in (mqtt, http) if link is not None}
        self._clock = clock
        self._wall = wall
        self._failover = Failover(policy, mqtt=mqtt is not None, http=http is not None, chance=chance)
        self._policy = self._failover.policy
        self._intake = Intake()
        if info is not None:
            self._intake.meet(info)
        self._rpc = Rpc(source, clock=clock, wall=wall, vet=self._intake.vet, on_answer=self._take_answer)
        self._questions = Questions(self._put, self._take_outcome)
        self._alarm = Alarm(clock, self._tick)
        self._round_trips = {transport: RoundTrip() for transport in Transport}
        self._listeners: list[Listener] = []
        self._watchers: list[Callable[[], None]] = []
        self._wanted = False
        """Whether the links are to be open."""
        self._opened: set[Transport] = set()
        self._running = False
        """Whether the device is kept up to date."""
        self._strangers: dict[Transport, tuple[str, str]] = {}
        """Links on which another device answers, expected and found: it must not be given a command."""
        self._standing: object = None
        self.password_refused = False
        """Whether the device refuses the password that we have; MQTT needs none."""

    @property
    def device(self) -> Device:
        """The device as last heard of. Raises `LinkClosedError` until `connect` has succeeded once."""
        device = self._intake.device
        if device is None or not device.ready:
            raise LinkClosedError("not connected yet")
        return device

    @property
    def active(self) -> Transport | None:
        """The link in use; `None` while neither delivers."""
        return self._failover.active

    @property
    def available(self) -> bool:
        """Whether what is known of the device can be taken for its present state."""
        return self._failover.state is not State.DOWN

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after every frame of the device, until the returned function is called."""
        self._listeners.append(listener)
        return partial(self._listeners.remove, listener)

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` when a link comes, goes or becomes active, until the returned function is called."""
        self._watchers.append(watcher)
        return partial(self._watchers.remove, watcher)

    async def connect(self, expected_mac: str | None = None) -> Device:
        """Open the links, learn all about the device on the first that answers, and keep it up to date from then on.

        It is the same object after reconnecting. Raises as `call`, `FrameError` for answers that make no sense, and
        `DeviceMismatchError` if another device answers than expected. Everything is closed after a failure.
        """
        self._pause()
        self._wanted = True
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.close)
            for link in tuple(self._links.values()):
                await self._open(link)
            transport = await self._read_all(expected_mac)
            undo.pop_all()
        self._failover.start(transport, self._clock())
        self._running = True
        self._settle()
        return self.device

    async def replace_mqtt(self, link: Link | None) -> None:
        """Use another MQTT link from now on, or none; who waits for an answer over the old one gets an error."""
        old = self._links.pop(Transport.MQTT, None)
        self._opened.discard(Transport.MQTT)
        self._strangers.pop(Transport.MQTT, None)
        if link is not None:
            self._links = {Transport.MQTT: link, **self._links}
        if old is not None:
            reason = "MQTT is not used any more" if link is None else "MQTT is set up anew"
            self._rpc.give_up(LinkClosedError(reason), Transport.MQTT)
            self._step(Trigger.BROKER_LOST, reason)
        self._failover.set_link(Transport.MQTT, exists=link is not None)
        self._settle()
        await self._questions.stop(Transport.MQTT)
        if old is not None:
            await old.close()
        if link is not None and self._running:
            await self._open(link)
            self._settle()

    async def close(self) -> None:
        """Close the links; whoever still waits for an answer gets a `LinkClosedError`."""
        self._pause()
        self._wanted = False
        self._opened.clear()
        self._rpc.give_up(LinkClosedError("the link was closed"), *Transport)
        await self._questions.stop(*Transport)
        for link in tuple(self._links.values()):
            await link.close()

    async def set_switch(self, switch_id: int, on: bool) -> None:
        """Switch a relay; returns once the device has confirmed what it shows now. Raises as `call`."""
        key = f"switch:{switch_id}"
        shown = asyncio.Event()
        stop = self.subscribe(lambda _update: shown.set() if self._output(key) is on else None)
        try:
            _, transport = await self._command("Switch.Set", {"id": switch_id, "on": on}, None)
            if transport is Transport.MQTT and self._output(key) is not on:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._policy.confirm_s):
                        await shown.wait()
        finally:
            stop()
        if transport is not Transport.MQTT or self._output(key) is not on:
            await self._command("Switch.GetStatus", {"id": switch_id}, transport)

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Json:
        """Ask the device and return its result; the other link is tried where the active one does not answer.

        `method` must do no harm if it is carried out twice. Raises `RpcError` if the device refuses, `LinkError` if no
        answer comes, `AuthError` for the password, `FrameError` for an answer that makes no sense.
        """
        result, _ = await self._command(method, params, None)
        return result

    def health(self) -> Health:
        """Return how every hop is."""
        trips = {transport: self._round_trips[transport] for transport in self._links}
        return assess(self._failover, self._intake, trips, self._clock(), password_refused=self.password_refused)

    async def _open(self, link: Link) -> None:
        """Open a link, unless it is open; it is closed again if nobody wants it any more by then."""
        transport = link.transport
        if transport in self._opened:
            return
        # It may be of use before `open` returns: when it finds the broker, a question follows at once.
        self._opened.add(transport)
        try:
            await link.open(partial(self.receive, transport), self._take_signal)
        except LinkError as err:
            self._opened.discard(transport)
            self._step(_FAILED[transport], str(err))
        if not self._wanted or self._links.get(transport) is not link:
            await link.close()

    async def _read_all(self, expected_mac: str | None) -> Transport:
        """Read info, settings and status over the first link that answers, and return which that is."""
        errors: list[tuple[Transport, ShellyError]] = []
        for transport in tuple(self._links):
            if transport is Transport.MQTT and self._failover.broker is False:
                errors.append((transport, self._closed(transport)))
                continue
            try:
                await self._read_over(transport, expected_mac)
            except ShellyError as err:
                self._failed(transport, err)
                errors.append((transport, err))
            else:
                return transport
        raise worst_of(errors)

    async def _read_over(self, transport: Transport, expected_mac: str | None) -> None:
        info = DeviceInfo.parse(await self._ask_over(transport, INTRODUCTION))
        info.expect(expected_mac)
        device = self._intake.meet(info)
        device.apply_config(await self._ask_over(transport, "Shelly.GetConfig"))
        await self._ask_over(transport, Question.STATUS)
        self._strangers.pop(transport, None)
        self._failover.meter = bool(device.keys("em") or device.keys("em1"))

    async def _ask_over(
        self,
        transport: Transport,
        method: str,
        params: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Json:
        link = self._links.get(transport)
        if link is None or transport not in self._opened:
            raise self._closed(transport)
        begun = self._clock()
        try:
            answer = await self._rpc.ask(link, method, params, link.timeout_s if timeout_s is None else timeout_s)
        except RpcError:
            self._round_trips[transport].note(self._clock() - begun)
            raise
        except ShellyError:
            self._round_trips[transport].failures += 1
            raise
        self._round_trips[transport].note(self._clock() - begun)
        return answer.result

    def _closed(self, transport: Transport) -> LinkClosedError:
        return LinkClosedError(self._failover.breakers[transport].reason or "the link is not open")

    async def _command(
        self, method: str, params: Mapping[str, Any] | None, first: Transport | None
    ) -> tuple[Json, Transport]:
        """Ask on one link, then on the other; the device's own answer, even a refusal, is final.

        `first` is the link to begin with, `None` the one in use.
        """
        if not self._opened:
            raise LinkClosedError("the link is not open")
        errors: list[tuple[Transport, ShellyError]] = []
        order = sorted(self._failover.command_order(self._clock()), key=lambda transport: transport is not first)
        for position, transport in enumerate(order):
            if transport in self._strangers:
                errors.append((transport, DeviceMismatchError(*self._strangers[transport])))
                continue
            other = any(map(self._works, order[position + 1 :]))
            try:
                result = await self._ask_over(transport, method, params, self._policy.command_s if other else None)
            except RpcError:
                self._answered(transport)
                raise
            except ShellyError as err:
                if not self._opened:
                    raise
                self._failed(transport, err)
                errors.append((transport, err))
            else:
                self._answered(transport)
                return result, transport
        raise worst_of(errors)

    def _works(self, transport: Transport) -> bool:
        return self._failover.breakers[transport].state(self._clock()) is BreakerState.CLOSED

    def _output(self, key: str) -> bool | None:
        status = self.device.get(key)
        return status.output if isinstance(status, SwitchStatus) else None

    def receive(self, transport: Transport, data: bytes) -> None:
        """Take a frame from a link, also while not connected. What is wrong with it is counted, never raised."""
        try:
            notification = self._rpc.handle(data, transport)
            if notification is not None:
                self._take_notification(notification, transport)
        except FrameError as err:
            self._intake.reject_frame(err, transport, data)

    def _take_notification(self, notification: Notification, transport: Transport) -> None:
        if self._intake.device is None:
            return
        now = self._clock()
        update = self._intake.take_notification(notification, transport, now, self._wall())
        if self._running:
            failover = self._failover
            state = failover.state
            asks = failover.notified(now)
            if self._intake.missed:
                self._intake.missed = False
                asks += failover.resync(now)
                self._settle()
            if asks or failover.state is not state:
                self._perform(asks)
                self._settle()
        self._publish(update)

    def _take_answer(self, answer: Answer, transport: Transport) -> None:
        """Apply a status at once: what the device tells later must find it there."""
        update = self._intake.take_answer(answer, transport, self._clock())
        if update is not None:
            self._publish(update)

    def _take_signal(self, signal: Signal, reason: str) -> None:
        if signal is Signal.RETAINED:
            self._intake.drops[signal] += 1
            return
        if signal is Signal.DISCONNECTED:
            self._rpc.give_up(LinkClosedError(reason), Transport.MQTT)
        self._step(_SIGNALS[signal], reason)

    def _publish(self, update: Update) -> None:
        for listener in tuple(self._listeners):
            listener(update)

    def _answered(self, transport: Transport) -> None:
        if transport is Transport.HTTP:
            self.password_refused = False
        self._strangers.pop(transport, None)
        self._step(_ANSWERED[transport])

    def _failed(self, transport: Transport, error: ShellyError) -> None:
        retry_after_s = error.retry_after_s if isinstance(error, LinkError) else None
        if isinstance(error, AuthError):
            self.password_refused = True
            retry_after_s = self._policy.password_s
        if isinstance(error, DeviceMismatchError):
            self._strangers[transport] = (error.expected, error.found)
        self._step(_FAILED[transport], str(error), retry_after_s)

    def _step(self, trigger: Trigger, reason: str = "", retry_after_s: float | None = None) -> None:
        self._perform(self._failover.handle(trigger, self._clock(), reason, retry_after_s))
        self._settle()

    def _perform(self, asks: Asks) -> None:
        if self._running:
            for ask in asks:
                self._questions.ask(ask)

    async def _put(self, ask: Ask) -> None:
        """Ask a question of the failover's."""
        mqtt = ask.transport is Transport.MQTT
        timeout_s = self._policy.mqtt_answer_s if mqtt else self._policy.http_answer_s
        await self._ask_over(ask.transport, ask.question, None, timeout_s)

    def _take_outcome(self, ask: Ask, error: ShellyError | None) -> None:
        """Tell the failover what became of its question."""
        if error is None or (isinstance(error, RpcError) and ask.question is Question.CHECK):
            self._answered(ask.transport)
        else:
            _LOGGER.debug("No answer to %s over %s: %s", ask.question, ask.transport, error)
            self._failed(ask.transport, error)

    def _pause(self) -> None:
        self._running = False
        self._alarm.stop()

    def _settle(self) -> None:
        """Set the timer to the next deadline, and tell the watchers if the links stand otherwise than before."""
        if self._running:
            self._alarm.set(self._failover.next_deadline())
        works = tuple(map(self._works, self._links))
        standing = (self.active, self._failover.broker, works, self.password_refused, self._intake.clock.wrong)
        if standing != self._standing:
            self._standing = standing
            for watcher in tuple(self._watchers):
                watcher()

    def _tick(self) -> None:
        self._perform(self._failover.due(self._clock()))
        self._settle()
