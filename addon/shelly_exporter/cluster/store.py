"""What several instances share, in Redis or Valkey: who lives, who has which device, and what is known of devices.

Keys begin with `{shelly-exporter:GROUP}`; the braces keep them on one node of a Redis Cluster:
`:members` a sorted set of the instances' names by the time until which they count as alive, in milliseconds of the
server's clock, the only one that all agree on · `:lease:DEVICE` the token of the instance that has the device, with a
time to live · `:devices` and `:rollups` hashes of JSON by device.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from .errors import ClusterError, RedisAwayError

_NOW = "local time = redis.call('TIME'); local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"

_LOOK = (
    _NOW
    + """
return {redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf'), redis.call('HKEYS', KEYS[2])}
"""
)

# A lease is taken if nobody has it, prolonged if we have it, and otherwise left alone. That we live is said last, and
# for as long, so that a dead member's leases are over when it is.
_CLAIM = (
    _NOW
    + """
local held = {}
for i = 2, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if not holder then
    redis.call('SET', KEYS[i], ARGV[2], 'PX', ARGV[3])
    held[#held + 1] = i - 2
  elseif holder == ARGV[2] then
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
    held[#held + 1] = i - 2
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 1)
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
return held
"""
)

_RELEASE = """
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
"""


class View(NamedTuple):
    """Who and what there is: the names of the instances alive, and the ids of all devices."""

    members: frozenset[str]
    devices: frozenset[str]


class ClusterStore:
    """The keys of one group. Every method but `close` raises `RedisAwayError` if Redis does not do it in time."""

    def __init__(self, url: str, group: str, *, timeout_s: float) -> None:
        try:
            # One retry at once: a connection that lay idle over a restart of Redis fails when it is used.
            self._redis = Redis.from_url(
                url,
                decode_responses=True,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError as err:
            raise ClusterError(f"cluster.redis_url is no URL of a Redis: {err}") from None
        parts = urlsplit(url)
        self._where = parts.path if parts.hostname is None else f"{parts.hostname}:{parts.port or 6379}"
        self._prefix = f"{{shelly-exporter:{group}}}"
        self._look = self._redis.register_script(_LOOK)
        self._claim = self._redis.register_script(_CLAIM)
        self._release = self._redis.register_script(_RELEASE)

    async def look(self) -> View:
        """Return the instances alive and all devices."""
        with self._watched():
            members, devices = await self._look(keys=[self._key("members"), self._key("devices")])
        return View(frozenset(members), frozenset(devices))

    async def claim(self, name: str, token: str, devices: Sequence[str], lease_s: float) -> frozenset[str]:
        """Say that `name` lives, take or prolong the leases of `devices`, and return those that `token` has now."""
        keys = [self._key("members"), *map(self._lease, devices)]
        with self._watched():
            held = await self._claim(keys=keys, args=[name, token, round(lease_s * 1000)])
        return frozenset(devices[index] for index in held)

    async def release(self, token: str, devices: Sequence[str]) -> None:
        """End leases, of `devices` those that `token` has."""
        if devices:
            with self._watched():
                await self._release(keys=[*map(self._lease, devices)], args=[token])

    async def leave(self, name: str) -> None:
        """Say that `name` does not live any more."""
        with self._watched():
            await self._redis.zrem(self._key("members"), name)

    async def remember(self, facts: Mapping[str, Mapping[str, Any]], *, overwrite: bool = True) -> None:
        """Store what is known of devices, by id; without `overwrite` only of those of which nothing is stored."""
        if not facts:
            return
        put = self._redis.pipeline(transaction=False)
        for device_id, known in facts.items():
            store = put.hset if overwrite else put.hsetnx
            store(self._key("devices"), device_id, json.dumps(known))
        with self._watched():
            await put.execute()

    async def recall(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each device; what makes no sense is left out."""
        with self._watched():
            stored = await self._redis.hgetall(self._key("devices"))
        found = {str(device_id): _decode(text) for device_id, text in stored.items()}
        return {device_id: facts for device_id, facts in found.items() if facts is not None}

    async def forget(self, device_id: str) -> None:
        """Remove all that is stored of a device."""
        with self._watched():
            await self._redis.hdel(self._key("devices"), device_id)
            await self._redis.hdel(self._key("rollups"), device_id)

    async def save_rollups(self, device_id: str, state: Mapping[str, Any]) -> None:
        """Store the state of a device's rollups."""
        with self._watched():
            await self._redis.hset(self._key("rollups"), device_id, json.dumps(state))

    async def load_rollups(self, device_id: str) -> dict[str, Any] | None:
        """Return the state of a device's rollups; None if there is none, or none that makes sense."""
        with self._watched():
            text = await self._redis.hget(self._key("rollups"), device_id)
        return None if text is None else _decode(text)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def _lease(self, device_id: str) -> str:
        return self._key(f"lease:{device_id}")

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except AuthenticationError as err:
            raise RedisAwayError(
                f"Redis at {self._where} refuses the login: check user and password in cluster.redis_url ({err})"
            ) from err
        except ResponseError as err:
            raise RedisAwayError(
                f"Redis at {self._where} refuses what is asked of it: it must be 5 or later, writable, and allow its "
                f"user scripts and keys that begin with {self._prefix} ({err})"
            ) from err
        except (RedisError, OSError) as err:
            raise RedisAwayError(
                f"Redis at {self._where} does not answer: check that it runs, and cluster.redis_url ({err})"
            ) from err


def _decode(text: str | bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError, RecursionError:
        return None
    return found if isinstance(found, dict) else None
