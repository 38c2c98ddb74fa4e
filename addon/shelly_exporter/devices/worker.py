"""One device in the exporter: its client, and the lines of all that it tells."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Any

import structlog

from shelly_core import (
    Client,
    DeviceInfo,
    EthStatus,
    Event,
    FrameError,
    Json,
    LinkClosedError,
    ShellyError,
    Signal,
    Transport,
    Update,
    WifiStatus,
    parse_event,
)
from shelly_core.backoff import Backoff
from shelly_core.validation import table_of
from shelly_exporter.broker import Receipt
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.points import ComponentLines, component_lines, event_line, line, milliseconds, record_lines
from shelly_exporter.rollups import Rollups, Series
from shelly_exporter.schema import PHASES, TOTAL
from shelly_exporter.spool import Stream

from .latecomers import PATIENCE_S, Latecomers
from .own_times import OwnTimes
from .registry import Known
from .roads import HttpRoad, MqttRoad

_LOGGER = structlog.get_logger(__name__)

MAX_COMPONENTS = 64
"""More than this on one device are invented."""
COUNTED = frozenset({"emdata", "em1data", "switch"})
"""The kinds of components that have counters of energy."""
RECORDED = "data"
_KEY = re.compile(r"[a-z][a-z0-9]{0,15}(:[0-9]{1,4})?")
_CONFIG_CHANGED = "config_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all devices share."""

    pipeline: Pipeline
    rollups: Rollups
    source: str
    """Whom devices answer to over MQTT."""
    on_record: Callable[[str, str, int], None] = lambda _device_id, _key, _ts: None
    """Called with device id, component key and the start of each minute that a record tells of."""
    points: Counter[str] = field(default_factory=Counter)
    """Lines made so far of what devices told, by kind of component."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether it is known by now if there is a broker: devices are not asked over HTTP just because we were quick."""
    wall: Callable[[], float] = time.time


