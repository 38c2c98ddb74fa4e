"""All devices: who says what on the broker, who is new, and who is asked by this exporter."""

import asyncio
import fnmatch
import math
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import structlog

from shelly_core import FrameError, LinkClosedError
from shelly_core.frame import decode_json, encode_request
from shelly_exporter.broker import Message, Receipt
from shelly_exporter.settings import Devices as Settings

from .registry import Known, introduce
from .roads import HttpRoad, MqttRoad
from .worker import Surroundings, Worker

_LOGGER = structlog.get_logger(__name__)

BROKER_S = 3.0
"""How long devices wait for the broker before they are asked over HTTP."""
BROKEN_S = 60.0
"""How long a device is left alone after an error of ours."""
MAX_DEVICES = 5_000
MAX_TOPICS = 10_000
"""Topics of which it is remembered whose they are."""
MAX_PROBES = 1_000
"""Topic prefixes that were asked who lives there."""
EVENTS, ONLINE = "/events/rpc", "/online"
DROPPED = "$SYS/broker/publish/messages/dropped"
"""How many messages the broker has dropped since it started, because somebody was too slow or away for too long."""
MAX_DIGITS = 20
MAX_PREFIX = 128
"""Characters of a topic prefix; also the number of the question who lives there, which the answer repeats."""


@dataclass(slots=True)
class Dropped:
    """What the broker says of messages that it dropped: a hole, unless the devices have it in their records."""

    total: int | None = None
    """Since the broker started; `None` if it does not say."""
    at: float = -math.inf
    """When it dropped some last, Unix time."""

    def take(self, payload: bytes, now: float) -> None:
        """Take the broker's own count."""
        if not (payload.isdigit() and len(payload) < MAX_DIGITS):
            return
        total = int(payload)
        if self.total is not None and total > self.total:
            _LOGGER.warning("The broker dropped messages", messages=total - self.total)
            self.at = now
        self.total = total


