"""Several instances that share the devices of one group: which of them polls which device.

Each device has one holder, by a lease in Redis that its holder renews. Devices are spread over the members by
rendezvous hashing (`rendezvous.owner`); who holds a device that another live member should have lets it go, and that
one takes it with its next renewal. The leases of an instance that died are over after `Timing.lease_s`, then the
others take its devices. A lease counts here from before it was asked for, so that it is over here before it is in
Redis: while Redis works, no two instances hold a device, even if one of them was asleep.

While Redis is away, an instance keeps what it held until its leases are over. After that nobody can know who lives, so
each polls the devices that would be its own among the members it saw last: mostly those that it had. Two instances may
then poll one device, or another instance that died meanwhile leaves a device to none until Redis is back. Polling
twice does no harm, since a reading makes the same point whoever reads it; stopping to poll would lose data. Members
that were there before Redis went away count as members for one lease after it is back, so that nothing moves.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from shelly_exporter.settings import Cluster as ClusterSettings

from .errors import ClusterError, RedisAwayError
from .rendezvous import owner

if TYPE_CHECKING:
    from .store import ClusterStore

_LOGGER = logging.getLogger(__name__)


class Timing(NamedTuple):
    """How leases are kept, in seconds; a dead instance's devices are taken over within `lease_s` and `renew_s`."""

    lease_s: float = 10.0
    renew_s: float = 3.0
    timeout_s: float = 2.0


DEFAULT_TIMING = Timing()


