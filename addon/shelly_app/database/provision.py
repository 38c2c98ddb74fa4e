"""What our InfluxDB must have: organisation, buckets with retention, names for InfluxQL, and two narrow tokens."""

import logging
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import aiohttp

from shelly_app.files import write
from shelly_app.secret_store import SecretStore

from . import state
from .api import Authorization, Bucket, Influx, Permission
from .settings import ORGANISATION, READINGS, USERNAME, Settings
from .tokens import TokenFile

_DAY_S = 86400

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Client:
    """Somebody who gets a token."""

    name: str
    """`writer` or `reader`, as in `Secrets`."""
    description: str
    """By this its tokens are found again in InfluxDB."""
    action: str
    file: TokenFile


async def provision(settings: Settings, store: SecretStore, session: aiohttp.ClientSession) -> None:
    """Make all that is missing, change what is not as set, and hand out the tokens; harmless when repeated.

    Nothing is deleted but tokens that were ours and are lost; shorter retention lets InfluxDB drop what is older.
    Raises `DatabaseError`.
    """
    influx = Influx(session, settings.url, store.load().operator_token)
    if await influx.is_new():
        await _set_up(influx, settings)
    organisation = await influx.organisation(ORGANISATION)
    state.keep(store, replace(state.load(store), accepted=True))
    buckets = []
    for name, days in settings.retention_days.items():
        buckets.append(await _bucket(influx, organisation, name, days * _DAY_S))
        await influx.map_for_influxql(organisation, buckets[-1])
    for client in _clients(settings):
        await _authorize(influx, organisation, buckets, client, store)


def _clients(settings: Settings) -> Iterator[_Client]:
    yield _Client(
        name="writer", description="Shelly Pro: the exporter, which writes", action="write", file=settings.writer
    )
    if settings.reader is not None:
        yield _Client(
            name="reader", description="Shelly Pro: Grafana, which reads", action="read", file=settings.reader
        )


async def _set_up(influx: Influx, settings: Settings) -> None:
    await influx.set_up(
        username=USERNAME,
        password=secrets.token_urlsafe(32),  # forgotten: nobody logs in, tokens are enough
        organisation=ORGANISATION,
        bucket=READINGS,
        retention_s=settings.retention_days[READINGS] * _DAY_S,
    )
    _log.info("InfluxDB is set up")


async def _bucket(influx: Influx, organisation: str, name: str, retention_s: int) -> Bucket:
    """Return the bucket, made or with its retention changed if need be."""
    bucket = await influx.bucket(organisation, name)
    if bucket is None:
        return await influx.make_bucket(organisation, name, retention_s)
    if bucket.retention_s != retention_s:
        await influx.change_retention(bucket, retention_s)
        shorter = retention_s > 0 and (bucket.retention_s == 0 or retention_s < bucket.retention_s)
        level, more = (logging.WARNING, "; InfluxDB drops what is older") if shorter else (logging.INFO, "")
        _log.log(level, 'Bucket "%s" keeps points %s now%s', name, _long(retention_s), more)
    return bucket


def _long(retention_s: int) -> str:
    return f"{retention_s // _DAY_S} days" if retention_s else "for ever"


async def _authorize(
    influx: Influx, organisation: str, buckets: Sequence[Bucket], client: _Client, store: SecretStore
) -> None:
    """Hand out the client's token; one that InfluxDB does not know with these rights is made anew."""
    wanted = frozenset(Permission(action=client.action, bucket=bucket.id) for bucket in buckets)
    found = [one for one in await influx.authorizations(organisation) if one.description == client.description]
    token = getattr(store.load(), f"{client.name}_token")
    identity = state.load(store).authorizations.get(client.name)
    if token is None or not any(_usable(one, identity, wanted) for one in found):
        identity, token = await influx.authorize(organisation, client.description, sorted(wanted, key=repr))
        # In this order: a token without its id is made anew, an id without its token would be taken for good.
        store.keep(f"{client.name}_token", token)
        state.keep(store, state.load(store).with_authorization(client.name, identity))
        _warn_of_old(client)
    write(client.file.holding(token))
    for one in found:
        if one.id != identity:
            await influx.revoke(one.id)


def _usable(one: Authorization, identity: str | None, wanted: frozenset[Permission]) -> bool:
    return one.id == identity and one.active and one.permissions == wanted


def _warn_of_old(client: _Client) -> None:
    """Who has read the file already goes on with what stood in it."""
    if client.file.path.exists():
        _log.warning("InfluxDB did not know the token of %s any more. Restart the app: it has a new one", client.name)