class Devices:
    """Gives each message to its device, and meets those it does not know.

    `counts` are messages by what became of them.
    """

    def __init__(
        self,
        settings: Settings,
        known: dict[str, Known],
        around: Surroundings,
        *,
        session: aiohttp.ClientSession,
        publish: Callable[[str, bytes], None],
        settle: Callable[[Receipt | None], None],
    ) -> None:
        self._settings = settings
        self._around = around
        self._session = session
        self._publish = publish
        self._settle = settle
        self._answers = f"{around.source}/rpc"
        self._by_topic: dict[str, Worker] = {}
        self._probed: set[str] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._broker = (False, "not connected to the broker yet")
        self.workers: dict[str, Worker] = {}
        self.counts: Counter[str] = Counter()
        self.holds: Callable[[str], bool] = lambda _device_id: True
        self._known = known
        self.dropped = Dropped()
        self.not_met = 0
        """Devices for which there is no room."""

    @property
    def points(self) -> Counter[str]:
        """Points made of what the devices told, by measurement or component."""
        return self._around.points

    @property
    def known(self) -> dict[str, Known]:
        """What is remembered of each device."""
        return {device_id: worker.known for device_id, worker in self.workers.items()}

    async def run(self) -> None:
        """Keep all devices connected until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for device_id in {**self._known, **self._settings.addresses}:
                if self._is_wanted(device_id) and device_id not in self.workers:
                    self._add(self._known.get(device_id) or self._from_settings(device_id))
            with suppress(TimeoutError):
                async with asyncio.timeout(BROKER_S):
                    await self._around.ready.wait()
            self._around.ready.set()
            await asyncio.Event().wait()

    def take(self, message: Message) -> None:
        """Take a message; it is acknowledged when what it told is on disk."""
        topic = message.topic
        worker = self._by_topic.get(topic)
        if worker is not None and not message.retain and worker.mark in message.payload:
            self.counts["taken"] += 1
            worker.receive(message.payload)
            if worker.waits:
                worker.defer(message.receipt)
                return
        else:
            self.counts[self._sort(message)] += 1
        self._settle(message.receipt)

    def follow_broker(self, connected: bool, reason: str) -> None:
        """Take that the broker is there, or lost."""
        self._broker = (connected, reason)
        self._around.ready.set()
        self._probed.clear()
        for worker in self.workers.values():
            worker.follow_broker(connected=connected, reason=reason)

    def follow_lease(self, device_id: str, *, held: bool) -> None:
        """Take that it is now this exporter that asks a device, or another."""
        if worker := self.workers.get(device_id):
            worker.hold(held=held)

    def remember(self, known: Iterable[Known]) -> None:
        """Take devices that another exporter met."""
        for device in known:
            if self._is_wanted(device.info.id) and device.info.id not in self.workers:
                self._add(device)

    def _sort(self, message: Message) -> str:
        """Take a message that is of no device known by its topic; return what became of it."""
        topic = message.topic
        if topic == DROPPED:
            self.dropped.take(message.payload, self._around.wall())
            return "taken"
        if topic.endswith(ONLINE):
            return self._take_online(topic.removesuffix(ONLINE), message)
        if message.retain:
            return "retained"  # of some time in the past
        try:
            frame = decode_json(message.payload)
        except FrameError:
            return "malformed"
        source = frame.get("src") if type(frame) is dict else None
        if type(source) is not str:
            return "malformed"
        if topic == self._answers:
            return self._take_answer(source, frame, message.payload)
        return self._meet(source, topic, message.payload)

    def _take_online(self, prefix: str, message: Message) -> str:
        """Take a device's last will, or the news that it is there: a device that tells little is met by that."""
        worker = self._by_topic.get(prefix + EVENTS)
        if worker is not None:
            if message.payload == b"false" and not message.retain:
                worker.leave()
        elif message.payload == b"true":
            self._probe(prefix)
        return "taken"

    def _probe(self, prefix: str) -> None:
        """Ask who lives at a prefix."""
        if prefix not in self._probed and len(self._probed) < MAX_PROBES and len(prefix) <= MAX_PREFIX:
            self._probed.add(prefix)
            with suppress(LinkClosedError):
                self._publish(
                    f"{prefix}/rpc", encode_request(prefix, self._around.source, "Shelly.GetDeviceInfo", None)
                )

    def _take_answer(self, source: str, frame: dict[str, object], payload: bytes) -> str:
        prefix = frame.get("id")
        if type(prefix) is str:
            return "taken" if prefix in self._probed and self._known_by(source, prefix) is not None else "foreign"
        worker = self.workers.get(source)
        if worker is None:
            return "foreign"
        worker.receive(payload)
        return "taken"

    def _meet(self, source: str, topic: str, payload: bytes) -> str:
        if not topic.endswith(EVENTS):
            return "foreign"
        worker = self._known_by(source, topic.removesuffix(EVENTS))
        if worker is None:
            return "foreign"
        worker.receive(payload)
        return "taken"

    def _known_by(self, source: str, prefix: str) -> Worker | None:
        """Return who talks with this prefix; `None` if that is nobody for us."""
        if not self._is_wanted(source):
            return None
        worker = self.workers.get(source)
        if worker is None:
            info = introduce(source)
            if info is None:
                return None
            if len(self.workers) >= MAX_DEVICES:
                self.not_met += 1
                return None
            _LOGGER.info("Met a device", device=source, prefix=prefix)
            worker = self._add(Known(info=info, prefix=prefix, heard_ts=self._around.wall()))
            if worker is None:
                return None
        elif worker.known.prefix != prefix:
            _LOGGER.info("A device has another topic prefix now", device=source, prefix=prefix)
            self._by_topic.pop(worker.known.prefix + EVENTS, None)
            worker.known.prefix = worker.mqtt.prefix = prefix
        if len(self._by_topic) < MAX_TOPICS:
            self._by_topic[prefix + EVENTS] = worker
        return worker

    def _is_wanted(self, device_id: str) -> bool:
        include, exclude = self._settings.include, self._settings.exclude
        return not _matches(device_id, exclude) and (not include or _matches(device_id, include))

    def _from_settings(self, device_id: str) -> Known | None:
        info = introduce(device_id)
        return None if info is None else Known(info=info, prefix=device_id, heard_ts=self._around.wall())

    def _add(self, known: Known | None) -> Worker | None:
        if known is None or self._tasks is None:
            return None
        device_id = known.info.id
        settings = self._settings
        is_fixed = device_id in settings.addresses
        if is_fixed:
            host, _, port = settings.addresses[device_id].rpartition(":")
            known.address = (host, int(port)) if host else (port, 80)
        password = settings.passwords.get(device_id, settings.password)
        http = HttpRoad(self._session, password) if settings.http else None
        mqtt = MqttRoad(self._publish, known.prefix)
        worker = self.workers[device_id] = Worker(known, mqtt, http, self._around, is_fixed=is_fixed)
        self._by_topic[known.prefix + EVENTS] = worker
        worker.follow_broker(connected=self._broker[0], reason=self._broker[1])
        worker.hold(held=self.holds(device_id))
        self._tasks.create_task(_kept_running(worker), name=device_id)
        return worker


async def _kept_running(worker: Worker) -> None:
    """Keep a device connected; what goes wrong with one must not take the others down."""
    while True:
        try:
            await worker.run()
        except Exception:
            _LOGGER.exception("An error in the exporter itself: please report it", device=worker.id)
            await asyncio.sleep(BROKEN_S)


def _matches(device_id: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(device_id, pattern) for pattern in patterns)