class Cluster:
    """One member of a group of instances. Without Redis it is `alone`: it holds every device, nothing is shared.

    `on_change` is called when a device comes (true) or goes, from `run`; `hand_over` is awaited after a device went and
    before another member may take it, for at most `Timing.renew_s`. Neither may raise.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        instance: str,
        *,
        on_change: Callable[[str, bool], None] = lambda _device_id, _held: None,
        hand_over: Callable[[str], Awaitable[None]] | None = None,
        timing: Timing = DEFAULT_TIMING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet; `instance` is the name of this member, which no other may have.

        Raises `ClusterError` if the library for Redis is missing, or the URL is none.
        """
        self._name = instance
        self._token = f"{instance}:{uuid.uuid4().hex}"
        """What leases are signed with: another one each time the exporter starts."""
        self._on_change = on_change
        self._hand_over = hand_over
        self._timing = timing
        self._clock = clock
        self._store = _store(settings, timing)
        self._wake = asyncio.Event()
        self._saving = asyncio.Lock()
        self.connected = False
        """Whether Redis did what was asked of it last."""
        self.reason: str | None = None
        """Why Redis does not, as a sentence; None before it was asked."""
        self.members: frozenset[str] = frozenset({instance})
        """The names of the instances alive, as far as is known."""
        self._before: frozenset[str] = frozenset()
        self._before_until = -1.0
        self._devices: frozenset[str] = frozenset()
        self._leased: frozenset[str] = frozenset()
        self._leased_until = -1.0
        self._told: frozenset[str] = frozenset()
        """The devices that `on_change` was told of as held."""
        self._facts: dict[str, dict[str, Any]] = {}
        self._unsaved: set[str] = set()
        """Devices whose facts Redis has not got yet."""

    @property
    def alone(self) -> bool:
        """Whether there are no others to share with."""
        return self._store is None

    @property
    def held(self) -> frozenset[str]:
        """All devices that this instance holds now; none when it is alone, where nobody counts them."""
        return frozenset() if self.alone else frozenset(filter(self.holds, self._devices))

    def holds(self, device_id: str) -> bool:
        """Tell whether it is this instance that polls the device; false until Redis was asked for the first time."""
        if self.alone:
            return True
        if self._clock() < self._leased_until:
            return device_id in self._leased
        return self.reason is not None and owner(device_id, self.members) == self._name

    async def run(self) -> None:
        """Keep the leases alive until cancelled, then give them up, so that the others need not wait."""
        if self._store is None:
            await asyncio.Event().wait()
        else:
            await self._share(self._store)

    async def remember(self, device_id: str, facts: Mapping[str, Any]) -> None:
        """Let all members know of a device, now or when Redis is back; `facts` must be fit for JSON."""
        known = dict(facts)
        if self._facts.get(device_id) == known and device_id in self._devices:
            return
        self._facts[device_id] = known
        new = device_id not in self._devices
        self._devices |= {device_id}
        if self._store is None:
            return
        self._unsaved.add(device_id)
        with suppress(RedisAwayError):
            await self._save_facts(self._store)
        if new:
            self._wake.set()

    async def recall(self) -> dict[str, dict[str, Any]]:
        """Return what the members know of all devices; while Redis is away, what was known last."""
        if self._store is not None:
            with suppress(RedisAwayError):
                self._learn(await self._store.recall())
        return {device_id: dict(facts) for device_id, facts in self._facts.items()}

    async def forget(self, device_id: str) -> None:
        """Let nobody hold a device any more, since it is gone; without effect on others while Redis is away."""
        self._facts.pop(device_id, None)
        self._unsaved.discard(device_id)
        self._devices -= {device_id}
        if self._store is not None:
            with suppress(RedisAwayError):
                await self._store.forget(device_id)
            self._wake.set()

    async def save_rollups(self, device_id: str, state: Mapping[str, Any]) -> None:
        """Keep the state of a device's rollups for its next holder; lost while Redis is away, so save again."""
        if self._store is not None:
            with suppress(RedisAwayError):
                await self._store.save_rollups(device_id, state)

    async def load_rollups(self, device_id: str) -> dict[str, Any] | None:
        """Return the state that the last holder of a device saved; None if there is none, or Redis is away."""
        if self._store is not None:
            with suppress(RedisAwayError):
                return await self._store.load_rollups(device_id)
        return None

    async def _share(self, store: ClusterStore) -> None:
        try:
            while True:
                await self._renew(store)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s()):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            await self._leave(store)

    async def _renew(self, store: ClusterStore) -> None:
        try:
            await self._look(store)
            mine = frozenset(device_id for device_id in self._devices if owner(device_id, self.members) == self._name)
            await self._let_go(store, self._leased - mine)
            asked = self._clock()
            self._leased = await store.claim(self._name, self._token, sorted(mine), self._timing.lease_s)
            self._leased_until = asked + self._timing.lease_s
        except RedisAwayError as err:
            if self.reason is None:
                _LOGGER.warning("%s. Until it is back, each instance polls the devices it would have", err)
            self.connected, self.reason = False, str(err)
        else:
            if self.reason is not None:
                _LOGGER.warning("Redis is back: %d instances share %d devices", len(self.members), len(self._devices))
            self.connected, self.reason = True, None
        self._tell()

    async def _look(self, store: ClusterStore) -> None:
        """Find out who and what there is, and tell Redis of devices that it does not know or has lost."""
        view = await store.look()
        now = self._clock()
        devices = view.devices
        # It may have come back empty sooner than we noticed that it was away: then it does not know us.
        if not self.connected or self._name not in view.members:
            self._before, self._before_until = self.members, now + self._timing.lease_s
            lost = {device_id: facts for device_id, facts in self._facts.items() if device_id not in devices}
            await store.remember(lost, overwrite=False)
            devices |= lost.keys()
        devices |= self._unsaved
        await self._save_facts(store)
        if not devices <= self._facts.keys():
            self._learn(await store.recall())
        self.members = view.members | {self._name} | (self._before if now < self._before_until else frozenset())
        self._devices = devices | self._unsaved
        self._facts = {device_id: facts for device_id, facts in self._facts.items() if device_id in self._devices}

    def _learn(self, stored: Mapping[str, dict[str, Any]]) -> None:
        """Take over what Redis knows, save for what it has not got yet. All know all, should Redis lose it."""
        self._facts = {**stored, **{device_id: self._facts[device_id] for device_id in self._unsaved}}

    async def _save_facts(self, store: ClusterStore) -> None:
        async with self._saving:
            unsaved = {device_id: self._facts[device_id] for device_id in self._unsaved}
            await store.remember(unsaved)
            self._unsaved -= {device_id for device_id, facts in unsaved.items() if self._facts.get(device_id) is facts}

    async def _let_go(self, store: ClusterStore, devices: frozenset[str]) -> None:
        """Give up leases: whoever polls the devices is told to stop before another member can begin."""
        if not devices:
            return
        self._leased -= devices
        self._tell()
        if self._hand_over is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.renew_s):
                    await asyncio.gather(*map(self._hand_over, devices))
        await store.release(self._token, sorted(devices))

    async def _leave(self, store: ClusterStore) -> None:
        leased, self._leased, self._leased_until = self._leased, frozenset(), -1.0
        self.connected, self.reason = False, None
        self._tell()
        with suppress(RedisAwayError):
            await store.release(self._token, sorted(leased))
            await store.leave(self._name)
        await store.close()

    def _tell(self) -> None:
        held = self.held
        gone, come = self._told - held, held - self._told
        self._told = held
        for device_id in sorted(gone):
            self._on_change(device_id, False)
        for device_id in sorted(come):
            self._on_change(device_id, True)

    def _pause_s(self) -> float:
        """Return when to try again: when it is time to renew, or the leases are over, which changes who holds what."""
        left = self._leased_until - self._clock()
        return left if 0.0 < left < self._timing.renew_s and not self.connected else self._timing.renew_s


def _store(settings: ClusterSettings, timing: Timing) -> ClusterStore | None:
    if settings.redis_url is None:
        return None
    try:
        from .store import ClusterStore  # noqa: PLC0415  # only who shares needs the library
    except ModuleNotFoundError as err:
        raise ClusterError(
            "cluster.redis_url is set, but the library for Redis is missing: `pip install shelly-pro[cluster]`, or "
            "remove the setting if this exporter works alone"
        ) from err
    return ClusterStore(settings.redis_url, settings.group or "default", timeout_s=timing.timeout_s)
