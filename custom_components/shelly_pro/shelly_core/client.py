"""The asyncio shell round failover, rpc and intake: one device over two links, as an application holds it."""

import asyncio
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from .breaker import BreakerState
from .components import SwitchStatus
from .device import Device
from .device_info import DeviceInfo
from .errors import AuthError, DeviceMismatchError, FrameError, LinkClosedError, LinkError, RpcError, ShellyError
from .failover import Ask, Asks, Failover, Question, State, Trigger
from .frame import Json, Notification
from .health import Health, RoundTrip, assess
from .intake import Intake, Update
from .link import Link, Signal, Transport
from .policy import Policy
from .rpc import Answer, Rpc

_LOGGER = logging.getLogger(__name__)

CONFIRM_S = 1.0
"""How long after the answer to a command a relay's notification may arrive."""

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
        mqtt: Link | None = None,
        http: Link | None = None,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Talk as `source` over the links that there are, MQTT first; nothing is sent before `connect`."""
        self._links = {link.transport: link for link in (mqtt, http) if link is not None}
        self._clock = clock
        self._wall = wall
        self._failover = Failover(policy, mqtt=mqtt is not None, http=http is not None, chance=chance)
        self._policy = self._failover.policy
        self._rpc = Rpc(source, clock=clock, wall=wall, on_answer=self._take_answer)
        self._intake = Intake()
        self._round_trips = {transport: RoundTrip() for transport in Transport}
        self._listeners: list[Listener] = []
        self._watchers: list[Callable[[], None]] = []
        self._opened: set[Transport] = set()
        self._running = False
        self._timer: asyncio.TimerHandle | None = None
        self._asking: dict[Transport, asyncio.Task[None]] = {}
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
        self._running = False
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.close)
            for link in self._links.values():
                await self._open(link)
            transport = await self._read_all(expected_mac)
            undo.pop_all()
        self._failover.start(transport, self._clock())
        self._running = True
        self._settle()
        return self.device

    async def replace_mqtt(self, link: Link | None) -> None:
        """Use another MQTT link, or none; call `connect` afterwards."""
        old = self._links.pop(Transport.MQTT, None)
        if old is not None:
            self._opened.discard(Transport.MQTT)
            await old.close()
        if link is not None:
            self._links = {Transport.MQTT: link, **self._links}
        self._failover.set_link(Transport.MQTT, exists=link is not None)

    async def close(self) -> None:
        """Close the links; whoever still waits for an answer gets a `LinkClosedError`."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._rpc.give_up(LinkClosedError("the link was closed"))
        asking = tuple(self._asking.values())
        self._asking.clear()
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        self._opened.clear()
        for link in self._links.values():
            await link.close()

    async def set_switch(self, switch_id: int, on: bool) -> None:
        """Switch a relay; returns once the device has confirmed what it shows now. Raises as `call`."""
        key = f"switch:{switch_id}"
        shown = asyncio.Event()
        stop = self.subscribe(lambda _update: shown.set() if self._output(key) is on else None)
        try:
            _, transport = await self._command("Switch.Set", {"id": switch_id, "on": on})
            if transport is Transport.MQTT and self._output(key) is not on:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CONFIRM_S):
                        await shown.wait()
        finally:
            stop()
        if transport is not Transport.MQTT or self._output(key) is not on:
            await self._command("Switch.GetStatus", {"id": switch_id})

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Json:
        """Ask the device and return its result; the other link is tried where the active one does not answer.

        `method` must do no harm if it is carried out twice. Raises `RpcError` if the device refuses, `LinkError` if no
        answer comes, `AuthError` for the password, `FrameError` for an answer that makes no sense.
        """
        result, _ = await self._command(method, params)
        return result

    def health(self) -> Health:
        """Return how every hop is."""
        trips = {transport: self._round_trips[transport] for transport in self._links}
        return assess(self._failover, self._intake, trips, self._clock(), password_refused=self.password_refused)

    async def _open(self, link: Link) -> None:
        transport = link.transport
        if transport in self._opened:
            return
        try:
            await link.open(partial(self._receive, transport), self._take_signal)
        except LinkError as err:
            self._step(_FAILED[transport], str(err))
            return
        self._opened.add(transport)

    async def _read_all(self, expected_mac: str | None) -> Transport:
        """Read info, settings and status over the first link that answers, and return which that is."""
        errors: list[ShellyError] = []
        for transport in tuple(self._links):
            if transport is Transport.MQTT and self._failover.broker is False:
                continue
            try:
                await self._read_over(transport, expected_mac)
            except ShellyError as err:
                self._failed(transport, err)
                errors.append(err)
            else:
                return transport
        raise errors[-1] if errors else LinkClosedError(self._failover.breakers[Transport.MQTT].reason or "no link")

    async def _read_over(self, transport: Transport, expected_mac: str | None) -> None:
        info = DeviceInfo.parse(await self._ask_over(transport, "Shelly.GetDeviceInfo"))
        if expected_mac is not None and _plain(expected_mac) != info.mac:
            raise DeviceMismatchError(_plain(expected_mac), info.mac)
        config = await self._ask_over(transport, "Shelly.GetConfig")
        device = self._intake.device
        if device is None or device.info.mac != info.mac:
            device = self._intake.device = Device(info)
        device.info = info
        device.apply_config(config)
        await self._ask_over(transport, Question.STATUS)
        self._failover.meter = bool(device.keys("em") or device.keys("em1"))

    async def _ask_over(
        self,
        transport: Transport,
        method: str,
        params: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Json:
        link = self._links[transport]
        if transport not in self._opened:
            raise LinkClosedError("the link is not open")
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

    async def _command(self, method: str, params: Mapping[str, Any] | None) -> tuple[Json, Transport]:
        """Ask on one link, then on the other; the device's own answer, even a refusal, is final."""
        if not self._opened:
            raise LinkClosedError("the link is not open")
        errors: list[tuple[Transport, ShellyError]] = []
        order = self._failover.command_order(self._clock())
        for position, transport in enumerate(order):
            rest = order[position + 1 :]
            other = any(self._failover.breakers[t].state(self._clock()) is BreakerState.CLOSED for t in rest)
            try:
                result = await self._ask_over(transport, method, params, self._policy.command_s if other else None)
            except RpcError:
                self._answered(transport)
                raise
            except ShellyError as err:
                self._failed(transport, err)
                errors.append((transport, err))
            else:
                self._answered(transport)
                return result, transport
        raise _worst(errors)

    def _output(self, key: str) -> bool | None:
        device = self._intake.device
        status = None if device is None else device.get(key)
        return status.output if isinstance(status, SwitchStatus) else None

    # What comes in

    def _receive(self, transport: Transport, data: bytes) -> None:
        """Take a frame from a link. What is wrong with it is counted, never raised into the link."""
        try:
            notification = self._rpc.handle(data, transport)
            if notification is not None:
                self._take_notification(notification, transport)
        except FrameError as err:
            self._intake.reject_frame(err, transport, data)

    def _take_notification(self, notification: Notification, transport: Transport) -> None:
        now = self._clock()
        steps = self._intake.clock.steps
        if self._intake.device is None:
            return
        update = self._intake.take_notification(notification, transport, now, self._wall())
        failover = self._failover
        state = failover.state
        asks = failover.notified(now)
        if asks or failover.state is not state or self._intake.missed or self._intake.clock.steps != steps:
            self._perform(asks)
            self._catch_up(now)
            self._settle()
        self._publish(update)

    def _take_answer(self, answer: Answer, transport: Transport) -> None:
        """Apply a status at once: what the device tells later must find it there."""
        update = self._intake.take_answer(answer, transport, self._clock())
        if update is not None:
            self._publish(update)

    def _take_signal(self, signal: Signal, reason: str) -> None:
        self._step(_SIGNALS[signal], reason)

    def _publish(self, update: Update) -> None:
        for listener in tuple(self._listeners):
            listener(update)

    # What is to be done

    def _answered(self, transport: Transport) -> None:
        if transport is Transport.HTTP:
            self.password_refused = False
        self._step(_ANSWERED[transport])

    def _failed(self, transport: Transport, error: ShellyError) -> None:
        retry_after_s = error.retry_after_s if isinstance(error, LinkError) else None
        if isinstance(error, AuthError):
            self.password_refused = True
            retry_after_s = self._policy.password_s
        self._step(_FAILED[transport], str(error), retry_after_s)

    def _step(self, trigger: Trigger, reason: str = "", retry_after_s: float | None = None) -> None:
        self._perform(self._failover.handle(trigger, self._clock(), reason, retry_after_s))
        self._settle()

    def _catch_up(self, now: float) -> None:
        """Ask for the whole status if something was left out."""
        if self._intake.missed:
            self._intake.missed = False
            self._perform(self._failover.resync(now))

    def _perform(self, asks: Asks) -> None:
        for ask in asks:
            if self._running and ask.transport not in self._asking:
                self._asking[ask.transport] = asyncio.create_task(self._put(ask))

    async def _put(self, ask: Ask) -> None:
        """Ask a question of the failover's and tell it the outcome."""
        transport, question = ask
        mqtt = transport is Transport.MQTT
        timeout_s = self._policy.mqtt_answer_s if mqtt else self._policy.http_answer_s
        error: ShellyError | None = None
        try:
            await self._ask_over(transport, question, None, timeout_s)
        except ShellyError as err:
            _LOGGER.debug("No answer to %s over %s: %s", question, transport, err)
            error = err
        if self._asking.get(transport) is asyncio.current_task():
            del self._asking[transport]
        if error is None or (isinstance(error, RpcError) and question is Question.CHECK):
            self._answered(transport)
        else:
            self._failed(transport, error)

    def _settle(self) -> None:
        """Set the timer to the next deadline, and tell the watchers if the links stand otherwise than before."""
        self._arm()
        failover, now = self._failover, self._clock()
        closed = tuple(failover.breakers[t].state(now) is BreakerState.CLOSED for t in self._links)
        standing = (failover.active, failover.broker, closed, self.password_refused, self._intake.clock.wrong)
        if standing != self._standing:
            self._standing = standing
            for watcher in tuple(self._watchers):
                watcher()

    def _arm(self) -> None:
        deadline = self._failover.next_deadline() if self._running else None
        if deadline is None:
            return
        loop = asyncio.get_running_loop()
        delay_s = max(0.0, deadline - self._clock())
        # A timer that fires early finds nothing due and sets itself again: cheaper than moving it with every frame.
        if self._timer is not None:
            if self._timer.when() <= loop.time() + delay_s:
                return
            self._timer.cancel()
        self._timer = loop.call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._perform(self._failover.due(self._clock()))
        self._settle()


def _worst(errors: list[tuple[Transport, ShellyError]]) -> ShellyError:
    """Return what a person can do most about: the password, else everything that was tried."""
    for _, error in errors:
        if isinstance(error, AuthError):
            return error
    if len(errors) == 1:
        return errors[0][1]
    return LinkError("; ".join(f"over {transport.upper()}: {error}" for transport, error in errors))


def _plain(mac: str) -> str:
    return re.sub(r"[^0-9A-Fa-f]", "", mac).upper()
