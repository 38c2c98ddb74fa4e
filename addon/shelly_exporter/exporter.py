"""All parts of the exporter, put together: what starts in which order, and what ends how."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, Self

import aiohttp
import structlog

from .broker import Broker
from .cluster import Cluster
from .devices import Devices, registry
from .devices.worker import Surroundings
from .history import History
from .leases import Leases
from .pipeline import Pipeline
from .rollups import Rollups
from .rounds import Rounds, Stores
from .sender import Sender
from .settings import Settings
from .spool import Spool, SpoolFullError
from .spool.dead_letters import DeadLetters
from .subscriptions import subscriptions
from .targets import target_for
from .vitals import Parts, Vitals
from .web import Web

_LOGGER = structlog.get_logger(__name__)

MIB = 1024 * 1024
DRAIN_S = 8.0
"""How long an orderly end waits for InfluxDB; what it has not taken by then is in the spool."""
DEAD_LETTER_BYTES = 64 * MIB
OVERLAP_S = 3600.0
"""How far back a meter is asked when it comes from another exporter of the group, which may have died long before."""


class Exporter:
    """Everything runs inside of `async with`; if one of `running` ends, it cannot go on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self.running: tuple[asyncio.Task[None], ...] = ()

    async def __aenter__(self) -> Self:
        async with self._stack as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        directory = settings.spool.directory
        spool = Spool(directory / "spool", max_bytes=settings.spool.max_mib * MIB, sync=settings.spool.sync)
        await asyncio.to_thread(spool.open)
        stack.callback(spool.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        target = target_for(settings.target, session)
        stack.push_async_callback(target.close)
        vitals = Vitals(settings.instance, spool, settings.spool.max_mib * MIB)
        dead_letters = DeadLetters(directory / "dead-letters", DEAD_LETTER_BYTES)
        sender = Sender(spool, target, dead_letters, settings.target, vitals)
        parts, rounds, history = self._assemble(spool, session, sender, vitals)
        vitals.watch(parts)
        await stack.enter_async_context(Web(settings.web, health=vitals.report, metrics=vitals.metrics.text))
        # In this order they end, the last first: no message, then no line, and all that waits goes to InfluxDB.
        tasks = [_run(stack, sender.run())]
        stack.push_async_callback(_drain, sender)
        stack.push_async_callback(_flush, parts.pipeline)
        tasks.append(_run(stack, parts.pipeline.run()))
        stack.push_async_callback(rounds.last)
        works = (parts.devices.run(), parts.cluster.run(), rounds.run(), history.run(), parts.broker.run())
        self.running = (*tasks, *(_run(stack, work) for work in works))
        # Before anything ends: later it would look as if all were lost.
        stack.callback(rounds.tell)
        _LOGGER.info("Started", instance=settings.instance, spool=str(directory), target=settings.target.url)

    def _assemble(
        self, spool: Spool, session: aiohttp.ClientSession, sender: Sender, vitals: Vitals
    ) -> tuple[Parts, Rounds, History]:
        """Put together what is between the broker and the spool. Nothing runs yet."""
        settings = self._settings
        stores = Stores.in_directory(settings.spool.directory)
        rollups = Rollups(settings.time_zone, stores.rollups.load())
        broker = Broker(
            settings.mqtt,
            subscriptions=subscriptions(settings),
            # The devices need the broker, too: they are there when it runs.
            on_message=lambda message: devices.take(message),  # noqa: PLW0108
            on_state=lambda connected, reason: devices.follow_broker(connected, reason),  # noqa: PLW0108
        )
        pipeline = Pipeline(
            spool,
            commit_s=settings.spool.commit_ms / 1000,
            acknowledge=broker.acknowledge,
            observe=vitals.metrics.committed,
        )
        around = Surroundings(
            pipeline=pipeline,
            rollups=rollups,
            source=settings.mqtt.client_id,
            on_record=lambda device_id, key, ts: history.take(device_id, key, ts),  # noqa: PLW0108
        )
        devices = Devices(
            settings.devices,
            registry.restore(stores.registry.load(), time.time()),
            around,
            session=session,
            publish=broker.publish,
            settle=pipeline.settle,
        )
        leases = Leases(devices, rollups, pipeline)
        cluster = Cluster(settings.cluster, settings.instance, on_change=leases.follow, hand_over=leases.hand_over)
        leases.cluster = cluster
        devices.holds = leases.holds
        overlap_s = 0.0 if cluster.alone else OVERLAP_S
        history = History(devices, pipeline, stores.history.load(), overlap_s=overlap_s)
        parts = Parts(broker=broker, pipeline=pipeline, sender=sender, devices=devices, cluster=cluster)
        return parts, Rounds(vitals, devices, pipeline, rollups, leases, history, stores), history


def _run(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start a part that runs until the end."""
    task = asyncio.create_task(work)
    stack.push_async_callback(_stopped, task)
    return task


async def _stopped(task: asyncio.Task[None]) -> None:
    """Stop a part; if it broke, that was told before."""
    task.cancel()
    await asyncio.wait((task,))


async def _flush(pipeline: Pipeline) -> None:
    """Keep what is left; what is not acknowledged comes again."""
    try:
        await pipeline.flush()
    except SpoolFullError as error:
        _LOGGER.warning("Some readings found no place on disk", reason=str(error))


async def _drain(sender: Sender) -> None:
    if not await sender.drain(DRAIN_S):
        _LOGGER.warning("Some readings wait in the spool for the next start", reason=sender.reason)