class Worker:
    """Keeps one device connected while it is `held`, and turns what it tells into lines, held or not."""

    def __init__(
        self, known: Known, mqtt: MqttRoad, http: HttpRoad | None, around: Surroundings, *, is_fixed: bool = False
    ) -> None:
        """Use the roads; with `is_fixed` somebody has set the address, whatever the device tells."""
        self.known = known
        self.mqtt = mqtt
        self._http = http
        self._around = around
        self._is_fixed = is_fixed
        self._lines: dict[str, ComponentLines] = {}
        self._eventful: set[str] = set()
        self.invented = 0
        """What was left out of components because a device cannot have so many."""
        self.mark = self.id.encode()
        """What is in all that the device tells, and in hardly anything of another."""
        self.client = Client(source=around.source, info=known.info, mqtt=mqtt, http=http, wall=around.wall)
        self.client.subscribe(self._take)
        self._deferred: list[Receipt | None] = []
        self._patience: asyncio.TimerHandle | None = None
        self._latecomers = Latecomers(lambda: self.client.health().clock, around.wall)
        self._own_times = OwnTimes()
        self._held = asyncio.Event()
        self._released = asyncio.Event()
        self._released.set()
        self._heard = asyncio.Event()
        self._again = asyncio.Event()

    @property
    def id(self) -> str:
        """The device's id, as `shellypro3em-0cb815fcaf3c`."""
        return self.known.info.id

    def hold(self, *, held: bool) -> None:
        """Ask the device from now on, or leave that to another exporter."""
        (self._held.set if held else self._held.clear)()
        (self._released.clear if held else self._released.set)()

    @property
    def held(self) -> bool:
        """Whether it is this exporter that asks the device."""
        return self._held.is_set()

    def receive(self, payload: bytes) -> None:
        """Take what the device told or answered over MQTT."""
        self.client.receive(Transport.MQTT, payload)
        self.known.heard_ts = self._around.wall()
        if not self._heard.is_set():
            self._heard.set()

    @property
    def waits(self) -> bool:
        """Whether something was told of which no lines are made yet: its message must come again after a crash."""
        return self._latecomers.waits

    def defer(self, receipt: Receipt | None) -> None:
        """Acknowledge a message only when all that was told so far has become lines."""
        self._deferred.append(receipt)

    async def call(self, method: str, params: dict[str, Any]) -> Json:
        """Ask the device; raises `ShellyError`."""
        return await self.client.call(method, params)

    async def run(self) -> None:
        """Connect whenever the device is held, until cancelled."""
        backoff = Backoff()
        try:
            await self._around.ready.wait()
            while True:
                await self._held.wait()
                if await self._connect():
                    backoff.reset()
                    await self._until_released_or_changed()
                else:
                    await self._until_heard(backoff.next_s())
        finally:
            await self.client.close()
            self._release(known=True)

    async def _connect(self) -> bool:
        try:
            if self._http is not None and self.known.address is not None:
                await self._http.move(*self.known.address)
            device = await self.client.connect(self.known.info.mac)
        except ShellyError as error:
            _LOGGER.info("A device does not answer", device=self.id, reason=str(error))
            return False
        self.known.info = device.info
        self.mark = self.id.encode()
        await self._find_address()
        self._introduce(device.info)
        return True

    async def _until_released_or_changed(self) -> None:
        """Wait until another exporter asks the device, or the device is another than before."""
        self._again.clear()
        waits = [asyncio.ensure_future(event.wait()) for event in (self._released, self._again)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._released.is_set():
            await self.client.close()

    async def _until_heard(self, most_s: float) -> None:
        """Wait for a sign of life, but not for ever: a device may be there without MQTT."""
        self._heard.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._heard.wait()
                await asyncio.sleep(1.0)

    async def _find_address(self) -> None:
        """Remember the address that the device told, unless somebody has set one."""
        host = self._new_host()
        if self._http is not None and host is not None:
            self.known.address = (host, 80)
            await self._http.move(host)

    def _new_host(self) -> str | None:
        """Return where the device says it lives; `None` if that is known, or set, or not said."""
        try:
            device = self.client.device
        except LinkClosedError:
            return None
        wired, wireless = device.get("eth"), device.get("wifi")
        told = [
            wired.ip if isinstance(wired, EthStatus) else None,
            wireless.ip if isinstance(wireless, WifiStatus) else None,
        ]
        host = next((ip for ip in told if ip is not None and _is_address(ip)), None)
        known = None if self.known.address is None else self.known.address[0]
        return None if self._http is None or self._is_fixed or host == known else host

    def _introduce(self, info: DeviceInfo) -> None:
        fields = {"firmware": info.firmware, "model": info.model, "name": info.name or ""}
        self._put(Stream.COUNTERS, line("device", {"device": self.id}, fields, self._around.wall()))

    def _take(self, update: Update) -> None:
        """Make lines of what the device told. They are of its time, which it nearly always tells."""
        if self._patience is not None:
            self._release(known=update.full)
        if not self._latecomers.hold(update):
            self._write(update, self._around.wall() if update.ts is None else update.ts)
        elif self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(PATIENCE_S, partial(self._release, known=True))

    def _release(self, *, known: bool) -> None:
        """Make lines of what was held, and let go of its messages, once the clock is known or nobody tells."""
        for late, ts in self._latecomers.release(known=known):
            self._write(late, ts)
        if not self._latecomers.waits and self._patience is not None:
            self._patience.cancel()
            self._patience = None
            for receipt in self._deferred:
                self._around.pipeline.settle(receipt)
            self._deferred.clear()

    def _write(self, update: Update, ts: float) -> None:
        origin, ts_ms, put = str(update.transport), milliseconds(ts), self._around.pipeline.put
        if update.asked:
            # Notifications are told in hundredths of a second: an answer never takes the place of one.
            ts_ms += 5 - ts_ms % 10
        if update.stamp is not None and ts != update.stamp:
            ts_ms = self._own_times.of(ts_ms, update.stamp)
        for key, told in update.told.items():
            lines = self._lines.get(key) or self._meet(key)
            if lines is None or type(told) is not dict:
                continue
            for stream, text in lines.of(told, origin, ts_ms):
                put(stream, text)
                self._around.points[lines.kind] += 1 + text.count(b"\n")
            if lines.kind in COUNTED and self.held:
                self._count(key, lines.kind, told, ts)
            elif lines.kind in {"eth", "wifi"} and self._new_host() is not None:
                self._again.set()
        for event in update.events:
            self._take_event(event, origin, ts)

    def _meet(self, key: str) -> ComponentLines | None:
        if not table_of(key)[0]:
            return None
        if len(self._lines) >= MAX_COMPONENTS:
            self.invented += 1
            return None
        lines = self._lines[key] = component_lines(self.id, key)
        return lines

    def _count(self, key: str, kind: str, told: dict[str, Any], ts: float) -> None:
        """Let the counters of a component count for the hour and the day."""
        channel = int(key.partition(":")[2])
        for phase, drawn, fed_in in _counters(kind, told):
            if drawn is not None or fed_in is not None:
                self._around.rollups.take(Series(self.id, channel, phase), ts, drawn, fed_in)

    def _take_event(self, event: Event, origin: str, ts: float) -> None:
        if not self._is_eventful(event.component):
            return
        if event.event == RECORDED:
            if self.client.health().clock.wrong:
                return  # whose minute it is, nobody knows
            with suppress(FrameError):
                for record in parse_event(event):
                    for stream, text in record_lines(self.id, event.component, record, origin):
                        self._around.pipeline.put(stream, text)
                    self._around.on_record(self.id, event.component, record.ts)
            return
        if event.event == _CONFIG_CHANGED:
            self._again.set()
        self._put(Stream.COUNTERS, event_line(self.id, event, ts if event.ts is None else self._corrected(event.ts)))

    def _is_eventful(self, key: str) -> bool:
        """Tell whether something can happen at a component; those of scripts and sensors may tell nothing else."""
        if key in self._eventful:
            return True
        if len(self._eventful) >= MAX_COMPONENTS or _KEY.fullmatch(key) is None:
            self.invented += 1
            return False
        self._eventful.add(key)
        return True

    def _corrected(self, ts: float) -> float:
        """Return the true time of an event: of what a frame tells, the core corrects only the time of the frame."""
        clock = self.client.health().clock
        return ts - clock.offset_s if clock.wrong and clock.offset_s is not None else ts

    def _put(self, stream: Stream, text: bytes | None) -> None:
        if text is not None:
            self._around.pipeline.put(stream, text)

    def follow_broker(self, *, connected: bool, reason: str) -> None:
        """Take that the broker is there, or lost."""
        self.mqtt.follow_broker(connected=connected, reason=reason)

    def leave(self) -> None:
        """Take the device's last will."""
        self.mqtt.signal(Signal.OFFLINE, "the device left the broker")


def _is_address(text: str) -> bool:
    """Tell whether a device can be reached at what it tells as its address."""
    try:
        return not ip_address(text).is_unspecified
    except ValueError:
        return False


def _counters(kind: str, told: dict[str, Any]) -> list[tuple[str, float | None, float | None]]:
    """Return phase, drawn and fed in, in Wh, of what a component told."""
    get = told.get
    match kind:
        case "emdata":
            phases = [(p, get(f"{p}_total_act_energy"), get(f"{p}_total_act_ret_energy")) for p in PHASES]
            return [*phases, (TOTAL, get("total_act"), get("total_act_ret"))]
        case "em1data":
            return [(TOTAL, get("total_act_energy"), get("total_act_ret_energy"))]
        case _:
            drawn, fed_in = get("aenergy"), get("ret_aenergy")
            return [
                (
                    TOTAL,
                    None if drawn is None else drawn.get("total"),
                    None if fed_in is None else fed_in.get("total"),
                )
            ]
